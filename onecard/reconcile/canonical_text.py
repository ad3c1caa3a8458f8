"""Values as one text each, however a system stores them.

What leaves as `12.50` stands in an inbox as NUMERIC, as text (SQLite, CSV) or as a Parquet decimal;
a time stands there with a zone, or as Beijing time. Two values are the same when their canonical
texts are: integers and decimals plain and with the scale they left with, dates ISO 8601, times in
UTC to the microsecond, NULL as NULL and never as the empty string.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from onecard.base.times import OFFSET

PLAIN_SCALE = 6
"""Up to this scale Arrow writes decimals plainly; beyond it 0.0000001 becomes 1E-7."""
UNREADABLE = "?"
"""Stands before what is no value of its column's type; no canonical text begins with it."""

_REFUSED = (pa.ArrowInvalid, pa.ArrowNotImplementedError)


def canonical_text(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """A column as canonical texts.

    Args:
        column: as it was read, typed or as text.
        kind: the type with which it left the hub.

    Returns:
        Texts; what is no value of that type is kept, marked `UNREADABLE`, and equals nothing.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _written(column)
    try:
        return _written(_typed(column, kind))
    except _REFUSED:
        return pa.array([_alone(column[i : i + 1], kind) for i in range(len(column))], pa.string())


def typed(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Canonical texts as values again.

    Args:
        texts: as `canonical_text` gives them.
        kind: the type with which the column left the hub.

    Returns:
        Values of that type; NULL for what is none.
    """
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return texts.cast(kind)
    found = []
    for index in range(len(texts)):
        try:
            found.append(_typed(texts[index : index + 1], kind).cast(kind)[0])
        except _REFUSED:
            found.append(pa.scalar(None, kind))
    return pa.array(found, kind)


def _alone(value: pa.Array, kind: pa.DataType) -> str | None:
    """One value of a column that holds others which are no values of its type."""
    try:
        found: str | None = _written(_typed(value, kind))[0].as_py()
    except _REFUSED:
        return f"{UNREADABLE}{_written(value)[0].as_py()}"
    return found


def _typed(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(kind) and pa.types.is_integer(column.type):
        return column.cast(pa.string()).cast(kind)  # Arrow asks for room for every integer
    if not pa.types.is_timestamp(kind):
        return column.cast(kind)
    if pa.types.is_timestamp(column.type):
        return _instants(column)
    try:
        return column.cast(pa.timestamp("us", "UTC"))
    except _REFUSED:  # without a zone
        return _instants(column.cast(pa.timestamp("us")))


def _instants(column: pa.Array) -> pa.Array:
    if column.type.tz is None:
        column = pc.assume_timezone(column, OFFSET)
    return column.cast(pa.timestamp("us", "UTC"))


def _written(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        return pc.strftime(_instants(column), format="%Y-%m-%dT%H:%M:%SZ")
    if pa.types.is_decimal(column.type) and not 0 <= column.type.scale <= PLAIN_SCALE:
        values = column.to_pylist()
        return pa.array([None if v is None else format(v, "f") for v in values], pa.string())
    text = column.cast(pa.string())
    return pc.replace_substring(text, "\0", "\ufffd")  # which PostgreSQL cannot hold
