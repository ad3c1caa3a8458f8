"""`python -m bench.ledger`: what a day of the live lane adds to the ledger, and thirteen months of it.

Batches of card events are collected and delivered to all seven consumers by the product itself, in
a small city, and the bytes that they add to each table are counted: as they are written, and when
housekeeping has folded them. What a batch adds is the difference between a day and a later one with
five times as many batches; what a day adds beside its batches is counted once: the pages that a
table begins with, and lines that each day has, would else be multiplied with the day. A day has
50,000 events; how many batches that makes is what counts, so both ends are shown. Then thirteen
months of such days are copied out of the folded one, and what people and deliveries ask of them is
timed. Writes the section between the markers of RESULTS.md.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg

from bench.arguments import parser
from bench.live_counter import Counter
from bench.measure import cell
from bench.results import Limit, Section, publish
from bench.statements import statements
from demo.rehearsal import Rehearsal, start
from onecard.app.wiring import Hub
from onecard.live.signing import LaneSigning
from onecard.operations import attention, night
from onecard.operations.housekeeping import keep_house
from onecard.store import (
    card_losses,
    database,
    deliveries,
    disclosures,
    folding,
    receipts,
    report_frames,
    transfer_history,
    transfer_lookup,
)
from onecard.store.card_losses import Loss, StatusTable
from onecard.store.report_frames import Span
from onecard.store.retention import FOLDED_AFTER

EVENTS = "hrss/card_status_event"
A_DAY, DAYS = 50_000, 395
LIMIT_MB, LIMIT_S = 50.0, 1.0
SIZES = (
    "SELECT coalesce(i.inhparent, c.oid)::regclass::text AS name,"
    " sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c JOIN pg_namespace n"
    " ON n.oid = c.relnamespace LEFT JOIN pg_inherits i ON i.inhrelid = c.oid"
    " WHERE n.nspname = 'ledger' AND c.relkind = 'r' GROUP BY 1"
)
APART = 1_000_000_000
"""So far from those of the next day are a day's ids of transfers."""
PACKS = 5
"""Packs of a thousand transfers that a day of ten events a batch has, of each subject."""
OLDEST_PACK = "oldest pack"
FIRST, MORE = 10, 5
"""Batches of a day that is not measured, and how many times more the second measured day has."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How the events of a day come.

    Attributes:
        events: in each batch.
        batches: of the first measured day; the second one has `MORE` times as many.
    """

    events: int
    batches: int

    @property
    def a_day(self) -> float:
        """Batches of a whole day."""
        return A_DAY / self.events


@dataclass(frozen=True, slots=True)
class Day:
    """Bytes that the batches of one day added to each table.

    Attributes:
        written: as they stood before they were folded.
        kept: after.
    """

    transfers: int
    written: dict[str, int]
    kept: dict[str, int]


@dataclass(frozen=True, slots=True)
class Grown:
    """Megabytes that a whole day of a shape adds to each table."""

    shape: Shape
    transfers: float
    written: dict[str, float]
    kept: dict[str, float]


def main() -> None:
    """Entry point."""
    words = parser(__doc__, rounds=None)
    words.add_argument(
        "--batches", type=int, default=60, help="of a day; a later one has five times as many"
    )
    words.add_argument("--days", type=int, default=DAYS, help="of history")
    options = words.parse_args()
    given = os.environ.get("ONECARD_BENCH_POSTGRES")
    home = options.home / "ledger"
    # Of a day the twenty that stay are nothing; of some batches they would be much.
    folding.NEWEST, folding.LEAST = 1, 2
    shapes = [Shape(size, options.batches) for size in (10, 1)]
    with start(home, persons=600, seed=1, postgres=given) as stage:
        night.run(stage.hub(0))
        source, first = events(stage), itertools.count(0, FOLDED_AFTER.days + 1)
        # The days that history is copied from come last.
        grown = [grow(stage, source, shape, first) for shape in reversed(shapes)][::-1]
        asked = ask(stage, options.days, MORE * options.batches, next(first))
    publish(options, section(grown, asked, options.days))


def events(stage: Rehearsal) -> Iterator[None]:
    """Each step plants one event at the source, of another card each time."""
    counter, begun = Counter.of(stage), stage.city.now(0) - timedelta(minutes=5)
    for number in itertools.count():
        counter.store(1, begun + timedelta(milliseconds=number))
        yield


