"""`python -m bench.night`: one night of a city of 13 million, and what of it grows with the city.

Makes two cities, one with half the residents of the other; each is collected and delivered once by
the product itself (that is the full registry). Then the agencies' systems get the same night's rows
(`bench.night_rows`), and `onecard nightly` runs: collects, deliveries, reports. Of both nights the
seconds of each part, by the ledger, and the rows that were read one after the other of each table.
Writes the section between the markers of RESULTS.md.

It needs room for the larger city, says how much before it begins, and begins only where there is as
much; with `--fit` it takes the largest city that there is room for. Everything goes at the end.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench import floor
from bench.arguments import parser
from bench.measure import Run, cell, run
from bench.night_rows import CITY, rows
from bench.results import Limit, Section, publish
from bench.server import running
from demo.calendar import Day
from demo.planting import Planter
from demo.rehearsal import Rehearsal, start
from demo.run import TYPED
from demo.systems import Systems
from demo.world import World
from onecard.store import transfer_history, transfer_lookup

SEED = 1
BYTES = 4_000
"""Room that a resident takes at most: agencies, registry, inboxes, write-ahead log."""
LIMIT_S, OF_COPY_S = 600.0, 2.4
"""The limit, on a machine that copies 2 million cards in so many seconds."""
GROWS, FEWEST_S = 1.3, 1.0
"""A part grows with the city if it takes so many times as long in one twice as large, and longer
than so many seconds."""


@dataclass(frozen=True, slots=True)
class Night:
    """One night.

    Attributes:
        residents: of the city.
        rows: that were read.
        process: of `onecard nightly`.
        parts: seconds by dataset or agreement.
        scanned: by table, rows read one after the other, and rows that it holds.
    """

    residents: int
    rows: int
    process: Run
    parts: Mapping[str, float]
    scanned: Mapping[str, tuple[int, int]]

    @property
    def rest(self) -> float:
        """Seconds of what is no transfer: start, corrections, reports."""
        return self.process.seconds - sum(self.parts.values())


def main() -> None:
    """Entry point."""
    words = parser(__doc__, rounds=None)
    words.add_argument("--residents", type=int, default=CITY)
    words.add_argument("--share", type=float, default=1.0, help="of the city's nightly rows")
    words.add_argument("--fit", action="store_true", help="the largest city that there is room for")
    options = words.parse_args()
    options.home.mkdir(parents=True, exist_ok=True)
    residents = fitting(options.residents, options.home, fit=options.fit)
    with running(options.home) as base:
        copy = floor.today(options.home, min(floor.FULL, residents))
        half, whole = (
            of_city(options.home / "night", base, number, options.share)
            for number in (residents // 2, residents)
        )
    options.rows = copy.rows
    publish(options, section(half, whole, options.share, copy))


def fitting(residents: int, home: Path, *, fit: bool) -> int:
    """How many residents there is room for.

    Raises:
        SystemExit: fewer than are wanted, and that was not allowed.
    """
    free = shutil.disk_usage(home).free
    need, room = residents * BYTES, free // BYTES
    print(f"room: {need / 1e9:.0f} GB wanted, {free / 1e9:.0f} GB free below {home}", flush=True)
    if need <= free:
        return residents
    if fit:
        print(f"{room:,} residents instead of {residents:,}", flush=True)
        return int(room)
    msg = f"there is room for {room:,} residents: --residents {room}, or --fit"
    raise SystemExit(msg)


def of_city(home: Path, base: str, residents: int, share: float) -> Night:
    """Fill a city and its registry on a server, and run a night."""
    began = time.perf_counter()
    try:
        with start(home, persons=residents, seed=SEED, postgres=base) as stage:
            told(f"{residents:,} residents, their agencies' systems", began)
            first = nightly(stage, 0)
            told(f"first night, {first.megabytes:.0f} MB", began)
            with psycopg.connect(hub_of(stage), autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
                written = happen(stage, share)
                told(f"{written:,} rows of the next day", began)
                connection.execute("SELECT pg_stat_reset()")
                before = transfer_lookup.newest(connection)
                process = nightly(stage, 1)
                told(f"the night: {process.seconds:.1f} s, {process.megabytes:.0f} MB", began)
                connection.execute("SELECT pg_stat_force_next_flush()")
                return Night(residents, *ledger(connection, before, process))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def told(what: str, began: float) -> None:
    """Say how far it is."""
    print(f"  {time.perf_counter() - began:7.0f} s  {what}", flush=True)


def hub_of(stage: Rehearsal) -> str:
    """Address of the hub's database."""
    return stage.environment["ONECARD_DATABASE_URL"]


