"""`python -m bench.holding`: what the record of what a consumer holds costs.

Deliveries of one agreement to a Parquet inbox: all rows with an empty record, then nights in which
a part of them changes, then single events. Of each the seconds, and the seconds that make entries
of all rows (the record's part of the work); the record's bytes a row. Writes the section between
the markers of RESULTS.md.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import polars as pl
import psycopg

from bench import results
from bench.govern import ID, agreement, outbound, prepared
from bench.measure import machine
from bench.world import HOME
from onecard.deliver import row_refs
from onecard.deliver.query import Selection
from onecard.deliver.run import Deliver
from onecard.store.snapshots import Snapshot

if TYPE_CHECKING:
    from demo.rehearsal import Rehearsal

LIMIT_SHARE, LIMIT_BYTES = 0.10, 40
EVENT_ROWS = 36
NIGHTS = 20


def deliver(stage: Rehearsal) -> tuple[float, int]:
    """Seconds and rows of one delivery."""
    started = time.perf_counter()
    done = Deliver(agreement("token"), outbound(stage)).run()
    return time.perf_counter() - started, done.rows


def entries(stage: Rehearsal) -> float:
    """Seconds to make references and digests of all rows."""
    tools, wanted = outbound(stage), agreement("token")
    selection = Selection(wanted, tools.contracts, tools.settings.now().date())
    with Snapshot(tools.address) as snapshot:
        batches = snapshot.batches(selection.statement())
        rows = [pl.DataFrame(pl.from_arrow(batch)) for batch in batches]
    shape = row_refs.shape(wanted, tools.contracts, "")
    refs = row_refs.RowRefs(wanted, tools.suite, tools.keys.quarantine(), shape)
    started = time.perf_counter()
    for frame in rows:
        refs.of(frame)
    return time.perf_counter() - started


def change(address: str, rows: int, night: int) -> None:
    """Publish so many cards with another bank, spread over the table."""
    with psycopg.connect(address) as connection:
        version = "(SELECT version + 1 FROM ledger.dataset WHERE dataset = 'hrss/card_master')"
        connection.execute(
            f"UPDATE registry.hrss__card_master SET bank_code = %s, _version = {version}"
            " WHERE card_no IN (SELECT card_no FROM registry.hrss__card_master"
            " ORDER BY hashtext(card_no || %s) LIMIT %s)",
            (str(102 + night % 3), str(night), rows),
        )
        connection.execute(
            "UPDATE ledger.dataset SET version = version + 1 WHERE dataset = 'hrss/card_master'"
        )


def size(address: str) -> int:
    """Bytes of all records, with their indexes."""
    with psycopg.connect(address) as connection:
        found = connection.execute("SELECT pg_total_relation_size('ledger.holding')").fetchone()
    return int(found[0]) if found else 0


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--home", type=Path, default=HOME, help="of servers and keys")
    parser.add_argument("--results", type=Path, default=results.FILE)
    options = parser.parse_args()
    with prepared(options.home / "holding", options.rows) as stage:
        address = stage.hub(0).address
        first, rows = deliver(stage)
        made, loaded = entries(stage), size(address)
        nights = []
        for night in range(NIGHTS):
            change(address, options.rows // 100, night)
            nights.append(deliver(stage)[0])
        after = size(address)
        events = []
        for event in range(NIGHTS):
            change(address, EVENT_ROWS, NIGHTS + event)
            events.append(deliver(stage)[0])
    text = section(
        (rows, options.rows), (first, made, median(nights), median(events)), (loaded, after)
    )
    results.put(options.results, "what consumers hold", text)
    print(text)


def section(cards: tuple[int, int], seconds: tuple[float, ...], size: tuple[int, int]) -> str:
    """The section of RESULTS.md."""
    (rows, there), (first, made, night, event) = cards, seconds
    return "\n".join(
        [
            "## What consumers hold",
            "",
            f"{machine()} {rows:,} of {there:,} cards to a Parquet inbox (agreement {ID}), then"
            f" {NIGHTS} nights of 1% changed cards, then {NIGHTS} times {EVENT_ROWS} changed cards. Made by"
            " `python -m bench.holding`.",
            "",
            "| what | found | limit |",
            "|---|---:|---:|",
            f"| first delivery, all rows, seconds | {first:.2f} | |",
            f"| of it references and digests | {made:.2f} ({made / first:.0%}) | {LIMIT_SHARE:.0%} |",
            f"| a night with 1% changed, seconds | {night:.2f} | |",
            f"| {EVENT_ROWS} changed cards, milliseconds | {1000 * event:.0f} | |",
            f"| record after the first delivery, bytes a row | {size[0] / rows:.1f} | {LIMIT_BYTES} |",
            f"| record after {NIGHTS} nights, bytes a row | {size[1] / rows:.1f} | {LIMIT_BYTES} |",
        ]
    )


if __name__ == "__main__":
    main()
