"""What each consumer holds: a keyed reference and a digest of every row that it has.

Tables `ledger.holding_head` and `ledger.holding`; of deliveries that are not confirmed see
`onecard.store.holding_pending`. A reference is 128 bits of a keyed digest of the row's key, a
digest 48 bits that only who has the key can compute (`onecard.deliver.row_refs`): whoever has only
the database learns from them nobody's data. Entries are packed by bucket (the first bits of the
reference), twenty in each: 26 bytes an entry, some 31 on disk, and a few changes write a few
kilobytes (ADR 0020).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl
from psycopg.types.json import Jsonb

from onecard.base.prefetch import prefetch
from onecard.native import packing
from onecard.store.database import Connection, fetch_all, fetch_one, one_scalar
from onecard.store.packed_copy import Groups, copy_groups

ENTRY = np.dtype(
    [("high", "<u8"), ("low", "<u8"), ("first", "<u4"), ("rest", "<u2"), ("transfer", "<u4")]
)
"""As entries are stored: the digest in two parts."""
DIGEST_BITS = 48
"""A changed row has the digest that it had before once in 280 million million times."""
SCHEMA = {"high": pl.UInt64, "low": pl.UInt64, "digest": pl.UInt64, "transfer": pl.UInt32}
KEY = ("high", "low")
UNKNOWN = 0
"""Digest of a row of which only the key is known to be there; no row has it."""

_EACH, _MOST, _LEAST = 20, 64, 6
"""Entries in a bucket when it is made, and when all are made anew. An entry must not be moved out
of its row (2 KB), which costs more."""
_AT_ONCE = 400_000
"""Entries that are packed while the database takes those before."""
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
        number: by which its entries are found; 0 before it is written.
        to_reconcile: the record was made of delivered versions, and the inbox, which can be read
            back, was not compared with it yet.
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
    number: int = 0
    to_reconcile: bool = False


def head(connection: Connection, agreement: str) -> Head | None:
    """The head of an agreement's record; None where there is no record."""
    return fetch_one(
        connection,
        Head,
        "SELECT agreement, key, regexp_replace(basis, '^seeded:', '') AS basis, shape, token_epoch,"
        " buckets, rows, versions, looked_on, number, starts_with(basis, 'seeded:') AS to_reconcile"
        " FROM ledger.holding_head WHERE agreement = %s",
        (agreement,),
    )


def no_entries() -> pl.DataFrame:
    """No entry. Columns: `SCHEMA`."""
    return pl.DataFrame(schema=SCHEMA)