def grow(stage: Rehearsal, source: Iterator[None], shape: Shape, days: Iterator[int]) -> Grown:
    """Run a shape's batches on three days of the city, the first to begin with, and compare.

    Args:
        stage: the city.
        source: plants an event at each step.
        shape: of the batches.
        days: of the city, each so late that what lies before it is folded.
    """
    few, some, many = (
        lived(stage, source, Shape(shape.events, number), next(days))
        for number in (FIRST, shape.batches, MORE * shape.batches)
    )
    print(f"{shape}: {few.transfers}, {some.transfers}, {many.transfers} transfers", flush=True)
    grown = Grown(
        shape,
        (many.transfers - some.transfers) / ((MORE - 1) * shape.batches) * shape.a_day,
        of_a_day(shape, some.written, many.written),
        of_a_day(shape, some.kept, many.kept),
    )
    print(f"MB a day, written: {grown.written}\nkept: {grown.kept}", flush=True)
    return grown


def of_a_day(shape: Shape, some: dict[str, int], many: dict[str, int]) -> dict[str, float]:
    """Megabytes of a whole day by table: what its batches add, and what it has beside them."""
    found = {}
    for name in sorted(many):
        batch = (many[name] - some.get(name, 0)) / ((MORE - 1) * shape.batches)
        beside = some.get(name, 0) - batch * shape.batches
        found[name] = (batch * shape.a_day + max(0.0, beside)) / 1e6
    return found


def lived(stage: Rehearsal, source: Iterator[None], shape: Shape, day: int) -> Day:
    """Run batches on a day of the city, fold them, and measure both."""
    signing = LaneSigning(stage.environment["ONECARD_DATABASE_URL"])
    hub = stage.hub(day).signing(signing.later)
    card_flows = [
        a.id
        for a in hub.catalogue.agreements.values()
        if a.served and a.mode == "event" and a.dataset == EVENTS
    ]
    run(hub, card_flows, signing)  # what the day before left is no part of it
    before, first = sizes(hub), newest(hub)
    for _ in range(shape.batches):
        for _ in range(shape.events):
            next(source)
        run(hub, card_flows, signing)
    written, made = sizes(hub, whole=False), newest(hub) - first
    done = keep_house(stage.hub(day + FOLDED_AFTER.days + 1))
    done.check()
    return Day(made, added(before, written), added(before, sizes(hub)))


def run(hub: Hub, card_flows: list[str], signing: LaneSigning) -> None:
    """One batch, as the lane would take it; a beat falls among its transfers and one behind them."""
    hub.collect(EVENTS).run()
    signing.beat()
    for agreement in card_flows:
        hub.deliver(agreement).run()
    signing.beat()


def newest(hub: Hub) -> int:
    with database.connect(hub.address, autocommit=True) as connection:
        return transfer_lookup.newest(connection)


def sizes(hub: Hub, *, whole: bool = True) -> dict[str, int]:
    """Bytes of each table of the ledger with its indexes; `whole`: without room that is free."""
    with psycopg.connect(hub.address, autocommit=True) as connection:
        if whole:
            connection.execute("VACUUM FULL")
        return {str(name): int(size) for name, size in connection.execute(SIZES).fetchall()}


