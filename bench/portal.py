"""`python -m bench.portal`: how long the stewards' pages take after thirteen months of a city.

Fills the ledger of a private database as `bench.reports` does, approves the agreements, adds a
problem with many rejected rows that are really sealed, and asks the portal for each of its pages
over HTTP on loopback, one after the other, an empty page of FastAPI in the same process between
them; then for the self-check of a large file, beside `onecard check` of it. Writes the section
between the markers of RESULTS.md.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median

import psycopg
from psycopg import sql

from bench import portal_check, reports
from bench.arguments import parser
from bench.live_arrivals import quantile
from bench.portal_check import Checks
from bench.portal_server import EMPTY, ENGINEER, PORTAL
from bench.results import Limit, Section, publish
from bench.statements import statements
from onecard.app.hub_desk import HubDesk
from onecard.base.settings import Settings
from onecard.base.sql_text import query
from onecard.base.times import ZONE
from onecard.crypto import keys
from onecard.portal import problem_page
from onecard.ports.row_gate import Reason, Rejected
from onecard.store import agreement_lives, database, quality_problems, staging
from onecard.store.sealing import Sealer
from schemas.models.catalogue import Catalogue

MILLISECONDS, RATIO = 300.0, 15.0
CHECK_RATIO = 2.0
APART = 1.25
"""So much more than the quickest of a problem's pages of rows the slowest may take."""
ROW_PAGES = ("a problem, its newest rows", "a problem, rows in the middle", "a problem, the oldest")
"""First, middle and last of them."""
DRAFTS = 2
"""Agreements that still wait for their approval."""
CHECK_ROUNDS = 3
DATASET, REASON = "health/health_visit", Reason("mdtrt_id", "type")
"""A problem that the history has not, with rows of one night."""
BEGINS_S = 60.0


def main() -> None:
    """Entry point."""
    words = parser(__doc__, rows=100_000, rounds=40)
    words.add_argument("--first", default=reports.FIRST, help="first day of the history")
    words.add_argument("--checked", type=int, default=portal_check.ROWS, help="rows of the file")
    options = words.parse_args()
    home = options.home / "portal"
    with reports.filled(home, options.first) as (environment, size):
        desk = HubDesk(Settings.load(environment))
        problem = prepare(desk, environment["ONECARD_DATABASE_URL"], options.rows)
        with served(home, environment) as port:
            took = measured(port, pages(desk, problem), options.rounds)
            file = home / "cards.csv"
            portal_check.write(file, options.checked)
            checks = portal_check.compared(port, environment, file, CHECK_ROUNDS)
    publish(options, section(size, took, checks, options))


def prepare(desk: HubDesk, address: str, rows: int) -> int:
    """Everything that pages look at and the history has not; returns the problem of many rows."""
    if not desk.settings.keys_file.exists():
        keys.create(desk.settings.keys_file, ["bureau"], "2026")
    with psycopg.connect(address, autocommit=True) as connection:
        _registry(connection, desk.catalogue)
        reject(connection, desk, rows)
        connection.execute(statements("portal")["problems"])
        connection.execute("VACUUM ANALYZE")
    with database.connect(address, autocommit=True) as hub:
        for agreement in [a for a in desk.catalogue.agreements.values() if a.served][DRAFTS:]:
            agreement_lives.approve(hub, agreement, "bench", "bench")
        found = quality_problems.of_datasets(hub, [DATASET])
    return next(p.id for p in found if Reason(p.field, p.rule) == REASON)


def _registry(connection: psycopg.Connection[tuple[object, ...]], known: Catalogue) -> None:
    """Tables of the registry, empty but for the events that the history has."""
    for contract in known.contracts.values():
        table = sql.Identifier("registry", contract.table)
        connection.execute(query("CREATE TABLE IF NOT EXISTS {t} (_version bigint)", t=table))
        columns = [
            query(
                "ADD COLUMN IF NOT EXISTS {c} {k}",
                c=sql.Identifier(f.name),
                k=staging.column_type(f),
            )
            for f in contract.fields
        ]
        own = sql.SQL(
            "ADD COLUMN IF NOT EXISTS _deleted_at timestamptz,"
            " ADD COLUMN _first_version bigint GENERATED ALWAYS AS (_version) STORED"
        )
        more = sql.SQL(", ").join([*columns, own])
        connection.execute(query("ALTER TABLE {t} {more}", t=table, more=more))
        connection.execute(query("CREATE INDEX ON {t} (_version)", t=table))


def reject(connection: psycopg.Connection[tuple[object, ...]], desk: HubDesk, rows: int) -> None:
    """Rows of the problem, sealed as a collect seals them."""
    contract = desk.catalogue.contract(DATASET)
    sealer = Sealer(desk.keys.quarantine(), desk.suite, contract)
    asked = statements("portal")
    now = datetime.fromisoformat(reports.NOW).astimezone(ZONE)
    found = connection.execute(asked["transfer"], {"dataset": DATASET, "at": now}).fetchone()
    transfer = int(str(found[0])) if found else 0
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(asked["rows"])
        with cursor.copy(asked["copy"]) as copy:
            for number in range(1, rows + 1):
                values = {f.name: f"{f.name} {number}" for f in contract.fields}
                row = sealer.seal(DATASET, "bench", Rejected(number, values, (REASON,)))
                copy.write_row((row.fingerprint, number, row.reasons, row.payload, row.key_epoch))
        cursor.execute(asked["reject"], {"dataset": DATASET, "transfer": transfer, "at": now})


