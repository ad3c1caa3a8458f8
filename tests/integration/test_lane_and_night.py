"""A day with the live lane and a day without it end in the same tables and inboxes.

What may differ between two good histories, and is not compared: ids of transfers and deliveries,
numbers of versions, times of work, how often and when a row was read, rejected or told, and with it
transfers, receipts, audit log and findings, which say what happened and not what is.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.http_api import moment
from demo.rehearsal import Rehearsal
from demo.verify_inboxes import verify_inboxes
from onecard.operations import night
from onecard.store import database
from tests.cities import Cities
from tests.faults.arrivals import Arrivals
from tests.faults.lane_process import LaneProcess, none_left
from tests.faults.lane_town import EVENTS, FOLDER, HTTP, TABLE, TOKENS, events_of, reports
from tests.soak.compare import contents, inboxes
from tests.waiting import until

pytestmark = pytest.mark.timeout(900)
Rows = list[tuple[int | None, str]]
CARDS, TIMES, SLICES = 4, 12, 6
LANE = (FOLDER, HTTP, TABLE, TOKENS)
ENTRY, REFERENCE = 26, 8
"""Bytes of an entry of what a consumer holds, its last four a transfer; of a person's reference."""
TABLES = {
    "watermarks": "SELECT dataset, contract_version, checkpoint FROM ledger.dataset ORDER BY 1",
    "delivered": "SELECT agreement, dataset, token_epoch FROM ledger.delivered ORDER BY 1, 2",
    "heads": (
        "SELECT agreement, key, basis, shape, token_epoch, rows FROM ledger.holding_head ORDER BY 1"
    ),
    "statistics": "SELECT agreement, cell, value FROM ledger.statistic ORDER BY 1, 2",
    "links": "SELECT dataset, field FROM ledger.link_field ORDER BY 1, 2",
    "former": "SELECT dataset, count(*) FROM registry.former GROUP BY 1 ORDER BY 1",
    "tickets": "SELECT kind, dataset, count(*) FROM ledger.ticket GROUP BY 1, 2 ORDER BY 1, 2",
    "windows": "SELECT count(*) FROM ledger.delivery_window",
    "pending": "SELECT count(*) FROM ledger.holding_pending",
}
"""What is, but for ids, versions and times."""
HELD = (
    "SELECT h.agreement, e.entries FROM ledger.holding_head h"
    " JOIN ledger.holding e ON e.holder = h.number"
)
TOLD = (
    "SELECT t.subject, d.refs FROM ledger.disclosure d JOIN ledger.transfer t ON t.id = d.transfer"
)
LAST = (
    "SELECT published FROM ledger.transfer WHERE subject = %s AND status = 'published'"
    " ORDER BY id DESC LIMIT 1"
)


@dataclass(frozen=True)
class Outcome:
    """After the night.

    Attributes:
        state: tables and inboxes, normalised.
        published: events that the night published.
        before: numbers of the reported events that each consumer had got before the night.
        after: and after it.
    """

    state: dict[str, object]
    published: int
    before: dict[str, Counter[int]]
    after: dict[str, Counter[int]]


