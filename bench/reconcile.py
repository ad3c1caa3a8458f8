"""`python -m bench.reconcile`: what comparing a dataset with its source costs.

Cards in the agency's PostgreSQL and the same cards in the registry, with planted differences; one
reconciliation against one sequential read of the source (`psql COPY binary` to nowhere),
interleaved, median of the rounds. Writes the section between the markers of RESULTS.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psycopg

from bench import results
from bench.measure import machine, psql, run
from bench.world import HOME
from demo.hot import fill_card_master
from demo.rehearsal import Rehearsal, start
from onecard.reconcile.dataset import ReconcileOptions, reconcile
from onecard.store import database

DATASET = "hrss/card_master"
LIMIT = 2.5


@contextmanager
def prepared(home: Path, rows: int, planted: int) -> Iterator[Rehearsal]:
    """Cards on both sides; a third of the differences each missing, extra and changed."""
    base = os.environ.get("ONECARD_BENCH_POSTGRES")
    with start(home, persons=1000, seed=1, postgres=base) as stage:
        fill_card_master(stage.city.postgres_url, "hrss", rows)
        hub = stage.hub(0)
        hub.collect(DATASET).run()
        each = planted // 3
        with database.connect(hub.address, autocommit=True) as connection:
            # the watermark of a later night: nothing of what is planted is waiting for a collect
            connection.execute(
                "UPDATE ledger.dataset SET checkpoint = jsonb_set(checkpoint, '{cursor}',"
                " to_jsonb((now() + interval '10 years')::text))"
            )
            connection.execute(
                "DELETE FROM registry.hrss__card_master WHERE card_no IN (SELECT card_no FROM"
                " registry.hrss__card_master ORDER BY hashtext(card_no) LIMIT %s)",
                (each,),
            )
            connection.execute("VACUUM ANALYZE registry.hrss__card_master")
        with psycopg.connect(stage.city.postgres_url, autocommit=True) as connection:
            _plant(connection, each, planted - 2 * each)
        yield stage
    shutil.rmtree(home, ignore_errors=True)


def _plant(connection: psycopg.Connection[tuple[object, ...]], gone: int, changed: int) -> None:
    """Delete some rows, and empty the mobile number of others that have one."""
    chosen = (
        'SELECT "AAZ500" FROM hrss.ac01_card WHERE "AAC067" IS NOT NULL'
        ' ORDER BY hashtext("AAZ500") DESC LIMIT %s'
    )
    delete = f'DELETE FROM hrss.ac01_card WHERE "AAZ500" IN ({chosen})'
    update = f'UPDATE hrss.ac01_card SET "AAC067" = NULL WHERE "AAZ500" IN ({chosen})'
    connection.execute(delete.encode(), (gone,))
    connection.execute(update.encode(), (changed,))
    connection.execute("VACUUM ANALYZE hrss.ac01_card")


def read(stage: Rehearsal) -> float:
    """Seconds of one sequential read of the source: psql, COPY binary, to nowhere."""
    copy = "COPY hrss.ac01_card TO STDOUT (FORMAT binary)"
    return run([psql(), "-qX", "-o", os.devnull, stage.city.postgres_url, "-c", copy]).seconds


def compared(stage: Rehearsal) -> tuple[float, int]:
    """Seconds of one reconciliation that heals nothing, and how many differences it found."""
    hub = stage.hub(0)
    hub.tools(DATASET)
    started = time.perf_counter()
    done = reconcile(hub, DATASET, ReconcileOptions(heal=False))
    assert done.method == "sql"
    return time.perf_counter() - started, done.missing + done.extra + done.differing


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--planted", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--home", type=Path, default=HOME, help="of servers and keys")
    parser.add_argument("--results", type=Path, default=results.FILE)
    options = parser.parse_args()
    reads, runs = [], []
    with prepared(options.home / "reconcile", options.rows, options.planted) as stage:
        for number in range(options.rounds):
            reads.append(read(stage))
            seconds, found = compared(stage)
            if found != options.planted:
                msg = f"planted {options.planted} differences, found {found}"
                raise SystemExit(msg)
            runs.append(seconds)
            print(f"round {number + 1}: read {reads[-1]:.2f} s, {runs[-1]:.2f} s", flush=True)
    text = section(options.rows, options.planted, (median(reads), median(runs)))
    results.put(options.results, "reconciliation", text)
    print(text)


def section(rows: int, planted: int, seconds: tuple[float, float]) -> str:
    """The section of RESULTS.md."""
    one, whole = seconds
    load = os.getloadavg()[0]
    ratio = whole / one
    holds = "yes" if ratio <= LIMIT else f"no, missed by {ratio / LIMIT - 1:.0%}"
    return "\n".join(
        [
            "## Reconciliation",
            "",
            f"Machine: {machine()}. {rows:,} cards of 23 columns in the agency's PostgreSQL and in"
            f" the registry (one server), {planted:,} planted differences, all found; median of"
            f" interleaved rounds, nothing healed. Load of the machine when it ended: {load:.1f}"
            ". Made by `python -m bench.reconcile`.",
            "",
            "| what | seconds | ratio | limit | holds |",
            "|---|---:|---:|---:|---|",
            f"| one sequential read of one side (`psql COPY binary`, to nowhere) | {one:.2f} | 1.00 | | |",
            f"| reconciliation: both sides, down to the keys, verified through the gate |"
            f" {whole:.2f} | {ratio:.2f} | {LIMIT} | {holds} |",
        ]
    )


if __name__ == "__main__":
    main()