def pages(desk: HubDesk, problem: int) -> dict[str, str]:
    """Addresses below the portal, by what they are called on the page of results."""
    newest, oldest, middle = _span(desk, problem)
    agency = DATASET.partition("/")[0]
    one = f"/{agency}/problems/{problem}"
    agreement = next(a for a in desk.catalogue.agreements.values() if a.consumer == agency)
    return {
        "start page (every agency)": "/",
        "live lane and single calls": "/live",
        "problems": f"/{agency}/problems",
        "problems, filtered and sorted": f"/{agency}/problems?q=type&sort=rows&status=",
        ROW_PAGES[0]: one,
        ROW_PAGES[1]: f"{one}?before={middle}",
        ROW_PAGES[2]: f"{one}?before={oldest + problem_page.ROWS}",
        "a rejected row": f"{one}/rows/{newest}",
        "tickets": f"/{agency}/tickets",
        "a ticket (audited)": f"/{agency}/tickets/{_ticket(desk, agency)}",
        "agreements": f"/{agency}/agreements",
        "an agreement": f"/{agency}/agreements/{agreement.id}",
        "calendar of freshness (every agency)": "/engineer/calendar",
        "reports": f"/{agency}/reports",
    }


def _span(desk: HubDesk, problem: int) -> list[int]:
    """The newest, the oldest and the middle one of a problem's open rows."""
    with psycopg.connect(desk.address) as connection:
        found = connection.execute(statements("portal")["span"], {"problem": problem}).fetchone()
    return [int(str(record)) for record in found or ()]


def _ticket(desk: HubDesk, agency: str) -> int:
    with psycopg.connect(desk.address) as connection:
        found = connection.execute(statements("portal")["ticket"], {"agency": agency}).fetchone()
    return int(str(found[0])) if found else 0


@contextmanager
def served(home: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """The portal until the block ends: its port."""
    users = home / "portal-users.yaml"
    users.write_text(f'users:\n  {ENGINEER}: ["*"]\n', encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "bench.portal_server", str(users), str(port)]
    with (home / "portal.log").open("w") as log:
        process = subprocess.Popen(command, env=_surroundings(environment), stdout=log, stderr=log)
        try:
            _wait(port, process, home / "portal.log")
            yield port
        finally:
            process.terminate()
            process.wait(20)


def _surroundings(environment: Mapping[str, str]) -> dict[str, str]:
    return {**{k: v for k, v in os.environ.items() if not k.startswith("ONECARD_")}, **environment}


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + BEGINS_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > limit:
            msg = f"the portal did not start: {log.read_text()[-1000:]}"
            raise RuntimeError(msg)
        time.sleep(0.05)


def measured(port: int, asked: Mapping[str, str], rounds: int) -> dict[str, list[float]]:
    """Seconds of each answer by page, the empty one among them; the first of each is left out."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took: dict[str, list[float]] = {name: [] for name in (EMPTY, *asked)}
    for turn in range(rounds + 1):
        for name, path in asked.items():
            for page, address in ((EMPTY, EMPTY), (name, PORTAL + path)):
                began = time.perf_counter()
                connection.request("GET", address)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    msg = f"{address}: HTTP {answer.status}"
                    raise RuntimeError(msg)
                if turn:
                    took[page].append(time.perf_counter() - began)
    connection.close()
    return took


def section(
    size: Mapping[str, int], took: Mapping[str, Sequence[float]], checks: Checks, options: object
) -> Section:
    """The section of RESULTS.md."""
    empty = median(took[EMPTY])
    rows = [_cells("an empty page of FastAPI", took[EMPTY], empty)]
    named = {name: times for name, times in took.items() if name != EMPTY}
    rows += [_cells(name, times, empty) for name, times in named.items()]
    slowest = max(1000 * quantile(times, 0.95) for times in named.values())
    ratio = max(median(times) / empty for times in named.values())
    paged = [median(took[name]) for name in ROW_PAGES]
    form, command = median(checks.portal), median(checks.command)
    history = ", ".join(f"{n:,} of {table}" for table, n in size.items())
    return Section(
        name="the stewards' portal",
        title="The stewards' portal",
        module="portal",
        about=(
            "Pages of the portal over HTTP on loopback, as an engineer who sees every agency, after"
            f" a city's nights and its live lane from {getattr(options, 'first', '')} to"
            f" {reports.LAST} (rows in the ledger: {history}); one problem has"
            f" {getattr(options, 'rows', 0):,} rejected rows. One process of uvicorn, one visitor;"
            f" {len(named[next(iter(named))])} of each page, an empty page before each. Self-check:"
            f" a CSV of {checks.rows:,} cards sent by its form took {form:.1f} s until the answer"
            f" was there; `onecard check` of the same file {command:.1f} s, start included (medians"
            f" of {len(checks.portal)}, in turns)."
        ),
        columns=("page", "median ms", "P95 ms", "times the empty page"),
        rows=rows,
        limits=[
            Limit("P95 of the slowest page, ms", MILLISECONDS, slowest),
            Limit("median of the slowest page, times the empty page", RATIO, ratio),
            Limit("pages of rows: the slowest to the quickest", APART, max(paged) / min(paged)),
            Limit("self-check by the form, times `onecard check`", CHECK_RATIO, form / command),
        ],
    )


def _cells(name: str, times: Sequence[float], empty: float) -> tuple[str, ...]:
    middle = median(times)
    figures = (1000 * middle, 1000 * quantile(times, 0.95), middle / empty)
    return (name, *(f"{figure:.1f}" for figure in figures))


if __name__ == "__main__":
    main()