def whole(connection: Connection, number: int) -> pl.DataFrame:
    """All entries of a record. Columns: `SCHEMA`.

    Args:
        connection: of the hub's database.
        number: of its head, or under which it was staged.
    """
    statement = "SELECT entries FROM ledger.holding WHERE holder = %s ORDER BY bucket"
    with connection.cursor(binary=True) as cursor:
        packed = b"".join(
            bytes(row[0])  # type: ignore[call-overload]
            for row in cursor.execute(statement, (number,))
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
    if not len(near):
        return near
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
        Number of buckets that had another state before, which still takes its place.
    """
    if anew:
        return write_all(connection, found, packed(held))
    changed = pl.concat([held.select(KEY), gone.select(KEY)]).unique()
    buckets = np.unique(_bucket(changed, found.buckets))
    before = _buckets_of(connection, found, buckets)
    after = pl.concat([before.join(changed, on=list(KEY), how="anti"), held])
    rows = found.rows - len(before) + len(after)
    if rows > found.buckets * _MOST or (found.buckets > 1 and rows < found.buckets * _LEAST):
        rest = whole(connection, found.number).join(changed, on=list(KEY), how="anti")
        return write_all(connection, found, packed(pl.concat([rest, held])))
    _put(connection, found, after, buckets)
    put_head(connection, replace(found, rows=rows))
    return len(buckets)


@dataclass(frozen=True, slots=True)
class Packed:
    """All entries of a record on their way into their buckets.

    Attributes:
        entries: columns `SCHEMA`, no reference twice.
        buckets: number of buckets.
    """

    entries: pl.DataFrame
    buckets: int

    @property
    def rows(self) -> int:
        """Number of entries."""
        return len(self.entries)

    def groups(self) -> Iterator[Groups]:
        """The entries of each bucket that has any: of some buckets, then of the next ones."""
        step = max(1, self.buckets * _AT_ONCE // max(self.rows, 1))
        for first in range(0, self.buckets, step):
            some = pl.col("high") >= _begins(first, self.buckets)
            if first + step < self.buckets:
                some &= pl.col("high") < _begins(first + step, self.buckets)
            yield _grouped(self.entries.filter(some), self.buckets)


def packed(held: pl.DataFrame) -> Packed:
    """All entries of a record; columns `SCHEMA`, no reference twice."""
    return Packed(held, max(1, -(-len(held) // _EACH)))


def write_all(connection: Connection, found: Head, entries: Packed) -> int:
    """As `write` anew.

    Args:
        connection: in a transaction.
        found: the head as it is to be, but for rows and buckets.
        entries: all that the record is to hold.
    """
    made = replace(found, rows=entries.rows, buckets=entries.buckets)
    number = put_head(connection, made)
    before = drop(connection, number)
    _copy(connection, number, entries)
    return before


def stage(connection: Connection, entries: Packed) -> int:
    """Write a record that is nobody's yet; returns the number under which it stands.

    Args:
        connection: in a transaction.
        entries: all that it holds.
    """
    number = one_scalar(
        connection,
        int,
        "SELECT nextval(pg_get_serial_sequence('ledger.holding_head', 'number'))::int",
    )
    _copy(connection, number, entries)
    return number


def adopt(connection: Connection, found: Head, entries: Packed, number: int) -> int:
    """As `write_all`, of entries that were staged.

    Args:
        connection: in a transaction.
        found: the head as it is to be, but for number, rows and buckets.
        entries: all that the record is to hold.
        number: under which they stand.
    """
    made = replace(found, rows=entries.rows, buckets=entries.buckets, number=number)
    put_head(connection, made)
    return drop(connection, found.number)


def drop(connection: Connection, number: int) -> int:
    """Delete what stands under a number; returns how many buckets that were.

    Args:
        connection: of the hub's database.
        number: of a head, or of a staged record.
    """
    statement = "DELETE FROM ledger.holding WHERE holder = %s"
    return connection.execute(statement, (number,)).rowcount


def _copy(connection: Connection, number: int, entries: Packed) -> None:
    copy = "COPY ledger.holding (holder, bucket, entries) FROM STDIN (FORMAT BINARY)"
    fields = (("int4", number), ("int4", None))
    if entries.rows <= _AT_ONCE:
        copy_groups(connection, copy, fields, entries.groups())
        return
    with closing(prefetch(entries.groups(), "packing", depth=1)) as parts:
        copy_groups(connection, copy, fields, parts)


def give_place_back(connection: Connection, rewritten: int) -> None:
    """After many buckets were rewritten: let the place of their old state be used again.

    Args:
        connection: outside a transaction.
        rewritten: buckets that had another state before.
    """
    if rewritten >= _VACUUM_FROM:
        connection.execute("VACUUM (SKIP_LOCKED, TRUNCATE FALSE) ledger.holding")


def _put(
    connection: Connection, found: Head, entries: pl.DataFrame, buckets: npt.NDArray[np.int64]
) -> None:
    some = _grouped(entries, found.buckets)
    groups = dict(zip(some.numbers.tolist(), some.parts(), strict=True))
    empty = [b for b in buckets.tolist() if b not in groups]
    if empty:
        connection.execute(
            "DELETE FROM ledger.holding WHERE holder = %s AND bucket = ANY(%s)",
            (found.number, empty),
        )
    numbers = sorted(groups)
    for start in range(0, len(numbers), _STEP):
        step = numbers[start : start + _STEP]
        connection.execute(
            "INSERT INTO ledger.holding (holder, bucket, entries)"
            " SELECT %b, b, e FROM unnest(%b::int[], %b::bytea[]) AS x (b, e)"
            " ON CONFLICT (holder, bucket) DO UPDATE SET entries = excluded.entries",
            (found.number, step, [groups[n] for n in step]),
        )


def put_head(connection: Connection, made: Head) -> int:
    """Write a record's head; returns its number: the one that it says, else the one that it has."""
    return one_scalar(
        connection,
        int,
        "INSERT INTO ledger.holding_head AS h (agreement, number, key, basis, shape, token_epoch,"
        " buckets, rows, versions, looked_on) VALUES (%(agreement)s, coalesce(%(number)s::int,"
        " nextval(pg_get_serial_sequence('ledger.holding_head', 'number'))), %(key)s, %(basis)s,"
        " %(shape)s, %(token_epoch)s, %(buckets)s, %(rows)s, %(versions)s, %(looked_on)s)"
        " ON CONFLICT (agreement) DO UPDATE SET number = coalesce(%(number)s::int, h.number),"
        " key = excluded.key, basis = excluded.basis, shape = excluded.shape,"
        " token_epoch = excluded.token_epoch, buckets = excluded.buckets, rows = excluded.rows,"
        " versions = excluded.versions, looked_on = excluded.looked_on RETURNING number",
        {
            "agreement": made.agreement,
            "number": made.number or None,
            "key": made.key,
            "basis": f"seeded:{made.basis}" if made.to_reconcile else made.basis,
            "shape": made.shape,
            "token_epoch": made.token_epoch,
            "buckets": made.buckets,
            "rows": made.rows,
            "versions": Jsonb(dict(made.versions)),
            "looked_on": made.looked_on,
        },
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
        "SELECT entries FROM ledger.holding WHERE holder = %s AND bucket = ANY(%s)",
        (found.number, buckets.tolist()),
    )
    return _unpacked(b"".join(line.entries for line in lines))


def _unpacked(packed: bytes) -> pl.DataFrame:
    found = np.frombuffer(packed, ENTRY)
    columns = {n: np.ascontiguousarray(found[n]) for n in ("high", "low", "transfer")}
    rest = found["rest"].astype(np.uint64) << np.uint64(32)
    columns["digest"] = rest | found["first"].astype(np.uint64)
    return pl.DataFrame(columns).select(list(SCHEMA))


def _bucket(refs: pl.DataFrame, buckets: int) -> npt.NDArray[np.int64]:
    """Number of the bucket of each reference: equal shares of the first 32 bits."""
    first = refs["high"].to_numpy() >> np.uint64(32)
    return ((first * np.uint64(buckets)) >> np.uint64(32)).astype(np.int64)


def _begins(bucket: int, buckets: int) -> int:
    """The least `high` of a bucket."""
    return -(-(bucket << 32) // buckets) << 32


def _grouped(entries: pl.DataFrame, buckets: int) -> Groups:
    """Packed entries by bucket, in the order of their references."""
    found = packing.entries(entries, buckets)
    starts, records = _sorted(entries, buckets) if found is None else found
    numbers = np.flatnonzero(np.diff(starts)).astype(np.int32)
    places = np.append(starts[numbers], starts[-1]) * ENTRY.itemsize
    return Groups(numbers, places, records)


def _sorted(
    entries: pl.DataFrame, buckets: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """`packing.entries` without the compiled library."""
    ordered = entries.sort(KEY)
    found = np.empty(len(ordered), ENTRY)
    for name in ("high", "low", "transfer"):
        found[name] = ordered[name].to_numpy()
    digest = ordered["digest"].to_numpy()
    found["first"] = digest & np.uint64(0xFFFFFFFF)
    found["rest"] = digest >> np.uint64(32)
    starts = np.searchsorted(_bucket(ordered, buckets), np.arange(buckets + 1))
    return starts, found.view(np.uint8)
