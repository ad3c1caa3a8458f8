"""What a consumer may have of deliveries that are not confirmed (ADR 0020).

Table `ledger.holding_pending`: written before anything leaves, deleted in the transaction that
confirms. A line lists the references of rows that leave, or names a record that stands in
`ledger.holding` already as it is to be (ADR 0039): then they are its entries of that transfer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from onecard.store import holding
from onecard.store.database import Connection, fetch_all, one_scalar, scalars
from onecard.store.holding import KEY, SCHEMA, Packed

REF = np.dtype([("high", "<u8"), ("low", "<u8")])


def note(connection: Connection, agreement: str, transfer: int, refs: list[pl.DataFrame]) -> None:
    """Note that the consumer may have some rows from now on.

    Args:
        connection: of the hub's database.
        agreement: its id.
        transfer: the attempt that sends them.
        refs: columns `KEY`.
    """
    joined = pl.concat([r.select(KEY) for r in refs])
    packed = np.ascontiguousarray(joined.to_numpy(order="c")).astype("<u8").tobytes()
    connection.execute(
        "INSERT INTO ledger.holding_pending (agreement, transfer, refs) VALUES (%s, %s, %s)",
        (agreement, transfer, packed),
    )


def note_record(connection: Connection, agreement: str, transfer: int, entries: Packed) -> int:
    """Note the same of the rows that the attempt brings, and write what is to be the record.

    Args:
        connection: of the hub's database.
        agreement: its id.
        transfer: the attempt; its entries bear it, and no others do.
        entries: all that the consumer has once the attempt is confirmed.

    Returns:
        The number under which the record stands (`holding.adopt`).
    """
    with connection.transaction():
        number = holding.stage(connection, entries)
        connection.execute(
            "INSERT INTO ledger.holding_pending (agreement, transfer, holder) VALUES (%s, %s, %s)",
            (agreement, transfer, number),
        )
    return number


def gather(connection: Connection, agreement: str, transfer: int) -> None:
    """Make one line of what all earlier attempts have noted, each row once.

    Else a delivery that fails night after night would keep as many records of all that the consumer
    is to have. Which of the attempts a row left with is of no account.

    Args:
        connection: of the hub's database, outside a transaction.
        agreement: its id, whose lock is held.
        transfer: the present attempt, whose own lines stay.
    """
    lines = fetch_all(
        connection,
        _Line,
        "SELECT transfer, refs, holder FROM ledger.holding_pending"
        " WHERE agreement = %s AND transfer <> %s",
        (agreement, transfer),
    )
    if not lines or (len(lines) == 1 and lines[0].holder is None):
        return
    refs = pl.concat([_refs(connection, line) for line in lines]).unique()
    with connection.transaction():
        connection.execute(
            "DELETE FROM ledger.holding_pending WHERE agreement = %s AND transfer <> %s",
            (agreement, transfer),
        )
        numbers = {line.holder for line in lines} - {None}
        rewritten = sum(holding.drop(connection, number) for number in numbers if number)
        if len(refs):
            note(connection, agreement, max(line.transfer for line in lines), [refs])
    holding.give_place_back(connection, rewritten)


def is_any(connection: Connection, agreement: str) -> bool:
    """Whether any delivery of an agreement was not confirmed though something may have left."""
    return one_scalar(
        connection,
        bool,
        "SELECT EXISTS (SELECT FROM ledger.holding_pending WHERE agreement = %s)",
        (agreement,),
    )


def noted(connection: Connection, agreement: str) -> pl.DataFrame:
    """Rows that the consumer may have from deliveries that were not confirmed. Columns: `KEY`."""
    lines = fetch_all(
        connection,
        _Line,
        "SELECT transfer, refs, holder FROM ledger.holding_pending WHERE agreement = %s",
        (agreement,),
    )
    found = [_refs(connection, line) for line in lines]
    return pl.concat([pl.DataFrame(schema={n: SCHEMA[n] for n in KEY}), *found]).unique()


def settle(
    connection: Connection, agreement: str, transfer: int | None = None, *, kept: int = 0
) -> int:
    """Forget what was noted, in the transaction that confirms.

    Args:
        connection: in a transaction.
        agreement: its id.
        transfer: only what that attempt has noted; None: all.
        kept: number of the record that counts from now on.

    Returns:
        Number of buckets of other records that were noted, which still take their place.
    """
    numbers = scalars(
        connection,
        int,
        "DELETE FROM ledger.holding_pending WHERE agreement = %(agreement)s"
        " AND (%(transfer)s::bigint IS NULL OR transfer = %(transfer)s)"
        " RETURNING coalesce(holder, 0)",
        {"agreement": agreement, "transfer": transfer},
    )
    return sum(holding.drop(connection, number) for number in {*numbers} - {0, kept})


@dataclass(frozen=True, slots=True)
class _Line:
    transfer: int
    refs: bytes | None
    holder: int | None


def _refs(connection: Connection, line: _Line) -> pl.DataFrame:
    """The references of a line. Columns: `KEY`."""
    if line.holder is not None:
        entries = holding.whole(connection, line.holder)
        return entries.filter(pl.col("transfer") == line.transfer).select(KEY)
    found = np.frombuffer(line.refs or b"", REF)
    return pl.DataFrame({n: np.ascontiguousarray(found[n]) for n in KEY})
