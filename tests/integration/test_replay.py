"""Quarantined rows a second time: under the contract and agreement in force now, and once."""

from __future__ import annotations

import json
import shutil
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.cli.app import app
from onecard.errors import ConfigError, FatalError, OnecardError, PolicyError
from onecard.operations.housekeeping import keep_house
from onecard.operations.replay import release, replay
from onecard.store import database, datasets, disclosures, quarantine
from schemas.models import catalogue

CARDS, RULE = "hrss/card_master", "issue_date_not_future"
F16 = "f16-hrss-bank-subsidy-payment"


def held(hub: Hub, dataset: str, rule: str) -> list[int]:
    with database.connect(hub.address, autocommit=True) as connection:
        found = quarantine.records(connection, dataset)
    return [r.id for r in found if {name for _, name in r.reasons} == {rule}]


def cards(hub: Hub) -> int:
    with database.connect(hub.address, autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM registry.hrss__card_master").fetchone()
    return int(str(row[0])) if row else 0


@pytest.fixture
def lenient(stage: Rehearsal, tmp_path: Path) -> Rehearsal:
    """After a night under the strict contract, one without the rule is in force."""
    hub = stage.hub(0)
    hub.collect(CARDS).run()
    assert held(hub, CARDS, RULE)
    shutil.copytree(catalogue.ROOT, tmp_path / "schemas")
    file = tmp_path / "schemas" / "contracts" / "hrss" / "card_master.odcs.yaml"
    head, _, rest = file.read_text(encoding="utf-8").partition(f"      - name: {RULE}\n")
    rest = rest[rest.index("      - name: ") :]
    file.write_text(head + rest, encoding="utf-8")
    stage.environment["ONECARD_SCHEMAS"] = str(tmp_path / "schemas")
    return stage


@pytest.mark.fault("F40", "checked again under the contract in force now")
def test_a_row_that_breaks_its_contract_again_stays(stage: Rehearsal) -> None:
    hub = stage.hub(0)
    hub.collect(CARDS).run()
    before = cards(hub)
    (record, *_) = held(hub, CARDS, RULE)
    assert not replay(hub, record, "try").done
    assert record in held(hub, CARDS, RULE)
    assert cards(hub) == before
    with pytest.raises(PolicyError, match="mend it at its source"):
        release(hub, record, "please")


def test_a_row_that_the_contract_of_now_allows_is_published(lenient: Rehearsal) -> None:
    hub = lenient.hub(0)
    with database.connect(hub.address, autocommit=True) as connection:
        watermark = datasets.state(connection, CARDS).checkpoint
    before = cards(hub)
    (record, *_) = held(hub, CARDS, RULE)
    assert replay(hub, record, "contract changed").done
    assert cards(hub) == before + 1
    assert record not in held(hub, CARDS, RULE)
    with database.connect(hub.address, autocommit=True) as connection:
        assert datasets.state(connection, CARDS).checkpoint == watermark
    with pytest.raises(ConfigError, match="is replayed"):
        replay(hub, record, "again")


@pytest.mark.fault("F40", "published once")
def test_two_replays_at_once_publish_once(lenient: Rehearsal) -> None:
    before = cards(lenient.hub(0))
    (record, *_) = held(lenient.hub(0), CARDS, RULE)
    outcomes: list[object] = []

    def run() -> None:
        try:
            outcomes.append(replay(lenient.hub(0), record, "twice").done)
        except OnecardError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(outcomes) == {ConfigError, True}
    assert cards(lenient.hub(0)) == before + 1


def test_a_row_with_a_number_in_its_text_waits_for_a_person(stage: Rehearsal) -> None:
    hub = stage.hub(0)
    for dataset in (CARDS, "hrss/subsidy_payment", "health/death_notice"):
        hub.collect(dataset).run()
    clean = hub.deliver(F16).preview(1000)
    chosen = str(clean["pay_id"][0])
    with database.connect(hub.address, autocommit=True) as connection:
        connection.execute(
            "UPDATE registry.hrss__subsidy_payment SET pay_id = 'P-13812345678' WHERE pay_id = %s",
            (chosen,),
        )
    done = hub.deliver(F16).run()
    assert (done.rows, done.quarantined) == (len(clean) - 1, 1)
    (record,) = held(hub, "hrss/subsidy_payment", "PR-10")
    assert not replay(hub, record, "again").done
    assert release(hub, record, "a payment number").done
    assert stage.city.inbox("bank")[F16].height == len(clean)
    with pytest.raises(ConfigError, match="is released"):
        release(hub, record, "twice")


def test_values_are_dropped_when_their_time_is_over(stage: Rehearsal) -> None:
    stage.environment["ONECARD_QUARANTINE_DAYS"] = "3"
    hub = stage.hub(0)
    hub.collect(CARDS).run()
    with database.connect(hub.address, autocommit=True) as connection:
        records = quarantine.records(connection, CARDS)
        assert {r.last_seen for r in records} == {hub.settings.now()}  # the hub's clock
        assert keep_house(stage.hub(2)).purged == 0
        done = keep_house(stage.hub(3))
        assert done.purged == len(records) > 0
        assert done.verdict.ok
        assert quarantine.records(connection, CARDS) == []
        with pytest.raises(ConfigError, match="is purged"):
            quarantine.reveal(connection, records[0].id, hub.keys)
        connection.execute("ALTER TABLE ledger.audit DISABLE TRIGGER ALL")
        connection.execute("DELETE FROM ledger.audit WHERE seq = 2")
    with pytest.raises(FatalError, match="first bad entry"):
        keep_house(stage.hub(3)).check()


def test_disclosures_are_kept_for_three_years_and_no_longer(
    stage: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = stage.hub(0)
    now = hub.settings.now()
    with database.connect(hub.address, autocommit=True) as connection:
        disclosures.make_partition(connection, now.date().replace(day=1))

    def months() -> int:
        with database.connect(hub.address, autocommit=True) as connection:
            found = (
                "SELECT count(*) FROM pg_inherits WHERE inhparent = 'ledger.disclosure'::regclass"
            )
            return database.one_scalar(connection, int, found)

    def house(later: timedelta, *words: str) -> str:
        for name, value in {**stage.environment, "ONECARD_NOW": str(now + later)}.items():
            monkeypatch.setenv(name, value)
        done = CliRunner().invoke(app, ["housekeeping", *words])
        assert done.exit_code == 0, done.output
        return done.output

    before = months()
    assert json.loads(house(timedelta(days=3 * 365), "--json"))["expired_months"] == 0
    assert months() == before
    late = timedelta(days=3 * 366 + 31)
    assert "1 months of disclosures and calls dropped" in house(late)
    assert months() == before - 1
    assert json.loads(house(late, "--json"))["expired_months"] == 0
    with database.connect(hub.address, autocommit=True) as connection:
        written = "SELECT body FROM ledger.audit WHERE kind = 'records.expired'"
        (body,) = database.scalars(connection, str, written)
    assert json.loads(body)["months"] == [f"disclosure_{now:%Y_%m}"]
