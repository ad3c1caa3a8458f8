"""The live lane in a small city: events reach the consumers without anybody asking."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import requests

from demo.http_api import moment
from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.base.platform_signature import Credential, SignatureForm, signed_headers
from onecard.collect.look import Look
from onecard.crypto.signing import Signer
from onecard.errors import ConfigError
from onecard.live.lane import Lane
from onecard.live.pace import Pace
from onecard.ports.news import SourceState
from onecard.store import agreement_lives, audit, database, leases
from schemas.models import catalogue
from tests import forked
from tests.cities import Cities
from tests.waiting import until

EVENTS, CARDS = "hrss/card_status_event", "hrss/card_master"
BUSES, OPERATOR = "f01-hrss-transport-card-status", "f07-hrss-operator-card-status"
CONTRACTS = (CARDS, EVENTS, "health/death_notice")
PACE = Pace(look=0.05, busy=0.02, whole=0.3, first=0.05, most=0.2, span=30.0, renew=0.1)
SAMPLE = (
    "SELECT e.event_id FROM registry.hrss__card_status_event e"
    " JOIN registry.hrss__card_master c USING (card_no) WHERE c.transit_account_no IS NOT NULL"
    " AND e.event_type NOT IN ('06', '14') ORDER BY e.event_id LIMIT 1"
)


@dataclass
class Town:
    """A city of three datasets and two consumers, all of which was delivered once.

    Attributes:
        numbers: of the events that are added.
    """

    stage: Rehearsal
    numbers: Iterator[int] = field(default_factory=lambda: count(2))

    @property
    def address(self) -> str:
        return self.stage.hub(0).address

    @property
    def events(self) -> Path:
        return self.stage.city.home / "http" / "card_status_event.sqlite"

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with database.connect(self.address, autocommit=True) as connection:
            found: list[tuple[Any, ...]] = connection.execute(statement.encode(), values).fetchall()
        return found

    def report(self) -> int:
        """Something happens to a card of one who goes by bus; returns the event's number."""
        return self.burst(1)[0]

    def burst(self, count: int) -> list[int]:
        """So many events at once; returns their numbers."""
        with closing(sqlite3.connect(self.events)) as source, source:
            return self.put(source, count)

    def put(self, source: sqlite3.Connection, count: int) -> list[int]:
        """So many events, not committed yet; returns their numbers.

        Args:
            source: the agency's system.
            count: how many.
        """
        numbers = [next(self.numbers) for _ in range(count)]
        ((sample,),) = self.ask(SAMPLE)
        ((text,),) = source.execute(
            "SELECT body FROM rows WHERE json_extract(body, '$.event_id') = ?", (sample,)
        ).fetchall()
        for number in numbers:
            at = self.stage.city.now(0) - timedelta(minutes=5) + timedelta(milliseconds=number)
            body = {
                **json.loads(text),
                "event_id": f"01939999-{number:04d}-7000-8000-000000000000",
                "event_seq": number,
                "occurred_at": at.isoformat(),
                "effective_at": at.isoformat(),
            }
            source.execute(
                "INSERT INTO rows (moment, body) VALUES (?, ?)",
                (moment(at.isoformat()), json.dumps(body, ensure_ascii=False)),
            )
        return numbers

    def at_the_buses(self) -> list[int]:
        """Numbers of the added events that the transport company has, each as often as it came."""
        folder = self.stage.city.home / "transport" / "inbox" / BUSES
        whole = [
            f for f in folder.glob("*.parquet") if f.with_name(f"{f.name}.manifest.json").exists()
        ]
        return [n for f in whole for n in pl.read_parquet(f)["event_seq"].to_list() if n > 1]

    def at_the_operator(self) -> int:
        """Rows that the operator has got."""
        file = self.stage.city.home / "inbox" / "operator_api" / f"{OPERATOR}.batches.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        return sum(len(json.loads(line)["rows"]) for line in lines if line.endswith("\n"))

    def switch(self, *, stopped: bool) -> None:
        with database.connect(self.address, autocommit=True) as connection:
            agreement_lives.set_stop(connection, "transport", "值班员", "演练", stopped=stopped)

    def holders(self) -> set[str]:
        """Who has any work now."""
        with database.connect(self.address, autocommit=True) as connection:
            found = leases.standing(connection)
        return {x.holder for x in found if x.held and not x.name.startswith("process ")}

    def under_way(self) -> int:
        """Transfers that have not ended."""
        return int(self.ask("SELECT count(*) FROM ledger.transfer WHERE finished_at IS NULL")[0][0])

    def collects(self) -> int:
        """Collects of the events that were published."""
        found = "SELECT count(*) FROM ledger.transfer WHERE subject = %s AND status = 'published'"
        return int(self.ask(found, EVENTS)[0][0])

    @contextmanager
    def running(self, pace: Pace = PACE) -> Iterator[Lane]:
        lane = Lane(lambda: self.stage.hub(0), pace)
        lane.start()
        try:
            yield lane
        finally:
            lane.end()


