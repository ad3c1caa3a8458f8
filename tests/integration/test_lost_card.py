"""One card is reported lost beside a real lane: consumers are told, and hold what they should."""

from __future__ import annotations

import base64
import csv
import hmac
import io
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from demo import card_holders, confirmations, counter_hours, lane, lost_card, show
from demo.counter import BEFORE, Counter
from demo.lost_card import Reported
from demo.proof import prove
from demo.rehearsal import Rehearsal
from demo.verify_inboxes import verify_inboxes
from onecard.errors import FatalError
from onecard.store import database, leases
from tests.cities import Cities
from tests.waiting import until

LOST = "2"
BUSES, INSURANCE, HOSPITALS, SCHOOLS, BANK, FUND, OPERATOR = (
    "f01-hrss-transport-card-status",
    "f02-hrss-medical_insurance-card-status",
    "f03-hrss-health-card-status",
    "f04-hrss-education-card-status",
    "f05-hrss-bank-card-event",
    "f06-hrss-housing_fund-card-status",
    "f07-hrss-operator-card-status",
)
ALL = (BUSES, INSURANCE, HOSPITALS, SCHOOLS, BANK, FUND, OPERATOR)


@dataclass
class Town:
    """A city after its first night, and the card that was reported lost in it."""

    stage: Rehearsal
    card: str
    found: Reported
    steps: list[str]

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with database.connect(self.stage.hub(0).address, autocommit=True) as connection:
            found: list[tuple[Any, ...]] = connection.execute(statement.encode(), values).fetchall()
        return found

    @property
    def at(self) -> datetime:
        """When the loss was, by the rehearsal's clock."""
        return self.stage.city.now(0) - BEFORE + timedelta(milliseconds=1)

    @property
    def holder(self) -> tuple[str, str]:
        """ID number and transit account of whose card it is."""
        statement = (
            "SELECT person_id18, coalesce(transit_account_no, '')"
            " FROM registry.hrss__card_master WHERE card_no = %s"
        )
        (found,) = self.ask(statement, self.card)
        return found[0], found[1]

    def token(self, consumer: str) -> str:
        """The holder's token at a consumer, made here (RFC 4648, RFC 2104)."""
        secret = self.stage.hub(0).keys.token(consumer).secret
        digest = hmac.digest(secret, f"v1|{self.holder[0]}".encode(), "sha256")
        return base64.b32encode(digest).decode()[:26]

    def inbox(self, agreement: str) -> list[dict[str, Any]]:
        """All rows that came under an agreement, as they lie in the consumer's own system."""
        home = self.stage.city.home
        if agreement == BUSES:
            files = (home / "transport" / "inbox" / agreement).glob("*.parquet")
            return [row for f in files for row in pl.read_parquet(f).to_dicts()]
        if agreement == SCHOOLS:
            files = (home / "sftp" / "inbox" / agreement).glob("*.csv")
            texts = (f.read_bytes().decode("gb18030") for f in files)
            return [row for text in texts for row in csv.DictReader(io.StringIO(text))]
        if agreement == FUND:
            return self.tables(f"inbox_{agreement.replace('-', '_')}")
        (file,) = (home / "inbox").glob(f"*/{agreement}.batches.jsonl")
        lines = file.read_text(encoding="utf-8").splitlines()
        return [row for line in lines for row in json.loads(line)["rows"]]

    def tables(self, name: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.stage.city.home / "housing_fund.sqlite")) as fund:
            rows = fund.execute(f'SELECT * FROM "{name}"')
            names = [column[0] for column in rows.description]
            return [dict(zip(names, row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Town]:
    home = tmp_path_factory.mktemp("lost")
    with cities.start(home / "stage", persons=2_000, seed=23, nights=1) as stage:
        card = card_holders.widely_known(stage.hub(0))
        assert card
        steps: list[str] = []
        yield Town(stage, card, lost_card.report(stage, 0, ended=steps.append), steps)


def test_every_consumer_that_serves_the_holder_confirms_within_the_time(town: Town) -> None:
    found = town.found
    assert found.well, found
    assert tuple(line.agreement for line in found.told) == ALL
    told = [line for line in found.told if line.granted]
    assert len(told) >= 5  # of seven: hardly anybody studies, works, and has this bank
    for line in told:
        assert line.seconds is not None
        assert found.published is not None
        assert found.published <= line.seconds < confirmations.WITHIN_S
        assert re.fullmatch(r"\*+[0-9A-Z]{3} 2 正式挂失", line.holds)
    rest = [line for line in found.told if not line.granted]
    assert [(line.seconds, line.holds) for line in rest] == [(None, "")] * len(rest)
    assert found.answer in ("00", "01")


def test_each_inbox_says_lost_of_that_card_and_who_does_not_serve_it_has_nothing(
    town: Town,
) -> None:
    person, transit = town.holder
    names = {
        BUSES: ("transit_account_no", transit),
        INSURANCE: ("card_no", town.card),
        HOSPITALS: ("card_no", town.card),
        SCHOOLS: ("person_token_edu", town.token("education")),
        BANK: ("card_no", town.card),
        FUND: ("person_token_hf", town.token("housing_fund")),
        OPERATOR: ("person_token_ops", town.token("operator")),
    }
    told = {line.agreement for line in town.found.told if line.granted}
    for agreement, (name, value) in names.items():
        rows = [row for row in town.inbox(agreement) if row[name] == value]
        assert [row["to_status"] for row in rows] == [LOST] * (agreement in told), agreement
    assert all(person not in json.dumps(line.holds) for line in town.found.told)


def test_what_the_night_proves_holds_after_the_lane(town: Town) -> None:
    hub = town.stage.hub(0)
    wrong = {n: v for n, v in verify_inboxes(hub, town.stage.city).items() if not v.same}
    assert wrong == {}
    assert prove(hub).holds
    assert town.ask("SELECT count(*) FROM ledger.transfer WHERE finished_at IS NULL") == [(0,)]
    with database.connect(hub.address, autocommit=True) as connection:
        assert [line.name for line in leases.standing(connection) if line.held] == []
    assert town.found.exit_code == 0
    assert "live: ended" in town.found.log.read_text()


def test_the_bureau_itself_has_the_card_lost(town: Town) -> None:
    contract = town.stage.city.catalogue.contract("hrss/card_master")
    status, card = contract.field("card_status").native, contract.field("card_no").native
    statement = f'SELECT DISTINCT "{status}" FROM hrss.ac01_card WHERE "{card}" = %s'
    with database.connect(town.stage.city.postgres_url, autocommit=True) as connection:
        assert connection.execute(statement.encode(), (town.card,)).fetchall() == [(LOST,)]


def test_people_see_each_step_and_no_number(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(town.steps) == lost_card.steps(town.stage.hub(0))
    assert town.steps[:2] == [lost_card.READY, lost_card.WOKEN]
    assert town.steps[-1] == lost_card.ENDED
    show.lost_card(town.found)
    said = capsys.readouterr().out
    for line in town.found.told:
        assert line.agreement in said
        assert line.seconds is None or f"{line.seconds:.2f}" in said
    for number in (town.card, *town.holder):
        assert number not in said


def test_an_inbox_that_lacks_the_row_is_told_of(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    hub = town.stage.hub(0)
    (file,) = (town.stage.city.home / "inbox").glob(f"*/{OPERATOR}.batches.jsonl")
    text = file.read_text(encoding="utf-8")
    file.write_text("".join(text.splitlines(keepends=True)[:-1]), encoding="utf-8")
    try:
        told = lost_card._told(
            town.stage, hub, hub.catalogue.agreement(OPERATOR), town.at, {OPERATOR: 0.5}
        )
    finally:
        file.write_text(text, encoding="utf-8")
    assert (told.granted, told.holds, told.right) == (True, "", False)
    found = Reported("00", 0.1, (told,), 0, town.found.log, 1.0)
    assert not found.well
    show.lost_card(found)
    assert "NOT what it should" in capsys.readouterr().out


def test_a_counter_that_is_kept_open_reports_one_loss_after_the_other(
    town: Town, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(counter_hours, "EACH_S", 0.2)
    stage, had = town.stage, len(town.inbox(OPERATOR))
    counter = Counter(stage.city, 0)
    next(counter._numbers)  # the one of the fixture's counter
    with (
        lane.running(stage.at(0), stage.home / "again.log") as process,
        counter_hours.kept(counter, stage.hub(0), process.door),
    ):
        until(lambda: len(town.inbox(OPERATOR)) >= had + 3, "three more losses at the operator")
    assert process.exit_code == 0
    assert caplog.messages == []


def test_before_the_first_collect_nobodys_card_is_known(tmp_path: Path, cities: Cities) -> None:
    with cities.start(tmp_path / "stage", persons=300, seed=5) as stage:
        assert card_holders.widely_known(stage.hub(0)) is None
        with pytest.raises(FatalError, match="nobody in this city"):
            lost_card.report(stage, 0, ended=lambda _step: None)


def test_a_lane_that_cannot_start_is_an_error_that_names_its_log(
    town: Town, tmp_path: Path
) -> None:
    environment = town.stage.at(0) | {"ONECARD_PROFILE": "neither"}
    log = tmp_path / "live.log"
    ended = pytest.raises(FatalError, match=r"has ended by itself \(1\); see .*live\.log")
    with ended, lane.running(environment, log):
        pass
    assert "ONECARD_PROFILE" in log.read_text()