@dataclass(frozen=True)
class Life:
    """A city on the day after its first night, with a busy counter.

    Attributes:
        rows: of the day, as the agency's system has them: planted ones, and those of the counter.
    """

    stage: Rehearsal
    rows: Rows

    @property
    def file(self) -> Path:
        return events_of(self.stage)

    def tell(self, rows: Rows) -> None:
        """The agency has these rows now."""
        with closing(sqlite3.connect(self.file, timeout=60)) as source, source:
            source.executemany("INSERT INTO rows (moment, body) VALUES (?, ?)", rows)

    def lane(self, arrivals: Arrivals) -> None:
        """The live lane takes the day's rows as they come, and ends."""
        process = LaneProcess.start(self.stage.at(1), self.stage.home / "lanes")
        with none_left(process):
            told = 0
            step = -(-len(self.rows) // SLICES)
            for start in range(0, len(self.rows), step):
                part = self.rows[start : start + step]
                self.tell(part)
                told += sum("01939999-" in body for _, body in part)
                for agreement in LANE:
                    until(
                        lambda a=agreement, n=told: len(arrivals.known(a)) == n,
                        f"{told} events under {agreement}",
                    )
            process.end()

    def night(self, arrivals: Arrivals) -> Outcome:
        before = {a: Counter(arrivals.all(a)) for a in LANE}
        done = night.run(self.stage.hub(1))
        assert (done.failed, done.held) == ({}, {})
        after = {a: Counter(arrivals.all(a)) for a in LANE}
        held = verify_inboxes(self.stage.hub(1), self.stage.city)
        assert {name: verdict for name, verdict in held.items() if not verdict.same} == {}
        with database.connect(self.stage.hub(1).address, autocommit=True) as connection:
            ((published,),) = connection.execute(LAST, (EVENTS,)).fetchall()
        return Outcome(state(self.stage), int(str(published)), before, after)


def state(stage: Rehearsal) -> dict[str, object]:
    """All tables that say what is, and all inboxes."""
    hub = stage.hub(1)
    found = {**contents(hub), **inboxes(stage)}
    with database.connect(hub.address, autocommit=True) as connection:
        for name, statement in TABLES.items():
            found[name] = connection.execute(statement.encode()).fetchall()
        holding: Counter[tuple[str, bytes]] = Counter()
        for agreement, entries in connection.execute(HELD).fetchall():
            text = bytes(entries)  # type: ignore[call-overload]
            for at in range(0, len(text), ENTRY):
                holding[str(agreement), text[at : at + ENTRY - 4]] += 1
        found["holding"] = holding
        found["disclosed"] = {
            (str(agreement), text[at : at + REFERENCE])
            for agreement, refs in connection.execute(TOLD).fetchall()
            for text in [bytes(refs)]  # type: ignore[call-overload]
            for at in range(0, len(text), REFERENCE)
        }
    return found


def planted(stage: Rehearsal) -> Rows:
    """The day's own rows, taken out of the agency's system again."""
    with closing(sqlite3.connect(events_of(stage))) as source, source:
        ((last,),) = source.execute("SELECT max(position) FROM rows").fetchall()
        stage.city.prepare(1)
        new = "FROM rows WHERE position > ?"
        found = source.execute(f"SELECT moment, body {new} ORDER BY position", (last,)).fetchall()
        source.execute(f"DELETE {new}", (last,))
    return found


def at_the_counter(stage: Rehearsal) -> Rows:
    """What happens to some cards, one event each millisecond, after all that is planted."""
    bodies = reports(stage, CARDS)
    found: Rows = []
    for number in range(CARDS * TIMES):
        at = (since(stage) + timedelta(milliseconds=number)).isoformat()
        body: dict[str, Any] = {
            **bodies[number % CARDS],
            "event_id": f"01939999-0000-7000-8000-{number:012x}",
            "event_seq": 1_000 + number,
            "occurred_at": at,
            "effective_at": at,
        }
        found.append((moment(at), json.dumps(body, ensure_ascii=False)))
    return found


def since(stage: Rehearsal) -> Any:
    return stage.city.now(1) - timedelta(minutes=5)


def lived(stage: Rehearsal, *, live: bool) -> Outcome:
    """The day and its night."""
    rows = sorted([*planted(stage), *at_the_counter(stage)], key=lambda row: row[0] or 0)
    life = Life(stage, rows)
    arrivals = Arrivals(stage.city.home, since(stage))
    if live:
        life.lane(arrivals)
    else:
        life.tell(rows)
    return life.night(arrivals)


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, cities: Cities
) -> Iterator[tuple[Outcome, Outcome]]:
    """With the lane, and without."""
    found = []
    for live in (True, False):
        home = tmp_path_factory.mktemp("day") / "stage"
        with cities.start(home, persons=300, seed=5, nights=1) as stage:
            own = replace(stage, environment={**stage.environment, "TMPDIR": str(home)})
            found.append(lived(own, live=live))
    yield found[0], found[1]


def test_a_day_with_the_lane_ends_as_one_without(outcomes: tuple[Outcome, Outcome]) -> None:
    ours, its = (outcome.state for outcome in outcomes)
    assert ours.keys() == its.keys()
    assert [name for name in sorted(ours) if ours[name] != its[name]] == []
    assert all(outcomes[0].after[a].keys() == outcomes[1].after[a].keys() for a in LANE)


def test_the_night_after_the_lane_finds_nothing_new(outcomes: tuple[Outcome, Outcome]) -> None:
    with_lane, without = outcomes
    assert (with_lane.published, without.published > 0) == (0, True)
    for agreement in LANE:
        assert len(with_lane.before[agreement]) == CARDS * TIMES
        assert with_lane.after[agreement] == with_lane.before[agreement]
        assert not without.before[agreement]
