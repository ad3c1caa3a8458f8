"""`python -m bench.reports`: how long the stewards' reports of a city take after 13 months.

Fills the ledger of a private database with plausible counts by SQL, then writes the last month's
reports of six agencies and the bureau in a process of their own, as `onecard report` does, and
measures it. Writes the section between the markers of RESULTS.md.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psycopg

from bench import results
from bench.measure import Run, machine, run
from bench.world import HOME
from onecard.base.settings import Settings
from onecard.store import database, migrate
from quality.privacy import registry as privacy
from schemas.models import catalogue, codes
from schemas.models.catalogue import Catalogue

FIRST, LAST, MONTH = "2025-10-01", "2026-10-31", "2026-10"
NOW = "2026-10-31T23:30:00+08:00"
EVENT = "hrss/card_status_event"
SECONDS, MEGABYTES = 60.0, 1024.0

_NIGHTS = (
    "INSERT INTO history SELECT d + interval '2 hours', 'collect', s,"
    " CASE WHEN (d::date - DATE '2025-10-01' + length(s)) %% 97 = 0 THEN 'failed' ELSE 'published'"
    " END, 2000 + 37 * length(s), 12, true FROM generate_series(%(first)s::timestamp, %(last)s,"
    " '1 day') d, unnest(%(datasets)s::text[]) s"
)
_LANE = (
    "INSERT INTO history SELECT d, 'collect', %(event)s, 'published', 5, 0.4, false"
    " FROM generate_series(%(first)s::timestamp, %(last)s::timestamp + interval '1439 minutes',"
    " '1 minute') d"
)
_SENT = (
    "INSERT INTO history SELECT d + interval '3 hours', 'deliver', a, 'confirmed', 900, 3, true"
    " FROM generate_series(%(first)s::timestamp, %(last)s, '1 day') d,"
    " unnest(%(batch)s::text[]) a"
)
_SENT_EVENTS = (
    "INSERT INTO history SELECT d + interval '20 seconds', 'deliver', a, CASE WHEN"
    " extract(epoch FROM d)::bigint %% 7177 = 0 THEN 'failed' ELSE 'confirmed' END, 7, 0.6, false"
    " FROM generate_series(%(first)s::timestamp, %(last)s::timestamp + interval '1439 minutes',"
    " '1 minute') d, unnest(%(events)s::text[]) a WHERE extract(hour FROM d) BETWEEN 6 AND 21"
)
_TRANSFERS = (
    "INSERT INTO ledger.transfer (direction, subject, status, policy_version, started_at,"
    " finished_at, hub_time, rows_read, published, quarantined, version, sent_rows)"
    " SELECT direction, subject, status, '1.0.0', at, at + make_interval(secs => seconds +"
    " (random() * seconds)), at, n, n - n / 500, n / 500,"
    " (at::date - DATE '2025-10-01') * 1440 + extract(hour FROM at) * 60 + extract(minute FROM at),"
    " n FROM (SELECT at AT TIME ZONE 'Asia/Shanghai' AS at, direction, subject, status, seconds,"
    " CASE WHEN status = 'failed' THEN 0 ELSE n END AS n FROM history) h ORDER BY at"
)
_NIGHTLY = (
    "CREATE TEMP TABLE nightly AS SELECT id, direction, subject FROM ledger.transfer t"
    " WHERE extract(hour FROM hub_time AT TIME ZONE 'Asia/Shanghai') IN (2, 3)"
    " AND (direction = 'collect' AND subject <> %(event)s OR subject = ANY(%(batch)s))"
    " AND status <> 'failed'"
)
_PARTS = (
    "INSERT INTO ledger.rule_count SELECT id, f.field, f.rule, f.severity, 1 + (id + f.n) %% 5"
    " FROM nightly JOIN rules f ON f.dataset = subject WHERE (id + f.n) %% 3 = 0",
    "INSERT INTO ledger.finding SELECT id, f.name, f.severity, (id + f.n) %% 41 <> 0, 0.99, ''"
    " FROM nightly JOIN findings f ON f.dataset = subject",
    "INSERT INTO ledger.county_count SELECT id, c, 100 + id %% 40, id %% 3 FROM nightly,"
    " unnest(%(counties)s::text[]) c WHERE direction = 'collect'",
    "INSERT INTO ledger.privacy_result SELECT id, r, 'block', 'passed', 900, 0, '' FROM nightly,"
    " unnest(%(rules)s::text[]) r WHERE direction = 'deliver'",
    # Of the lane, results of the last two months: reports compare a month with the one before.
    "INSERT INTO ledger.privacy_result SELECT id, r, 'warn', 'passed', 7, 0, ''"
    " FROM ledger.transfer, unnest(%(rules)s::text[]) r WHERE direction = 'deliver'"
    " AND subject = ANY(%(events)s) AND hub_time >= %(lane_from)s",
    "INSERT INTO ledger.receipt SELECT id, CAST(jsonb_build_object('rows', sent_rows, 'versions',"
    " jsonb_build_object(%(event)s::text, version)) AS text), 'international', '2026', ''"
    " FROM ledger.transfer WHERE direction = 'deliver' AND status = 'confirmed'",
    "INSERT INTO quarantine.record (dataset, fingerprint, origin, row_number, reasons, payload,"
    " key_epoch, first_transfer, last_transfer) SELECT subject, decode(md5(id::text || n), 'hex'),"
    " 'night', n, jsonb_build_array(jsonb_build_array('', 'required')), '', '2026', id, id"
    " FROM nightly, generate_series(1, 12) n WHERE direction = 'collect'",
    "INSERT INTO ledger.dataset (dataset, version) SELECT unnest(%(datasets)s::text[]), 1",
    "INSERT INTO ledger.ticket (agency, opened_for, opened_by, kind, dataset, rule, statement,"
    " opened_at, due_on, clock) SELECT split_part(d, '/', 1), 'bureau', 'bench', 'finding', d,"
    " 'required', '-', %(first)s::timestamptz + n * interval '285 minutes',"
    " (%(first)s::timestamptz + n * interval '285 minutes' + interval '7 days')::date, 'holidays'"
    " FROM generate_series(1, 2000) n, LATERAL (SELECT (%(datasets)s::text[])[1 + n %% 17]) x(d)",
    "CREATE TABLE registry.hrss__card_status_event AS SELECT v AS _version,"
    " CASE WHEN (v + k) %% 3 = 0 THEN '06' ELSE '03' END AS event_type,"
    " %(first)s::timestamp AT TIME ZONE 'Asia/Shanghai' + v * interval '1 minute'"
    " - interval '20 seconds' AS effective_at FROM generate_series(1, 395 * 1440) v,"
    " generate_series(1, 5) k",
    "INSERT INTO ledger.delivered SELECT a, %(event)s, 395 * 1440 - 60"
    " FROM unnest(%(cards)s::text[]) a",
)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--home", type=Path, default=HOME, help="of servers and keys")
    parser.add_argument("--results", type=Path, default=results.FILE)
    options = parser.parse_args()
    with filled(options.home / "reports") as (environment, size):
        command = [str(Path(sys.executable).with_name("onecard")), "report", "--month", MONTH]
        done = []
        for _ in range(options.rounds):
            done.append(run(command, environment=environment))
            print(f"{done[-1].seconds:.1f} s, {done[-1].megabytes:.0f} MB", flush=True)
    text = section(size, done)
    results.put(options.results, "stewards' reports", text)
    print(text)


@contextmanager
def filled(home: Path) -> Iterator[tuple[dict[str, str], dict[str, int]]]:
    """A hub with 13 months behind it: its environment, and rows by table."""
    home.mkdir(parents=True, exist_ok=True)
    settings = Settings(home=home, keys_file=home / "keys.json")
    base = os.environ.get("ONECARD_BENCH_POSTGRES") or database.url(settings)
    name = f"bench_reports_{secrets.token_hex(3)}"
    address = database.create_database(base, name)
    try:
        migrate.upgrade(address)
        started = time.perf_counter()
        size = fill(address, catalogue.load())
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


def fill(address: str, known: Catalogue) -> dict[str, int]:
    """Write the history; returns rows by table."""
    values = _values(known)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET work_mem = '256MB'")
        connection.execute("SET session_replication_role = replica")  # no look-up of each parent
        connection.execute(
            "CREATE TEMP TABLE history (at timestamp, direction text, subject text, status text,"
            " n bigint, seconds float8, nightly boolean)"
        )
        _lists(connection, known)
        for statement in (_NIGHTS, _LANE, _SENT, _SENT_EVENTS, _TRANSFERS, _NIGHTLY, *_PARTS):
            connection.execute(statement, values)
        connection.execute("DROP TABLE history")
        connection.execute("VACUUM ANALYZE")
        size = {}
        for table in ("transfer", "rule_count", "finding", "county_count", "privacy_result"):
            row = connection.execute(f"SELECT count(*) FROM ledger.{table}").fetchone()
            size[table] = int(row[0]) if row else 0
    return size


def _values(known: Catalogue) -> dict[str, object]:
    served = [a for a in known.agreements.values() if a.served]
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


def section(size: dict[str, int], done: list[Run]) -> str:
    """The section of RESULTS.md."""
    seconds, peak = median(r.seconds for r in done), max(r.megabytes for r in done)
    rows = ", ".join(f"{n:,} of {table}" for table, n in size.items())
    holds = {True: "yes", False: "no"}
    return "\n".join(
        [
            "## Stewards' reports",
            "",
            f"Machine: {machine()}. `onecard report --month {MONTH}`: monthly pages of six agencies"
            " and the bureau in two languages and their workbooks, after 13 months of nightly"
            " transfers and of the event lane (collected every minute; delivered to seven"
            f" consumers every minute from 06:00 to 22:00). Rows in the ledger: {rows} (privacy"
            " results of the lane: of its last two months). Whole process, start included;"
            f" median of {len(done)}, highest peak of the process. Made by"
            " `python -m bench.reports`.",
            "",
            "| limit | allowed | measured | holds |",
            "|---|---:|---:|---|",
            f"| seconds | {SECONDS:.0f} | {seconds:.1f} | {holds[seconds <= SECONDS]} |",
            f"| peak memory, MB | {MEGABYTES:.0f} | {peak:.0f} | {holds[peak <= MEGABYTES]} |",
        ]
    )


if __name__ == "__main__":
    main()
