"""The contract's order of the rows of one key, as SQL: which of two is newer, which is older.

The fields of `Contract.ordering`, the first that differs decides; NULL is older than any value.
Texts are compared by their bytes, whatever the database's collation. Where a staging table has
`POSITION`, a row's place in its reading decides after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, LiteralString

from psycopg import sql

from onecard.base.sql_text import query
from schemas.models.contract import Contract

if TYPE_CHECKING:
    import polars as pl

POSITION: LiteralString = "_position"
"""Column of a staging table: place of the row in the reading, from 1; below 0: a late row.

Rows that are rejected have their places among the others, in the table of rejected rows."""
_ROWS = 36
"""Bits of a place that count rows; those above count files, where partitions are read."""
_LATE = 1 << 62
"""Taken off the places of late rows: they keep their order and stand before all others."""


def across(origin: int, place: int) -> int:
    """Place of a row among those of all partitions of a reading.

    Args:
        origin: place of its file among all files, from 0; below 2^24.
        place: of the row in its partition, from 1; below 2^36.
    """
    return (origin << _ROWS) + place


def begin(place: int, *, late: bool) -> int:
    """Place of the first row of a chunk.

    Args:
        place: if none of the chunk's rows is late.
        late: they are older than what was taken before (`onecard.ports.source.Chunk`).
    """
    return place - _LATE if late else place


def placed(good: pl.DataFrame, first: int, without: Sequence[int] = ()) -> pl.DataFrame:
    """Rows with their places in the reading.

    Args:
        good: rows of one chunk, in its order.
        first: place of the chunk's first row (`begin`).
        without: which rows of the chunk are not among them, from 0; their places stay empty.

    Returns:
        The rows with the column `POSITION` besides their own.
    """
    import numpy as np  # noqa: PLC0415 - the caller has both loaded
    import polars as pl  # noqa: PLC0415

    offsets = np.arange(len(good) + len(without), dtype=np.int64)
    places = first + (np.delete(offsets, list(without)) if without else offsets)
    return good.with_columns(pl.Series(POSITION, places))


def newest_first(contract: Contract, *, positions: bool) -> sql.Composed:
    """Sort keys that put the newest row first; rows that they leave equal have equal content.

    Args:
        contract: names the fields.
        positions: the table has `POSITION`.
    """
    content = [name for name in contract.names if name not in contract.ordering]
    return _keys(contract, [*contract.ordering, *([POSITION] if positions else []), *content])


def declared(contract: Contract, *, positions: bool) -> sql.Composed | None:
    """Sort keys of what the contract says of the order, newest first; None where it says nothing.

    Args:
        contract: names the fields.
        positions: the table has `POSITION`.
    """
    stated = positions and contract.stated_file_order
    found = [*contract.ordering, *([POSITION] if stated else [])]
    return _keys(contract, found) if found else None


def older(contract: Contract, *, positions: bool, staged: str = "s") -> sql.Composed:
    """Condition: a row of a staging table is older than the published row `t` of its key.

    Args:
        contract: names the fields.
        positions: the staging table has `POSITION`.
        staged: name of the staging table in the statement.
    """
    cases: list[sql.Composed] = []
    equal: list[sql.Composed] = []
    for name in contract.ordering:
        pair = {"s": _value(contract, name, staged), "t": _value(contract, name, "t")}
        lower = query("({s} < {t} OR ({s} IS NULL AND {t} IS NOT NULL))", **pair)
        cases.append(_all([*equal, lower]))
        equal.append(query("{s} IS NOT DISTINCT FROM {t}", **pair))
    if positions:
        late = query("{p} < 0", p=sql.Identifier(staged, POSITION))
        cases.append(_all([*equal, late]))
    if not cases:
        return query("false")
    return query("coalesce({cases}, false)", cases=sql.SQL(" OR ").join(cases))


def _all(conditions: Iterable[sql.Composed]) -> sql.Composed:
    return query("({c})", c=sql.SQL(" AND ").join(conditions))


def _keys(contract: Contract, names: Iterable[str]) -> sql.Composed:
    keys = [query("{v} DESC NULLS LAST", v=_value(contract, name)) for name in names]
    return sql.SQL(", ").join(keys)


def _value(contract: Contract, name: str, alias: str = "") -> sql.Composed:
    """A column for comparing; the database's own collation is left out of it."""
    column = sql.Identifier(alias, name) if alias else sql.Identifier(name)
    texts = {f.name for f in contract.fields if f.type == "string"}
    return query('{c} COLLATE "C"' if name in texts else "{c}", c=column)
