"""`python -m bench.reports`: how long the stewards' reports of a city take after 13 months.

Fills the ledger of a private database with plausible counts by SQL, then writes the last month's
reports of six agencies and the bureau in a process of their own, as `onecard report` does, and
measures it. Writes the section between the markers of RESULTS.md.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from bench.arguments import parser
from bench.measure import Run, cell, run, typical
from bench.results import Limit, Section, publish
from onecard.base.settings import Settings
from onecard.store import database, migrate
from quality.privacy import registry as privacy
from schemas.models import catalogue, codes
from schemas.models.catalogue import Catalogue
from tests import ledger_history

FIRST, LAST, MONTH = "2025-10-01", "2026-10-31", "2026-10"
NOW = "2026-10-31T23:30:00+08:00"
EVENT = "hrss/card_status_event"
SECONDS, MEGABYTES = 60.0, 1024.0


def main() -> None:
    """Entry point."""
    options = parser(__doc__).parse_args()
    with filled(options.home / "reports") as (environment, size):
        command = [str(Path(sys.executable).with_name("onecard")), "report", "--month", MONTH]
        done = []
        for _ in range(options.rounds):
            address = environment["ONECARD_DATABASE_URL"]
            done.append(run(command, environment=environment, server=address))
            print(f"{done[-1].seconds:.1f} s, {done[-1].megabytes:.0f} MB", flush=True)
    publish(options, section(size, done))


@contextmanager
def filled(home: Path, first: str = FIRST) -> Iterator[tuple[dict[str, str], dict[str, int]]]:
    """A hub with 13 months behind it: its environment, and rows by table.

    Args:
        home: of the hub.
        first: day of the history.
    """
    home.mkdir(parents=True, exist_ok=True)
    settings = Settings(home=home, keys_file=home / "keys.json")
    base = os.environ.get("ONECARD_BENCH_POSTGRES") or database.url(settings)
    name = f"bench_reports_{secrets.token_hex(3)}"
    address = database.create_database(base, name)
    try:
        migrate.upgrade(address)
        started = time.perf_counter()
        size = fill(address, catalogue.load(), first)
        print(f"{size} in {time.perf_counter() - started:.0f} s", flush=True)
        yield (
            {
                "ONECARD_HOME": str(home),
                "ONECARD_DATABASE_URL": address,
                "ONECARD_PROFILE": "demo",
                "ONECARD_NOW": NOW,
            },
            size,
        )
    finally:
        database.drop_database(base, name)
        if base == os.environ.get("ONECARD_BENCH_POSTGRES"):
            shutil.rmtree(home, ignore_errors=True)


def fill(address: str, known: Catalogue, first: str = FIRST) -> dict[str, int]:
    """Write the history; returns rows by table.

    Args:
        address: of the hub's database.
        known: contracts and agreements.
        first: day of the history.
    """
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET work_mem = '256MB'")
        _lists(connection, known)
        return ledger_history.fill(connection, {**_values(known), "first": first})


def _values(known: Catalogue) -> dict[str, object]:
    served = [a for a in known.agreements.values() if a.delivered]
    return {
        "first": FIRST,
        "last": LAST,
        "lane_from": "2026-09-01T00:00:00+08:00",
        "event": EVENT,
        "datasets": sorted(known.contracts),
        "events": [a.id for a in served if a.dataset == EVENT],
        "cards": [a.id for a in served if a.dataset == EVENT],
        "batch": [a.id for a in served if a.dataset != EVENT],
        "counties": list(codes.codes("division_zz")),
        "rules": list(privacy.texts()),
    }


def _lists(connection: psycopg.Connection[tuple[object, ...]], known: Catalogue) -> None:
    """The rules that rows may break and the expectations, of every contract."""
    connection.execute(
        "CREATE TEMP TABLE rules (dataset text, field text, rule text, severity text, n int)"
    )
    connection.execute("CREATE TEMP TABLE findings (dataset text, name text, severity text, n int)")
    rules: list[tuple[str, str, str, str, int]] = []
    findings: list[tuple[str, str, str, int]] = []
    for contract in known.contracts.values():
        built_in = [(f.name, r) for f in contract.fields for r in ("type", "required")]
        own = [("", r.name) for r in contract.rules]
        for field, rule in built_in + own:
            rules.append((contract.id, field, rule, "error", len(rules)))
        for expectation in contract.expectations:
            findings.append((contract.id, expectation.name, "warning", len(findings)))
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO rules VALUES (%s, %s, %s, %s, %s)", rules)
        cursor.executemany("INSERT INTO findings VALUES (%s, %s, %s, %s)", findings)


def section(size: dict[str, int], done: list[Run]) -> Section:
    """The section of RESULTS.md."""
    used = typical(done)
    peak = max(r.megabytes for r in done)
    rows = ", ".join(f"{n:,} of {table}" for table, n in size.items())
    return Section(
        name="stewards' reports",
        title="Stewards' reports",
        module="reports",
        about=(
            f"`onecard report --month {MONTH}`: monthly pages of six agencies and the bureau in two"
            " languages and their workbooks, after 13 months of nightly transfers and of the event"
            " lane (collected every minute; delivered to seven consumers every minute from 06:00 to"
            f" 22:00). Rows in the ledger: {rows} (privacy results of the lane: of its last two"
            f" months). Whole process, start included; median of {len(done)}, highest peak of the"
            " process."
        ),
        columns=("what", "seconds", "CPU client", "CPU server", "peak MB"),
        rows=[
            (
                f"`onecard report --month {MONTH}`",
                *(cell(figure) for figure in (used.seconds, used.client, used.server)),
                cell(peak, 0),
            )
        ],
        limits=[Limit("seconds", SECONDS, used.seconds), Limit("peak memory, MB", MEGABYTES, peak)],
    )


if __name__ == "__main__":
    main()