def added(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Bytes by table that came since."""
    return {n: after[n] - before.get(n, 0) for n in after}


def ask(stage: Rehearsal, days: int, batches: int, today: int) -> dict[str, float]:
    """Seconds of what is asked of so many days of history, made of so many batches.

    Args:
        stage: the city.
        days: of history.
        batches: of the folded day that they repeat.
        today: of the city.
    """
    hub = stage.hub(today)
    with psycopg.connect(hub.address, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        given = {"days": days, "packs": PACKS, "batches": batches, "apart": APART}
        for name, statement in statements("thirteen_months").items():
            if name != OLDEST_PACK:
                connection.execute(statement, given)
        connection.execute("VACUUM ANALYZE")
    with database.connect(hub.address, autocommit=True) as connection:
        return {name: timed(look) for name, look in looks(hub, connection).items()}


def timed(look: Callable[[], object]) -> float:
    """The quicker of two: what counts is the ledger, not the first read of a disk."""
    taken = []
    for _ in range(2):
        began = time.perf_counter()
        look()
        taken.append(time.perf_counter() - began)
    return min(taken)


def looks(hub: Hub, connection: database.Connection) -> dict[str, Callable[[], object]]:
    """What is asked, by its name on the page."""
    now = hub.settings.now()
    agreement = next(a for a in hub.catalogue.agreements.values() if a.dataset == EVENTS)
    month = Span(now.replace(day=1, hour=0), now)
    year = Span(now - timedelta(days=400), now)
    keys = hub.keys.token_epochs(agreement.consumer)
    (person,) = database.scalars(
        connection, str, "SELECT person_id18 FROM registry.hrss__card_master LIMIT 1"
    )
    digests = [hub.suite.digests(k.secret, [person])[0] for k in keys]
    ((old,),) = connection.execute(statements("thirteen_months")[OLDEST_PACK]).fetchall()
    there = [
        str(delivery)
        for (delivery,) in connection.execute(statements("ledger")["deliveries"], (agreement.id,))
    ]
    frames = [n for n in report_frames.FRAMES if n not in ("collects", "rules", "tickets")]
    table = StatusTable(EVENTS, "hrss__card_status_event")
    losses = Loss(("08",), 60)

    def of_month() -> list[Any]:
        return [report_frames.frame(connection, name, month) for name in frames]

    return {
        "`onecard status`: newest transfers": lambda: transfer_history.latest(connection),
        "`onecard status`: what needs a person": lambda: attention.issues(connection, hub),
        "reports: collects of thirteen months": lambda: report_frames.frame(
            connection, "collects", year
        ),
        "reports: all other figures of a month": of_month,
        "report, section four: losses of a month at one consumer": lambda: card_losses.counts(
            connection, agreement.id, table, losses, month
        ),
        "a receipt of thirteen months ago": lambda: receipts.load(connection, int(str(old))),
        "one person's disclosures at one consumer": lambda: disclosures.of_person(
            connection, [agreement.id], digests
        ),
        "each delivery: last lapsed, overdue erasures": lambda: (
            deliveries.last_lapsed(connection, agreement.id, now),
            receipts.overdue_erasures(connection, agreement.id, now - timedelta(days=91)),
        ),
        f"an inbox's reconciliation: what was sent of {len(there)} deliveries in a folder": (
            lambda: deliveries.sendings(connection, agreement.id, now, there)
        ),
    }


def section(grown: list[Grown], asked: dict[str, float], days: int) -> Section:
    """The section of RESULTS.md."""
    names = sorted({n for g in grown for n in g.written if g.written[n] + g.kept[n] > 0.05})
    rows = [
        (
            name.removeprefix("ledger."),
            *(cell(figure[name], 1) for g in grown for figure in (g.written, g.kept)),
        )
        for name in names
    ]
    total = [sum(figure.values()) for g in grown for figure in (g.written, g.kept)]
    rows.append(("all tables of the ledger", *(cell(t, 1) for t in total)))
    many = grown[0]
    counts = ", ".join(
        f"{g.transfers:,.0f} transfers where a batch has {g.shape.events}" for g in grown
    )
    slowest = max(asked.values())
    timed_rows = "; ".join(f"{name} {seconds:.2f} s" for name, seconds in asked.items())
    return Section(
        name="the live lane's ledger",
        title="The live lane's ledger",
        module="ledger",
        about=(
            f"Megabytes that a day of {A_DAY:,} card events adds to the ledger, tables with their"
            f" indexes; a collect for each batch and a delivery to each of seven consumers whom it"
            f" concerns: {counts}. What a batch adds is the difference between a day of"
            f" {many.shape.batches} batches and a later one of {MORE * many.shape.batches}; what a day"
            " has beside its batches is added once. The audit log is signed twice a batch. Written:"
            f" as it stands for {FOLDED_AFTER.days} whole days; kept: after `onecard housekeeping`"
            " has folded it."
        ),
        columns=("table", "10 a batch: written", "kept", "1 a batch: written", "kept"),
        rows=rows,
        limits=[
            Limit("kept of a day, 10 a batch, MB", LIMIT_MB, total[1]),
            Limit("kept of a day, 1 a batch, MB", LIMIT_MB, total[3]),
            Limit(f"slowest question to {days} days, s", LIMIT_S, slowest),
        ],
        notes=[f"Asked of {days} days of 10 a batch: {timed_rows}."],
    )


if __name__ == "__main__":
    main()
