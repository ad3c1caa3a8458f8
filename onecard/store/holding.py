"""What each consumer holds: a keyed reference and a digest of every row that it has.

Tables `ledger.holding_head`, `ledger.holding`, `ledger.holding_pending`. A reference is 128 bits of
a keyed digest of the row's key, a digest 64 bits that only who has the key can compute
(`onecard.deliver.row_refs`): whoever has only the database learns from them nobody's data. Entries
are packed by bucket (the first bits of the reference), some fifty in each: 28 bytes an entry, about
31 on disk, and a few changes write a few kilobytes (ADR 0020).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl
from psycopg.types.json import Jsonb

from onecard.store.database import Connection, fetch_all, fetch_one, scalars

ENTRY = np.dtype([("high", "<u8"), ("low", "<u8"), ("digest", "<u8"), ("transfer", "<u4")])
"""As entries are stored."""
REF = np.dtype([("high", "<u8"), ("low", "<u8")])
SCHEMA = {"high": pl.UInt64, "low": pl.UInt64, "digest": pl.UInt64, "transfer": pl.UInt32}
KEY = ("high", "low")
UNKNOWN = 0
"""Digest of a row of which only the key is known to be there; no row has it."""

_EACH, _MOST, _LEAST = 48, 64, 12
"""Entries in a bucket when it is made, and when all are made anew. An entry must not be moved out
of its row (2 KB), which costs more."""
_STEP = 2_000
"""Buckets written by one statement."""
_VACUUM_FROM = 500
"""So many rewritten buckets are worth giving their place back at once."""


@dataclass(frozen=True, slots=True)
class Head:
    """Of which state of the registry an agreement's record is made.

    Attributes:
        key: suite and epoch of the key of references and digests.
        basis: digest of what decides which rows there should be, besides the registry; empty: the
            next delivery looks at all rows.
        shape: digest of what makes of a row what leaves.
        token_epoch: of the tokens that the consumer has; empty without tokens.
        buckets: number of buckets.
        rows: number of entries.
        versions: of every dataset that was looked at.
        looked_on: the day, which decides ages.
    """

    agreement: str
    key: str
    basis: str
    shape: str
    token_epoch: str
    buckets: int
    rows: int
    versions: Mapping[str, int]
    looked_on: date


def head(connection: Connection, agreement: str) -> Head | None:
    """The head of an agreement's record; None where there is no record."""
    return fetch_one(
        connection,
        Head,
        "SELECT agreement, key, basis, shape, token_epoch, buckets, rows, versions, looked_on"
        " FROM ledger.holding_head WHERE agreement = %s",
        (agreement,),
    )


def no_entries() -> pl.DataFrame:
    """No entry. Columns: `SCHEMA`."""
    return pl.DataFrame(schema=SCHEMA)


def whole(connection: Connection, agreement: str) -> pl.DataFrame:
    """All entries of an agreement. Columns: `SCHEMA`."""
    statement = "SELECT entries FROM ledger.holding WHERE agreement = %s ORDER BY bucket"
    with connection.cursor(binary=True) as cursor:
        packed = b"".join(
            bytes(row[0])  # type: ignore[call-overload]
            for row in cursor.execute(statement, (agreement,))
        )
    return _unpacked(packed)


def of(connection: Connection, found: Head, refs: pl.DataFrame) -> pl.DataFrame:
    """The entries of some references. Columns: `SCHEMA`.

    Args:
        connection: of the hub's database.
        found: head of the record.
        refs: columns `KEY`.
    """
    near = _buckets_of(connection, found, np.unique(_bucket(refs, found.buckets)))
    return near.join(refs.select(KEY).unique(), on=list(KEY), how="semi")


def write(
    connection: Connection, found: Head, held: pl.DataFrame, gone: pl.DataFrame, *, anew: bool
) -> int:
    """Write what the consumer holds now, in the transaction that confirms it.

    Args:
        connection: in a transaction.
        found: the head as it is to be; its rows and buckets are counted here.
        held: entries that are new or changed; columns `SCHEMA`, no reference twice.
        gone: references that go, columns `KEY`; an entry that is also held stays.
        anew: the record holds `held` alone.

    Returns:
        Number of buckets written.
    """
    if anew:
        return _all(connection, found, held)
    changed = pl.concat([held.select(KEY), gone.select(KEY)]).unique()
    buckets = np.unique(_bucket(changed, found.buckets))
    before = _buckets_of(connection, found, buckets)
    after = pl.concat([before.join(changed, on=list(KEY), how="anti"), held])
    rows = found.rows - len(before) + len(after)
    if rows > found.buckets * _MOST or (found.buckets > 1 and rows < found.buckets * _LEAST):
        rest = whole(connection, found.agreement).join(changed, on=list(KEY), how="anti")
        return _all(connection, found, pl.concat([rest, held]))
    _put(connection, found, after, buckets)
    put_head(connection, replace(found, rows=rows))
    return len(buckets)


def give_place_back(connection: Connection, written: int) -> None:
    """After many buckets were rewritten: let the place of their old state be used again.

    Args:
        connection: outside a transaction.
        written: buckets that were written.
    """
    if written >= _VACUUM_FROM:
        connection.execute("VACUUM (SKIP_LOCKED, TRUNCATE FALSE) ledger.holding")


def note_pending(
    connection: Connection, agreement: str, transfer: int, refs: list[pl.DataFrame]
) -> None:
    """Note, before rows leave, that the consumer may have them from now on.

    Args:
        connection: of the hub's database.
        agreement: its id.
        transfer: the attempt that sends them.
        refs: columns `KEY`.
    """
    packed = _packed(pl.concat([r.select(KEY) for r in refs]), REF).tobytes()
    connection.execute(
        "INSERT INTO ledger.holding_pending (agreement, transfer, refs) VALUES (%s, %s, %s)",
        (agreement, transfer, packed),
    )


