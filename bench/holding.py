"""`python -m bench.holding`: what the record of what a consumer holds costs.

Deliveries of one agreement to a Parquet inbox: all rows with an empty record, then nights in which
a part of them changes, then single events. Of each the seconds, and the seconds that make entries
of all rows (the record's part of the work); the record's bytes a row. Writes the section between
the markers of RESULTS.md.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import polars as pl

from bench.arguments import parser
from bench.govern import ID, agreement, outbound, prepared
from bench.measure import Used, cell, meter
from bench.results import Limit, Section, publish
from onecard.deliver import row_refs
from onecard.deliver.query import Selection
from onecard.deliver.run import Deliver
from onecard.store import database, datasets
from onecard.store.snapshots import Snapshot

if TYPE_CHECKING:
    from demo.rehearsal import Rehearsal

CARDS = "hrss/card_master"
LIMIT_SHARE, LIMIT_BYTES = 0.10, 40
EVENT_ROWS = 36
NIGHTS = 20


def deliver(stage: Rehearsal) -> tuple[Used, int]:
    """One delivery, and its rows."""
    tools = outbound(stage)
    with meter(tools.address) as used:
        done = Deliver(agreement("token"), tools).run()
    return used, done.rows


def entries(stage: Rehearsal) -> Used:
    """References and digests of all rows, made once more."""
    tools, wanted = outbound(stage), agreement("token")
    selection = Selection(wanted, tools.contracts, tools.settings.now().date())
    with Snapshot(tools.address) as snapshot:
        batches = snapshot.batches(selection.statement())
        rows = [pl.DataFrame(pl.from_arrow(batch)) for batch in batches]
    shape = row_refs.shape(wanted, tools.contracts, "")
    refs = row_refs.RowRefs(wanted, tools.suite, tools.keys.quarantine(), shape)
    with meter() as used:
        for frame in rows:
            refs.of(frame)
    return used


def change(address: str, rows: int, night: int) -> None:
    """Publish so many cards with another bank, spread over the table."""
    with database.connect(address) as connection:
        version = datasets.versions(connection, [CARDS])[CARDS] + 1
        connection.execute(
            "UPDATE registry.hrss__card_master SET bank_code = %s, _version = %s"
            " WHERE card_no IN (SELECT card_no FROM registry.hrss__card_master"
            " ORDER BY hashtext(card_no || %s) LIMIT %s)",
            (str(102 + night % 3), version, str(night), rows),
        )
        datasets.raise_version(connection, CARDS, version)


def size(address: str) -> int:
    """Bytes of all records, with their indexes."""
    statement = "SELECT pg_total_relation_size(c.oid) FROM pg_class c WHERE c.relname = 'holding'"
    with database.connect(address) as connection:
        return database.one_scalar(connection, int, statement)


def main() -> None:
    """Entry point."""
    options = parser(__doc__, rows=2_000_000, rounds=None).parse_args()
    with prepared(options.home / "holding", options.rows) as stage:
        address = stage.hub(0).address
        first, rows = deliver(stage)
        made, loaded = entries(stage), size(address)
        nights = []
        for night in range(NIGHTS):
            change(address, options.rows // 100, night)
            nights.append(deliver(stage)[0].seconds)
        after = size(address)
        events = []
        for event in range(NIGHTS):
            change(address, EVENT_ROWS, NIGHTS + event)
            events.append(deliver(stage)[0].seconds)
    publish(
        options,
        section((rows, options.rows), (first, made), (nights, events), (loaded, after)),
    )


def section(
    cards: tuple[int, int],
    whole: tuple[Used, Used],
    later: tuple[list[float], list[float]],
    size: tuple[int, int],
) -> Section:
    """The section of RESULTS.md."""
    (rows, there), (first, made), (nights, events) = cards, whole, later
    loaded, after = size[0] / rows, size[1] / rows
    return Section(
        name="what consumers hold",
        title="What consumers hold",
        module="holding",
        about=(
            f"{rows:,} of {there:,} cards to a Parquet inbox (agreement {ID}), then {NIGHTS} nights"
            f" of 1% changed cards, then {NIGHTS} times {EVENT_ROWS} changed cards (medians)."
        ),
        columns=("what", "seconds", "CPU client", "CPU server"),
        rows=[
            _row("first delivery, all rows", first),
            _row("of it references and digests", made),
            ("a night with 1% changed", cell(median(nights), 2), "", ""),
            (f"{EVENT_ROWS} changed cards", cell(median(events), 3), "", ""),
        ],
        limits=[
            Limit("references and digests, share", LIMIT_SHARE, made.seconds / first.seconds),
            Limit("record after the first delivery, bytes a row", LIMIT_BYTES, loaded),
            Limit(f"record after {NIGHTS} nights, bytes a row", LIMIT_BYTES, after),
        ],
    )


def _row(what: str, used: Used) -> tuple[str, ...]:
    return what, cell(used.seconds, 2), cell(used.client, 2), cell(used.server, 2)


if __name__ == "__main__":
    main()