@contextmanager
def town_of(home: Path, cities: Cities) -> Iterator[Town]:
    """A town below a folder, all of which was delivered once."""
    with cities.start(home / "stage", persons=300, seed=5) as stage:
        schemas = home / "schemas"
        shutil.copytree(
            catalogue.ROOT, schemas, ignore=shutil.ignore_patterns("*.py", "__pycache__")
        )
        for file in schemas.glob("contracts/*/*"):
            if f"{file.parent.name}/{file.name.split('.')[0]}" not in CONTRACTS:
                file.unlink()
        for file in schemas.glob("agreements/*"):
            if file.stem not in (BUSES, OPERATOR):
                file.unlink()
        small = replace(stage, environment=stage.environment | {"ONECARD_SCHEMAS": str(schemas)})
        for dataset in CONTRACTS:
            small.hub(0).collect(dataset).run()
        for agreement in (BUSES, OPERATOR):
            small.hub(0).deliver(agreement).run()
        yield Town(small)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Town]:
    with town_of(tmp_path_factory.mktemp("live"), cities) as found:
        yield found


def test_an_event_reaches_the_consumers_and_a_look_leaves_no_trace(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[SourceState] = []
    state = Look.state

    def counted(look: Look) -> SourceState:
        looks.append(state(look))
        return looks[-1]

    monkeypatch.setattr(Look, "state", counted)
    traces = "SELECT (SELECT count(*) FROM ledger.transfer), (SELECT count(*) FROM ledger.audit)"
    with town.running(replace(PACE, whole=3600.0)) as lane:  # rejected rows are not read again
        assert (lane.datasets, sorted(lane.agreements)) == ((EVENTS,), [BUSES, OPERATOR])
        until(lane.ready, "leases")
        had, number = town.at_the_operator(), town.report()
        until(lambda: number in town.at_the_buses(), "the event at the buses")
        until(lambda: town.at_the_operator() == had + 1, "the event at the operator")
        until(lambda: town.under_way() == 0, "the confirmations")
        seen = len(looks)
        until(lambda: looks[seen:] and looks[-1] == looks[-2], "looks that agree")
        until(lambda: town.under_way() == 0, "the last collect")
        before, seen = town.ask(traces), len(looks)
        until(lambda: len(looks) > seen + 5, "looks at the source")
        quiet = town.ask(traces)
    assert quiet == before
    with database.connect(town.address, autocommit=True) as connection:
        hub = town.stage.hub(0)
        holds = Signer(hub.settings.suite, hub.keys).holds
        verdict = audit.verify_log(connection, hub.settings.home / "audit", holds)
    assert (verdict.ok, verdict.covered) == (True, verdict.entries), "signed to the end"
    assert town.at_the_buses() == [number]


def test_a_dead_consumer_delays_no_other_and_catches_up_by_itself(town: Town) -> None:
    folder = town.stage.city.home / "transport"
    with town.running() as lane:
        until(lane.ready, "leases")
        folder.rename(folder.with_name("gone"))
        try:
            had, numbers = town.at_the_operator(), [town.report()]
            until(lambda: town.at_the_operator() == had + 1, "the event at the operator")
            numbers.append(town.report())
            until(lambda: town.at_the_operator() == had + 2, "the next one")
        finally:
            folder.with_name("gone").rename(folder)
        until(lambda: set(numbers) <= set(town.at_the_buses()), "the buses catch up")
    assert [town.at_the_buses().count(n) for n in numbers] == [1, 1]


def test_what_is_stopped_leaves_no_more_and_goes_on_by_itself(town: Town) -> None:
    with town.running() as lane:
        until(lane.ready, "leases")
        town.switch(stopped=True)
        had, number = town.at_the_operator(), town.report()
        until(lambda: town.at_the_operator() == had + 1, "the event at the operator")
        assert number not in town.at_the_buses()
        town.switch(stopped=False)
        until(lambda: number in town.at_the_buses(), "the event at the buses")


def test_two_lanes_share_the_work_and_one_takes_all_when_the_other_ends(town: Town) -> None:
    with town.running():
        until(lambda: len(town.holders()) == 1, "the first lane's leases")
        with town.running():
            until(lambda: len(town.holders()) == 2, "both have work")
            number = town.report()
            until(lambda: number in town.at_the_buses(), "the event at the buses")
        until(lambda: len(town.holders()) == 1, "the first lane has all again")
        last = town.report()
        until(lambda: last in town.at_the_buses(), "the last event at the buses")
    assert town.holders() == set()
    assert [town.at_the_buses().count(n) for n in (number, last)] == [1, 1]


def test_a_wake_up_is_handed_on_to_who_collects(town: Town) -> None:
    before = town.collects()
    with town.running(replace(PACE, look=3600.0, whole=3600.0)):
        until(lambda: town.collects() == before + 1, "the first lane's only look")
        number = town.report()
        with town.running() as other:
            other.wake(EVENTS)
            until(lambda: number in town.at_the_buses(), "the event at the buses")
    assert town.collects() == before + 2


def test_a_broken_text_takes_its_own_agreement_out_until_it_is_mended(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    file = Path(town.stage.environment["ONECARD_SCHEMAS"]) / "agreements" / f"{BUSES}.yaml"
    text = file.read_text(encoding="utf-8")
    with town.running() as lane, caplog.at_level(logging.INFO):
        file.write_text("id: [", encoding="utf-8")
        until(lambda: lane.agreements == (OPERATOR,), "the broken text is left out")
        had, number = town.at_the_operator(), town.report()
        until(lambda: town.at_the_operator() == had + 1, "the event at the operator")
        assert number not in town.at_the_buses()
        file.write_text(text, encoding="utf-8")
        until(lambda: number in town.at_the_buses(), "the event at the buses")
    assert any(
        "left out:" in r.getMessage() and file.name in r.getMessage() for r in caplog.records
    )


def test_a_lane_is_ready_only_as_long_as_each_of_its_threads_lives(town: Town) -> None:
    with town.running() as lane:
        until(lane.ready, "leases")
        runner = lane._runners[f"collect {EVENTS}"]
        runner.retire()
        runner.join()
        assert not lane.ready()


def test_a_catalogue_that_could_not_be_read_for_a_moment_is_read_again(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    failing = threading.Event()

    def make() -> Hub:
        if failing.is_set():
            msg = "the hub's database cannot be used: a login is refused"
            raise ConfigError(msg)
        return town.stage.hub(0)

    lane, file = Lane(make, PACE), Path(town.stage.environment["ONECARD_SCHEMAS"]) / "beside.yaml"
    lane.start()
    try:
        until(lane.ready, "leases")
        failing.set()
        file.write_text("one: 1", encoding="utf-8")
        until(lambda: not lane.datasets, "nothing moves")
        assert not lane.ready()
        failing.clear()
        until(lane.ready, "the lane goes on")
        assert lane.datasets == (EVENTS,)
    finally:
        lane.end()
        file.unlink()
    assert caplog.text.count("nothing moves: the hub's database cannot be used") == 1


def test_transfers_under_a_lease_work_in_sessions_of_its_holder(town: Town) -> None:
    desk = town.stage.hub(0).guarded(leases.unguarded, "one-machine/7/0a")
    with database.connect(desk.address) as connection:
        assert connection.execute("SHOW application_name").fetchone() == ("one-machine/7/0a",)


def test_a_door_that_cannot_be_opened_begins_nothing(town: Town) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        found = forked.onecard(town.stage.at(0), "live", "--listen", place)
    assert (found.returncode, found.stdout) == (1, "")
    assert "--listen: nothing can listen there" in found.stderr
    with database.connect(town.address, autocommit=True) as connection:
        assert [x.name for x in leases.standing(connection) if x.held] == []


def call(town: Town, door: str, *, key: str = "") -> tuple[int, object]:
    """The agency's signed wake-up: status and code of the answer."""
    known = json.loads(town.stage.environment["AIRFLOW_CONN_HRSS_WAKE"])
    secret = (key or known["password"]).encode()
    headers = signed_headers(Credential(known["login"], secret, SignatureForm()))
    answer = requests.post(f"{door}/events/{EVENTS}", headers=headers, timeout=10)
    return answer.status_code, answer.json()["code"]


def addresses(said: Path) -> list[str]:
    """Where the command has said that it listens."""
    return re.findall(r"http://[\d.]+:\d+", said.read_text()) if said.exists() else []


def ready(place: str) -> bool:
    """Whether the door is open, and says that the lane can work."""
    try:
        return requests.get(f"{place}/readyz", timeout=10).ok
    except requests.ConnectionError:
        return False


def page(place: str) -> str:
    """The figures as Prometheus gets them."""
    return requests.get(f"{place}/metrics", timeout=10).text


def test_the_command_serves_its_door_and_ends_in_order(town: Town, tmp_path: Path) -> None:
    said = tmp_path / "said"
    nothing = tmp_path / "nothing"
    nothing.touch()
    told = ("live", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    complained = tmp_path / "complained"
    words = forked.Command(town.stage.at(0), told, nothing, said, complained)
    process = forked.context.Process(target=forked.call, args=(words,))
    process.start()
    try:
        until(town.holders, "the process's leases")
        until(lambda: len(addresses(said)) == 2, "the greeting")
        place, figures = addresses(said)
        until(lambda: ready(place), "the door, and all that it needs")
        status, code = call(town, place)
        assert (status, code) in {(200, "00"), (200, "01")}
        assert call(town, place, key="another key of 16") == (401, "40")
        number = town.report()
        until(lambda: number in town.at_the_buses(), "the event at the buses")
        counted = rf'onecard_live_batches_total{{direction="deliver",subject="{BUSES}"}} [1-9]'
        until(lambda: re.search(counted, page(figures)), "the batch in its figures")
        os.kill(process.pid or 0, signal.SIGTERM)
        process.join(forked.LIMIT_S)
        assert process.exitcode == 0
    finally:
        process.kill()
    assert town.holders() == set()
    greeting = said.read_text()
    assert greeting.startswith(f"live: 1 dataset(s), 2 agreement(s); its door is {place};")
    assert f"; its figures are at {figures};" in greeting
    assert town.under_way() == 0
