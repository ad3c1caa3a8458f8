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

import argparse
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench import results
from bench.__main__ import copy_pipe
from bench.measure import Run, machine, run
from bench.night_rows import CITY, rows
from bench.world import HOME, world
from demo.calendar import Day
from demo.planting import Planter
from demo.rehearsal import Rehearsal, start
from demo.run import TYPED
from demo.systems import Systems
from demo.world import World

SEED = 1
BYTES = 4_000
"""Room that a resident takes at most: agencies, registry, inboxes, write-ahead log."""
LIMIT_S, OF_COPY_S = 600.0, 2.4
"""The limit, on a machine that copies 2 million cards in so many seconds."""
COPIED = 2_000_000
GROWS, FEWEST_S = 1.3, 1.0
"""A part grows with the city if it takes so many times as long in one twice as large, and longer."""


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--residents", type=int, default=CITY)
    parser.add_argument("--share", type=float, default=1.0, help="of the city's nightly rows")
    parser.add_argument(
        "--fit", action="store_true", help="the largest city that there is room for"
    )
    parser.add_argument("--home", type=Path, default=HOME, help="of servers and files")
    parser.add_argument("--results", type=Path, default=results.FILE)
    options = parser.parse_args()
    options.home.mkdir(parents=True, exist_ok=True)
    residents = fitting(options.residents, options.home, fit=options.fit)
    copy = copied(options.home / "hub", min(COPIED, residents))
    nights = []
    for number in (residents // 2, residents):
        nights.append(of_city(options.home / "night", number, options.share))
        text = section(nights, options.share, copy)
        results.put(options.results, "the city's night", text)
    print(text)


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


def copied(home: Path, rows: int) -> float:
    """Seconds of COPY | COPY of two million cards; of fewer, in proportion."""
    with world(home, rows) as w:
        times = []
        for _ in range(3):
            w.empty_target()
            times.append(run(*copy_pipe(w)).seconds)
    return sorted(times)[1] * COPIED / rows


def of_city(home: Path, residents: int, share: float) -> Night:
    """Fill a city and its registry, and run a night."""
    base, began = os.environ.get("ONECARD_BENCH_POSTGRES"), time.perf_counter()
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
                process = nightly(stage, 1)
                told(f"the night: {process.seconds:.1f} s, {process.megabytes:.0f} MB", began)
                connection.execute("SELECT pg_stat_force_next_flush()")
                return Night(residents, *ledger(connection, process))
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
    return run(["sh", "-c", f"{command} || test $? -eq 3"], environment=stage.at(day))


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
    connection: psycopg.Connection[tuple[object, ...]], process: Run
) -> tuple[int, Run, dict[str, float], dict[str, tuple[int, int]]]:
    """What the ledger and PostgreSQL's statistics say of the night just run."""
    transfers = connection.execute(
        "SELECT subject, rows_read, extract(epoch FROM finished_at - started_at)::float8"
        " FROM ledger.transfer WHERE hub_time > (SELECT min(hub_time) FROM ledger.transfer)"
        " AND finished_at IS NOT NULL ORDER BY id"
    ).fetchall()
    tables = connection.execute(
        "SELECT s.schemaname || '.' || s.relname, s.seq_tup_read, greatest(c.reltuples, 0)::bigint"
        " FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid"
        " WHERE s.seq_tup_read > 0 AND c.reltuples > 0"
    ).fetchall()
    parts = {str(s): float(str(seconds)) for s, _, seconds in transfers}
    scanned = {str(t): (int(str(read)), int(str(held))) for t, read, held in tables}
    return sum(int(str(n)) for _, n, _ in transfers), process, parts, scanned


def section(nights: list[Night], share: float, copy: float) -> str:
    """The section of RESULTS.md."""
    last, first = nights[-1], nights[0]
    limit = LIMIT_S * copy / OF_COPY_S
    holds = "yes" if last.process.seconds <= limit else "no"
    part = "a night" if share == 1.0 else f"{share:.2%} of a night"
    return "\n".join(
        [
            "## The city's night",
            "",
            f"Machine: {machine()}, load {os.getloadavg()[0]:.1f} when it ended. {last.residents:,}"
            f" residents, all collected and delivered before; {part} of a city of {CITY:,}:"
            f" {last.rows:,} rows read. `onecard nightly` as one process: collects, deliveries,"
            " reports, with Great Expectations. The same night with half as many residents beside"
            " it. Made by `python -m bench.night`.",
            "",
            "| limit | allowed | measured | holds |",
            "|---|---:|---:|---|",
            f"| seconds ({LIMIT_S:.0f} where COPY \\| COPY of 2 M cards takes {OF_COPY_S} s; here it"
            f" takes {copy:.1f} s) | {limit:.0f} | {last.process.seconds:.0f} | {holds} |",
            f"| peak memory, MB | | {last.process.megabytes:.0f} | |",
            "",
            *_parts(first, last),
            "",
            *_tables(first, last),
        ]
    )


def _parts(first: Night, last: Night) -> list[str]:
    """Seconds of each part in both cities."""
    lines = [
        f"| part | {first.residents:,} residents, s | {last.residents:,} residents, s | ratio |",
        "|---|---:|---:|---:|",
    ]
    both = [(name, first.parts.get(name, 0.0), s) for name, s in last.parts.items()]
    both.append(("start, corrections, reports", first.rest, last.rest))
    both.append(("**whole night**", first.process.seconds, last.process.seconds))
    for name, before, after in both:
        ratio = after / before if before else 1.0
        mark = " (grows)" if ratio > GROWS and after > FEWEST_S else ""
        lines.append(f"| {name} | {before:.2f} | {after:.2f} | {ratio:.2f}{mark} |")
    return lines


def _tables(first: Night, last: Night) -> list[str]:
    """Tables of which the larger city's night read more rows one after the other."""
    lines = [
        "Rows read one after the other, where twice the residents make them half as many again:",
        "",
        "| table | holds | read | with half the residents |",
        "|---|---:|---:|---:|",
    ]
    for table, (read, held) in sorted(last.scanned.items()):
        before, _ = first.scanned.get(table, (0, 0))
        if read > max(1000, 1.5 * before):
            lines.append(f"| {table} | {held:,} | {read:,} | {before:,} |")
    return lines if len(lines) > 4 else ["No table was read by more rows in the larger city."]


if __name__ == "__main__":
    main()