def pending(connection: Connection, agreement: str) -> pl.DataFrame:
    """Rows that the consumer may have from deliveries that were not confirmed. Columns: `KEY`."""
    statement = "SELECT refs FROM ledger.holding_pending WHERE agreement = %s"
    packed = b"".join(scalars(connection, bytes, statement, (agreement,)))
    found = np.frombuffer(packed, REF)
    return pl.DataFrame({n: np.ascontiguousarray(found[n]) for n in KEY}).unique()


def settle_pending(connection: Connection, agreement: str, transfer: int | None = None) -> None:
    """Forget what was pending, in the transaction that confirms.

    Args:
        connection: in a transaction.
        agreement: its id.
        transfer: only what that attempt has noted; None: all.
    """
    connection.execute(
        "DELETE FROM ledger.holding_pending WHERE agreement = %(agreement)s"
        " AND (%(transfer)s::bigint IS NULL OR transfer = %(transfer)s)",
        {"agreement": agreement, "transfer": transfer},
    )


def forget_basis(connection: Connection, agreement: str) -> None:
    """Let the next delivery of an agreement look at all rows."""
    connection.execute(
        "UPDATE ledger.holding_head SET basis = '' WHERE agreement = %s", (agreement,)
    )


def _all(connection: Connection, found: Head, held: pl.DataFrame) -> int:
    made = replace(found, rows=len(held), buckets=max(1, -(-len(held) // _EACH)))
    connection.execute("DELETE FROM ledger.holding WHERE agreement = %s", (found.agreement,))
    copy = "COPY ledger.holding (agreement, bucket, entries) FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(copy) as target:
        target.set_types(["text", "int4", "bytea"])
        for bucket, packed in _by_bucket(held, made.buckets):
            target.write_row((found.agreement, bucket, packed))
    put_head(connection, made)
    return made.buckets


def _put(
    connection: Connection, found: Head, entries: pl.DataFrame, buckets: npt.NDArray[np.int64]
) -> None:
    packed = dict(_by_bucket(entries, found.buckets))
    empty = [b for b in buckets.tolist() if b not in packed]
    if empty:
        connection.execute(
            "DELETE FROM ledger.holding WHERE agreement = %s AND bucket = ANY(%s)",
            (found.agreement, empty),
        )
    numbers = sorted(packed)
    for start in range(0, len(numbers), _STEP):
        some = numbers[start : start + _STEP]
        connection.execute(
            "INSERT INTO ledger.holding (agreement, bucket, entries)"
            " SELECT %b, b, e FROM unnest(%b::int[], %b::bytea[]) AS x (b, e)"
            " ON CONFLICT (agreement, bucket) DO UPDATE SET entries = excluded.entries",
            (found.agreement, some, [packed[n] for n in some]),
        )


def put_head(connection: Connection, made: Head) -> None:
    """Write a record's head."""
    connection.execute(
        "INSERT INTO ledger.holding_head (agreement, key, basis, shape, token_epoch, buckets, rows,"
        " versions, looked_on) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (agreement) DO UPDATE SET key = excluded.key, basis = excluded.basis,"
        " shape = excluded.shape, token_epoch = excluded.token_epoch, buckets = excluded.buckets,"
        " rows = excluded.rows, versions = excluded.versions, looked_on = excluded.looked_on",
        (
            made.agreement,
            made.key,
            made.basis,
            made.shape,
            made.token_epoch,
            made.buckets,
            made.rows,
            Jsonb(dict(made.versions)),
            made.looked_on,
        ),
    )


@dataclass(frozen=True, slots=True)
class _Bucket:
    entries: bytes


def _buckets_of(
    connection: Connection, found: Head, buckets: npt.NDArray[np.int64]
) -> pl.DataFrame:
    lines = fetch_all(
        connection,
        _Bucket,
        "SELECT entries FROM ledger.holding WHERE agreement = %s AND bucket = ANY(%s)",
        (found.agreement, buckets.tolist()),
    )
    return _unpacked(b"".join(line.entries for line in lines))


def _unpacked(packed: bytes) -> pl.DataFrame:
    found = np.frombuffer(packed, ENTRY)
    return pl.DataFrame({n: np.ascontiguousarray(found[n]) for n in SCHEMA}, schema=SCHEMA)


def _bucket(refs: pl.DataFrame, buckets: int) -> npt.NDArray[np.int64]:
    """Number of the bucket of each reference: equal shares of the first 32 bits."""
    first = refs["high"].to_numpy() >> np.uint64(32)
    return ((first * np.uint64(buckets)) >> np.uint64(32)).astype(np.int64)


def _packed(entries: pl.DataFrame, kind: np.dtype[np.void]) -> npt.NDArray[np.void]:
    found = np.empty(len(entries), kind)
    for name in kind.names or ():
        found[name] = entries[name].to_numpy()
    return found


def _by_bucket(entries: pl.DataFrame, buckets: int) -> Iterator[tuple[int, bytes]]:
    """Bucket and packed entries, in the order of the references."""
    if not len(entries):
        return
    ordered = entries.sort(KEY)
    numbers = _bucket(ordered, buckets)
    data = _packed(ordered, ENTRY).tobytes()
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    ends = np.append(starts[1:], len(ordered))
    size = ENTRY.itemsize
    for number, start, end in zip(
        numbers[starts].tolist(), starts.tolist(), ends.tolist(), strict=True
    ):
        yield number, data[start * size : end * size]