def nightly(stage: Rehearsal, day: int) -> Run:
    """`onecard nightly`, whole; what waits for a person (exit code 3) is no failure."""
    command = f"{Path(sys.executable).with_name('onecard')} nightly"
    shell = ["sh", "-c", f"{command} || test $? -eq 3"]
    return run(shell, environment=stage.at(day), server=hub_of(stage))


def happen(stage: Rehearsal, share: float) -> int:
    """Write a night's rows into the agencies' systems; returns how many."""
    city = stage.city
    housing = os.environ.get("ONECARD_DEMO_MARIADB") or f"sqlite:///{city.home}/housing_fund.sqlite"
    systems = Systems(city.home, city.postgres_url, housing)
    people, written = World(city.seed, city.persons), 0
    for dataset, contract in sorted(city.catalogue.contracts.items()):
        as_text = contract.source.connection not in TYPED
        planter = Planter(contract, city.seed, 1, as_text=as_text)
        frames = rows(people, dataset, share)
        written += systems.write(contract, planter, frames, Day(1)).rows
    return written


def ledger(
    connection: psycopg.Connection[tuple[object, ...]], before: int, process: Run
) -> tuple[int, Run, dict[str, float], dict[str, tuple[int, int]]]:
    """What the ledger and PostgreSQL's statistics say of the night just run.

    Args:
        connection: of the hub's database.
        before: id of the newest transfer before it.
        process: of the night.
    """
    ended = [t for t in transfer_history.since(connection, before) if t.finished_at]
    tables = connection.execute(
        "SELECT s.schemaname || '.' || s.relname, s.seq_tup_read, greatest(c.reltuples, 0)::bigint"
        " FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid"
        " WHERE s.seq_tup_read > 0 AND c.reltuples > 0"
    ).fetchall()
    parts = {t.subject: t.seconds for t in ended}
    scanned = {str(t): (int(str(read)), int(str(held))) for t, read, held in tables}
    return sum(t.counts.rows_read for t in ended), process, parts, scanned


def section(half: Night, whole: Night, share: float, copy: floor.Floor) -> Section:
    """The section of RESULTS.md."""
    full = LIMIT_S * copy.bare * floor.FULL / copy.rows / OF_COPY_S
    part = "a night" if share == 1.0 else f"{share:.2%} of a night"
    about = (
        f"{whole.residents:,} residents, all collected and delivered before; {part} of a city of"
        f" {CITY:,}: {whole.rows:,} rows read. `onecard nightly` as one process: collects,"
        " deliveries, reports, with Great Expectations. Beside it the same night with half as many"
        f" residents. Peak memory {half.process.megabytes:.0f} and {whole.process.megabytes:.0f}"
        f" MB. The limit is {LIMIT_S:.0f} s where COPY | COPY of 2 million cards takes"
        f" {OF_COPY_S} s, and in proportion elsewhere."
    )
    return Section(
        "the city's night",
        "The city's night",
        "night",
        about,
        ("part", f"{half.residents:,} residents, s", f"{whole.residents:,} residents, s", "ratio"),
        _parts(half, whole),
        limits=(Limit("the night, seconds", full, whole.process.seconds),),
        notes=_tables(half, whole),
    )


def _parts(half: Night, whole: Night) -> list[tuple[str, ...]]:
    """Seconds of each part in both cities."""
    both = [(name, half.parts.get(name, 0.0), s) for name, s in whole.parts.items()]
    both.append(("start, corrections, reports", half.rest, whole.rest))
    both.append(("**whole night**", half.process.seconds, whole.process.seconds))
    both.append(("**whole night, CPU seconds**", half.process.cpu, whole.process.cpu))
    lines: list[tuple[str, ...]] = []
    for name, before, after in both:
        ratio = after / before if before else 1.0
        mark = " (grows)" if ratio > GROWS and after > FEWEST_S else ""
        lines.append((name, cell(before), cell(after), f"{ratio:.2f}{mark}"))
    return lines


def _tables(half: Night, whole: Night) -> tuple[str, ...]:
    """What is said of tables of which the larger city's night read more rows whole."""
    found = []
    for table, (read, held) in sorted(whole.scanned.items()):
        before, _ = half.scanned.get(table, (0, 0))
        if read > max(1000, 1.5 * before):
            found.append(f"{table} {read:,} of {held:,} (with half the residents {before:,})")
    if not found:
        return ("No table was read by more rows in the larger city.",)
    return (
        "Rows read one after the other, where twice the residents make them half as many again: "
        + "; ".join(found)
        + ". What may grow says docs/scale.md.",
    )


if __name__ == "__main__":
    main()
