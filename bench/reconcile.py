"""`python -m bench.reconcile`: what comparing a dataset with its source costs.

Cards in the agency's PostgreSQL and the same cards in the registry, with planted differences; one
reconciliation against one sequential read of the source (`psql COPY binary` to nowhere),
interleaved, median of the rounds. Writes the section between the markers of RESULTS.md.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from bench.arguments import parser
from bench.measure import Run, Used, cell, meter, psql, run, typical
from bench.results import Limit, Section, publish
from demo.hot import fill_card_master
from demo.rehearsal import Rehearsal, start
from onecard.reconcile.dataset import ReconcileOptions, reconcile
from onecard.store import database
from tests import ledger_history

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
            ledger_history.move_watermarks(connection)
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


def read(stage: Rehearsal) -> Run:
    """One sequential read of the source: psql, COPY binary, to nowhere."""
    address = stage.city.postgres_url
    copy = "COPY hrss.ac01_card TO STDOUT (FORMAT binary)"
    return run([psql(), "-qX", "-o", os.devnull, address, "-c", copy], server=address)


def compared(stage: Rehearsal) -> tuple[Used, int]:
    """One reconciliation that heals nothing, and how many differences it found."""
    hub = stage.hub(0)
    hub.tools(DATASET)
    with meter(hub.address) as used:
        done = reconcile(hub, DATASET, ReconcileOptions(heal=False))
    assert done.method == "sql"
    return used, done.missing + done.extra + done.differing


def main() -> None:
    """Entry point."""
    words = parser(__doc__, rows=2_000_000)
    words.add_argument("--planted", type=int, default=1_000)
    options = words.parse_args()
    reads: list[Used] = []
    runs: list[Used] = []
    with prepared(options.home / "reconcile", options.rows, options.planted) as stage:
        for number in range(options.rounds):
            reads.append(read(stage))
            used, found = compared(stage)
            if found != options.planted:
                msg = f"planted {options.planted} differences, found {found}"
                raise SystemExit(msg)
            runs.append(used)
            print(
                f"round {number + 1}: read {reads[-1].seconds:.2f} s, {used.seconds:.2f} s",
                flush=True,
            )
    publish(options, section(options.rows, options.planted, reads, runs))


def section(rows: int, planted: int, reads: list[Used], runs: list[Used]) -> Section:
    """The section of RESULTS.md."""
    floor, whole = typical(reads), typical(runs)
    cells = [
        _row("one sequential read of one side (`psql COPY binary`, to nowhere)", floor, floor),
        _row(
            "reconciliation: both sides, down to the keys, verified through the gate", whole, floor
        ),
    ]
    return Section(
        name="reconciliation",
        title="Reconciliation",
        module="reconcile",
        about=(
            f"{rows:,} cards of 23 columns in the agency's PostgreSQL and in the registry (one"
            f" server), {planted:,} planted differences, all found; median of {len(runs)}"
            " interleaved rounds, nothing healed."
        ),
        columns=("what", "seconds", "ratio", "CPU client", "CPU server"),
        rows=cells,
        limits=[
            Limit(
                "reconciliation, ratio to one sequential read", LIMIT, whole.seconds / floor.seconds
            )
        ],
    )


def _row(what: str, used: Used, floor: Used) -> tuple[str, ...]:
    ratio = f"{used.seconds / floor.seconds:.2f}"
    return what, cell(used.seconds, 2), ratio, cell(used.client, 2), cell(used.server, 2)


if __name__ == "__main__":
    main()
