"""Records that are looked for by the texts of their keys, many in one statement.

The texts come from rejected rows, so they may be anything. They are compared as the key's own type
where that has one text for each value (texts, whole numbers, dates), so that PostgreSQL may use an
index; a text that no value has, or that PostgreSQL cannot hold, finds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import LiteralString

from psycopg import sql

from onecard.base.sql_text import query
from schemas.models.contract import Contract

_ARRAYS: dict[str, LiteralString] = {"integer": "%s::bigint[]", "date": "%s::date[]"}
_BIGINT = range(-(1 << 63), 1 << 63)


def arrays(contract: Contract) -> sql.Composed:
    """Parameters of `unnest`, one for each field of the key, as `values` fills them.

    Args:
        contract: of the dataset.
    """
    types = (contract.field(name).type for name in contract.key)
    return sql.SQL(", ").join([sql.SQL(_ARRAYS.get(t, "%s::text[]")) for t in types])


def columns(contract: Contract) -> sql.Composed:
    """Names of what comes of them."""
    return sql.SQL(", ").join([sql.Identifier(f"k{i}") for i in range(len(contract.key))])


def same(contract: Contract) -> sql.Composed:
    """Condition: the row `t` of a table is of the record `k`."""
    pairs: list[sql.Composed] = []
    for i, name in enumerate(contract.key):
        typed = contract.field(name).type in ("string", *_ARRAYS)
        value = query("{t}" if typed else "{t}::text", t=sql.Identifier("t", name))
        pairs.append(query("{v} = {k}", v=value, k=sql.Identifier("k", f"k{i}")))
    return sql.SQL(" AND ").join(pairs)


def values(contract: Contract, keys: Sequence[Sequence[str]]) -> list[list[object]]:
    """Those parameters; NULL, which equals nothing, where no row has such a key.

    Args:
        contract: of the dataset.
        keys: texts of each record's key.
    """
    types = [contract.field(name).type for name in contract.key]
    return [[_value(t, key[i]) for key in keys] for i, t in enumerate(types)]


def _value(kind: str, text: str) -> object:
    """As PostgreSQL would write it, or nothing."""
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        return None
    if kind not in _ARRAYS:
        return text
    try:
        found = int(text) if kind == "integer" else date.fromisoformat(text)
    except ValueError:
        return None
    is_held = not isinstance(found, int) or found in _BIGINT
    return found if str(found) == text and is_held else None
