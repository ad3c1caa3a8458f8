"""`python -m bench.workers`: the same collect by one and by several workers.

Two sources. An API that takes 100 ms for a page, in four partitions: what a worker waits for, others
can wait for at the same time. And a PostgreSQL table in two partitions, whose collect is bound by
the processor: one worker reads, checks and loads in threads already. Whole processes, start
included, interleaved; first loads. Writes the section between the markers of RESULTS.md.
"""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from bench.arguments import parser
from bench.measure import Run, cell, run, typical
from bench.results import Cells, Limit, Section, publish
from bench.world import World, world
from schemas.models import catalogue
from tests.json_api import serving
from tests.office import DATASET
from tests.twins import Divided

LIMIT = 0.35
PAGE, DELAY_S = 100, 0.1
CARDS = "contracts/hrss/card_master.odcs.yaml"
SHARDS = ["0", "1", "2", "3"]
API, TABLE = "API, 100 ms a page", "table, bound by the processor"
TABLES = {API: "hrss__thing", TABLE: "hrss__card_master"}
COLUMNS = (
    *("what", "workers", "seconds", "ratio to one", "CPU s, client", "CPU s, server"),
    "peak MB of the largest process",
)

Figures = dict[tuple[str, int], list[Run]]


@contextmanager
def slow_api(rows: int) -> Iterator[int]:
    """An API of so many rows, 100 ms a page, that can be asked for a quarter; gives its port."""

    def page(query: dict[str, str]) -> dict[str, Any]:
        time.sleep(DELAY_S)
        return _page(rows, query)

    with serving(page) as port:
        yield port


def _page(rows: int, query: dict[str, str]) -> dict[str, Any]:
    wanted = range(int(query["shard"]), rows, len(SHARDS)) if "shard" in query else range(rows)
    start = (int(query["page"]) - 1) * PAGE
    page = [{"k": f"K{n:08}", "v": f"value {n}"} for n in wanted[start : start + PAGE]]
    return {"total": len(wanted), "list": page}


def slow_environment(w: World, port: int) -> dict[str, str]:
    """What a process needs whose hub reads the slow API."""
    paginator = {
        "kind": "page_number",
        "page_param": "page",
        "size_param": "size",
        "size": PAGE,
        "total": "total",
        "order": "stable",
    }
    source = {
        "connector": "rest",
        "options": {"path": "/things", "records": "list", "paginator": paginator},
        "partition": {"by": "parameter", "parameter": "shard", "values": SHARDS},
    }
    home = w.home / "slow"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    shutil.copy(w.home / "keys.json", home / "keys.json")
    connection = {"conn_type": "http", "host": "127.0.0.1", "port": port}
    return Divided(w.hub, home, source, connection).variables


def divided_environment(w: World) -> dict[str, str]:
    """What a process needs whose contract of cards names two partitions.

    Raises:
        RuntimeError: the contract is not written as it was.
    """
    root = w.home / "schemas"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(catalogue.ROOT, root)
    text = (root / CARDS).read_text(encoding="utf-8")
    here = "          overlap: PT10M\n"
    if here not in text:
        msg = f"{CARDS} has changed: no place for its partitions"
        raise RuntimeError(msg)
    partition = "          partition: {by: hash, parts: 2}\n"
    (root / CARDS).write_text(text.replace(here, here + partition), encoding="utf-8")
    return {**w.environment(), "ONECARD_SCHEMAS": str(root)}


def measured(w: World, what: str, workers: int, environment: dict[str, str], rows: int) -> Run:
    """One first load; fails where not every row is published, for a run that loses rows is none."""
    table = TABLES[what]
    w.forget()
    dataset = DATASET if what == API else "hrss/card_master"
    command = [*w.collect()[:2], dataset, "--workers", str(workers)]
    done = run(command, environment=environment, server=w.hub)
    with psycopg.connect(w.hub) as connection:
        found = connection.execute(f"SELECT count(*) FROM registry.{table}".encode()).fetchone()
    if found != (rows,):
        msg = f"registry.{table} holds {found} rows, not {rows}"
        raise RuntimeError(msg)
    print(f"  {what}, {workers}: {done.seconds:.1f} s", flush=True)
    return done


def figures(w: World, pages: int, rounds: int) -> Figures:
    """Everything once a round."""
    found: Figures = defaultdict(list)
    with slow_api(pages * PAGE) as port:
        slow, divided = slow_environment(w, port), divided_environment(w)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", flush=True)
            for workers in (1, len(SHARDS)):
                found[API, workers].append(measured(w, API, workers, slow, pages * PAGE))
            for workers in (1, 2):
                found[TABLE, workers].append(measured(w, TABLE, workers, divided, w.rows))
    return found


def section(found: Figures, things: int, cards: int) -> Section:
    """The section of the page.

    Args:
        found: what was measured.
        things: rows of the API.
        cards: rows of the table.
    """
    ratio = typical(found[API, len(SHARDS)]).seconds / typical(found[API, 1]).seconds
    return Section(
        name="more than one worker",
        title="More than one worker",
        module="workers",
        about=(
            "First loads by `onecard collect --workers N`, whole processes, start included; median"
            f" of interleaved rounds. The API gives {things:,} rows, {PAGE} a page, each page after"
            f" {DELAY_S * 1000:.0f} ms, in four partitions by a parameter; the table has"
            f" {cards:,} cards of 23 columns, in two partitions by a hash of the key, read from one"
            " exported snapshot."
        ),
        columns=COLUMNS,
        rows=[_cells(found, *which) for which in found],
        limits=[Limit("four workers to one, source bound by latency", LIMIT, ratio)],
    )


def _cells(found: Figures, what: str, workers: int) -> Cells:
    runs = found[what, workers]
    used = typical(runs)
    ratio = used.seconds / typical(found[what, 1]).seconds
    peak = max(done.megabytes for done in runs)
    return (
        *(what, str(workers), cell(used.seconds), cell(ratio, 2)),
        *(cell(used.client), cell(used.server), cell(peak, 0)),
    )


def main() -> None:
    """Entry point."""
    words = parser(__doc__, rows=2_000_000)
    words.add_argument("--pages", type=int, default=1_200, help="of the API")
    options = words.parse_args()
    with world(options.home / "workers", options.rows) as w:
        found = figures(w, options.pages, options.rounds)
    publish(options, section(found, options.pages * PAGE, options.rows))


if __name__ == "__main__":
    main()
