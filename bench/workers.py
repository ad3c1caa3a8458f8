"""`python -m bench.workers`: the same collect by one and by several workers.

Two sources. An API that takes 100 ms for a page, in four partitions: what a worker waits for, others
can wait for at the same time. And a PostgreSQL table in two partitions, whose collect is bound by
the processor: one worker reads, checks and loads in threads already. Whole processes, start
included, interleaved; first loads. Writes the section between the markers of RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg

from bench import results
from bench.measure import Run, machine, run
from bench.world import HOME, World, world
from schemas.models import catalogue
from tests.office import DATASET
from tests.twins import Divided

LIMIT = 0.35
PAGE, DELAY_S = 100, 0.1
CARDS = "contracts/hrss/card_master.odcs.yaml"
SHARDS = ["0", "1", "2", "3"]


@dataclass(frozen=True, slots=True)
class Figures:
    """Runs by what was measured and how many workers there were."""

    runs: dict[tuple[str, int], list[Run]] = field(default_factory=dict)

    def add(self, what: str, workers: int, done: Run) -> None:
        """One run more."""
        self.runs.setdefault((what, workers), []).append(done)

    def seconds(self, what: str, workers: int) -> float:
        """The median of the runs."""
        return median(r.seconds for r in self.runs[what, workers])

    def megabytes(self, what: str, workers: int) -> float:
        """The highest peak of the largest process."""
        return max(r.megabytes for r in self.runs[what, workers])


@contextmanager
def slow_api(rows: int) -> Iterator[int]:
    """An API of so many rows, 100 ms a page, that can be asked for a quarter; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            time.sleep(DELAY_S)
            query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
            body = json.dumps(_page(rows, query)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def _page(rows: int, query: dict[str, str]) -> dict[str, Any]:
    wanted = range(int(query["shard"]), rows, len(SHARDS)) if "shard" in query else range(rows)
    start = (int(query["page"]) - 1) * PAGE
    page = [{"k": f"K{n:08}", "v": f"value {n}"} for n in wanted[start : start + PAGE]]
    return {"total": len(wanted), "list": page}


def latency(w: World, rows: int, rounds: int, found: Figures) -> None:
    """One and four workers on the slow API."""
    with slow_api(rows) as port:
        paginator = {
            "kind": "page_number",
            "page_param": "page",
            "size_param": "size",
            "size": PAGE,
            "total": "total",
            "order": "stable",
        }
        options = {"path": "/things", "records": "list", "paginator": paginator}
        partition = {"by": "parameter", "parameter": "shard", "values": SHARDS}
        source = {"connector": "rest", "options": options, "partition": partition}
        connection = {"conn_type": "http", "host": "127.0.0.1", "port": port}
        home = w.home / "slow"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        shutil.copy(w.home / "keys.json", home / "keys.json")
        office = Divided(w.hub, home, source, connection)
        environment = office.variables
        for _ in range(rounds):
            for workers in (1, len(SHARDS)):
                _forget(w, "hrss__thing")
                words = [*w.collect()[:2], DATASET, "--workers", str(workers)]
                found.add("latency", workers, run(words, environment=environment))
                _require(w, "hrss__thing", rows)
                print(f"  API, {workers}: {found.seconds('latency', workers):.1f} s", flush=True)


def processor(w: World, rows: int, rounds: int, found: Figures) -> None:
    """One and two workers on a table whose collect is bound by the processor."""
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
    environment = {**w.environment(), "ONECARD_SCHEMAS": str(root)}
    for _ in range(rounds):
        for workers in (1, 2):
            _forget(w, "hrss__card_master")
            words = w.collect("--workers", str(workers))
            found.add("processor", workers, run(words, environment=environment))
            _require(w, "hrss__card_master", rows)
            print(f"  cards, {workers}: {found.seconds('processor', workers):.1f} s", flush=True)


def _forget(w: World, table: str) -> None:
    with psycopg.connect(w.hub, autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS registry.{table}".encode())
        connection.execute(b"TRUNCATE ledger.dataset, quarantine.record CASCADE")


def _require(w: World, table: str, rows: int) -> None:
    """Fail where not every row is published: a quick run that loses rows is none."""
    with psycopg.connect(w.hub) as connection:
        found = connection.execute(f"SELECT count(*) FROM registry.{table}".encode()).fetchone()
    if found != (rows,):
        msg = f"registry.{table} holds {found} rows, not {rows}"
        raise RuntimeError(msg)


def written(found: Figures, cards: int, things: int) -> str:
    """The section's text."""
    lines = [
        "## More than one worker",
        "",
        f"Machine: {machine()}, load {os.getloadavg()[0]:.1f} at the end. First loads by `onecard"
        f" collect --workers N`, whole processes, start included; median of interleaved rounds. The"
        f" API gives {things:,} rows, {PAGE} a page, each page after {DELAY_S * 1000:.0f} ms, in four"
        f" partitions by a parameter; the table has {cards:,} cards of 23 columns, in two partitions"
        " by a hash of the key, read from one exported snapshot. Made by `python -m bench.workers`.",
        "",
        "| what | workers | seconds | ratio to one worker | peak MB of the largest process |",
        "|---|---:|---:|---:|---:|",
    ]
    titles = {"latency": "API, 100 ms a page", "processor": "table, bound by the processor"}
    for what, workers in found.runs:
        ratio = found.seconds(what, workers) / found.seconds(what, 1)
        lines.append(
            f"| {titles[what]} | {workers} | {found.seconds(what, workers):.1f} | {ratio:.2f} |"
            f" {found.megabytes(what, workers):.0f} |"
        )
    ratio = found.seconds("latency", 4) / found.seconds("latency", 1)
    holds = "yes" if ratio <= LIMIT else f"no, missed by {(ratio / LIMIT - 1) * 100:.0f}%"
    return "\n".join(
        [
            *lines,
            "",
            "| limit | allowed | measured | holds |",
            "|---|---:|---:|---|",
            f"| four workers to one, source bound by latency | {LIMIT} | {ratio:.2f} | {holds} |",
        ]
    )


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000, help="cards of the table")
    parser.add_argument("--pages", type=int, default=1_200, help="pages of the API")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--home", type=Path, default=HOME, help="of servers and keys")
    parser.add_argument("--results", type=Path, default=results.FILE)
    options = parser.parse_args()
    found, things = Figures(), options.pages * PAGE
    with world(options.home / "workers", options.rows) as w:
        latency(w, things, options.rounds, found)
        processor(w, options.rows, options.rounds, found)
    text = written(found, options.rows, things)
    results.put(options.results, "more than one worker", text)
    print(text)


if __name__ == "__main__":
    main()
