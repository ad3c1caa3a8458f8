"""From a source's Arrow batch to a frame that Polars can hold: no value may stop the worker.

Polars panics on some values that Arrow carries (dates beyond year 262143, 256-bit decimals) and
trusts text to be UTF-8; SQLite and careless drivers do not keep that promise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from onecard.base.blanks import BLANKS
from onecard.errors import SchemaMismatch
from onecard.ports.source import Chunk
from schemas.models.contract import Field

_BEYOND_SECONDS = 400_000_000_000
"""A second far after the year 9999: instants beyond it are cut to it, and refused later."""

_SPACE, _HIGH = 0x20, 0x80
_BEGINS_BLANK = np.zeros(256, np.bool_)
_BEGINS_BLANK[: _SPACE + 1] = True
_BEGINS_BLANK[sorted({c.encode()[0] for c in BLANKS})] = True
"""First bytes of what may be a blank, controls among it."""

Offsets = npt.NDArray[Any]
"""32 or 64 bits, as the column has them."""
Bytes = npt.NDArray[np.uint8]

_HELD = (
    types.is_null,
    types.is_integer,
    types.is_floating,
    types.is_boolean,
    types.is_date32,
    types.is_timestamp,
    types.is_decimal128,
)


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch's contract columns.

    Attributes:
        frame: one column per field, in contract order.
        foreign: fields given as a type that no field has (binary, list, time ...): their values
            stand as text, and each of them is of the wrong type.
        plain: text columns that hold nothing but printable ASCII.
        tight: text columns in which no value has a blank, of whatever width, at an end.
        absent: fields that the batch lacks and that may be lacking; NULL in the frame.
        unread: fields with values that the source could not give as its own type; these stand as
            text in a column more each (`unread`), and are NULL in the field's; a second one says
            which rule each breaks (`because`).
    """

    frame: pl.DataFrame
    foreign: frozenset[str]
    plain: frozenset[str]
    absent: frozenset[str] = frozenset()
    tight: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()


def unread(name: str) -> str:
    """Name of the column that holds what could not be read of a field; no field is called so."""
    return f"unread {name}"


def because(name: str) -> str:
    """Name of the column that says why a value of a field could not be read."""
    return f"because {name}"


def read(
    chunk: Chunk, fields: Iterable[Field], optional_fields: frozenset[str] = frozenset()
) -> Rows:
    """The contract's columns of a chunk, of which `optional_fields` may be lacking.

    Args:
        chunk: columns by contract name, text or already typed.
        fields: the contract's, in order.
        optional_fields: those whose column may be lacking.

    Raises:
        SchemaMismatch: the batch lacks a column.
    """
    batch, columns = chunk.batch, {}
    foreign, plain, tight = set(), set(), set()
    absent = optional_fields - set(batch.schema.names)
    for field in fields:
        if field.name in absent:
            columns[field.name] = pa.nulls(batch.num_rows, pa.string())
            continue
        if field.name not in batch.schema.names:
            msg = f"field {field.name}: the batch has no such column"
            raise SchemaMismatch(msg)
        array, held = normalised(batch.column(field.name), field)
        if not held:
            foreign.add(field.name)
        if is_text(array.type):
            if field.type == "string" and not field.codes and _tight(array):
                tight.add(field.name)
            if _printable(array):
                plain.add(field.name)
            else:
                array = _valid(array)
        columns[field.name] = array
    lost = tuple(name for name in columns if chunk.unread.get(name))
    for name in lost:
        texts = chunk.unread[name]
        columns[unread(name)] = pa.array(map(texts.get, range(batch.num_rows)), pa.string())
        rules = chunk.because.get(name, {})
        said = (rules.get(i, "type") if i in texts else None for i in range(batch.num_rows))
        columns[because(name)] = pa.array(said, pa.string())
    frame = pl.DataFrame(pl.from_arrow(pa.record_batch(columns)))
    return Rows(frame, frozenset(foreign), frozenset(plain), absent, frozenset(tight), lost)


def some(batch: pa.RecordBatch, offsets: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Some rows of a batch.

    Args:
        batch: columns of whatever types.
        offsets: of the rows.
    """
    taken = pa.array(offsets)
    columns = [
        (c.cast(pa.large_string()) if types.is_string_view(c.type) else c).take(taken)
        for c in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text, in whatever layout.

    Args:
        kind: type of the column.
    """
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def is_listed(kind: pa.DataType) -> bool:
    """Whether a column holds each text once, and names it by a number.

    Args:
        kind: type of the column.
    """
    return bool(types.is_dictionary(kind)) and is_text(kind.value_type)


def normalised(array: pa.Array, field: Field) -> tuple[pa.Array, bool]:
    """The array as a type that Polars holds, and whether a field may be of that type.

    Args:
        array: as read.
        field: the contract's.
    """
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if types.is_date64(kind):
        return array.cast(pa.date32(), safe=False), True
    if types.is_float16(kind):
        return array.cast(pa.float32()), True
    if types.is_timestamp(kind):
        return _instants(array), True
    if types.is_decimal256(kind):
        return array.cast(pa.string()), field.type == "number"
    if types.is_decimal32(kind) or types.is_decimal64(kind):
        return array.cast(pa.decimal128(kind.precision, kind.scale)), True
    held = is_text(kind) or any(test(kind) for test in _HELD)
    return (array if held else _as_text(array)), held


def _instants(array: pa.Array) -> pa.Array:
    """Whole seconds as milliseconds; any zone as UTC, which names the same instants."""
    zone = array.type.tz
    if array.type.unit == "s":
        seconds = array.cast(pa.int64())
        cut = pc.max_element_wise(seconds, -_BEYOND_SECONDS, skip_nulls=False)
        cut = pc.min_element_wise(cut, _BEYOND_SECONDS, skip_nulls=False)
        array = pc.multiply(cut, 1000).cast(pa.timestamp("ms", zone))
    return array if zone is None else array.cast(pa.timestamp(array.type.unit, "UTC"))


def _as_text(array: pa.Array) -> pa.Array:
    """Values of a foreign type, readable as far as they can be."""
    try:
        values = array.to_pylist()
        texts = [None if v is None else v.hex() if isinstance(v, bytes) else str(v) for v in values]
        return pa.array(texts, pa.string())
    except ValueError:  # nested text that is no UTF-8, nanoseconds
        kind = str(array.type)
        return pa.array([kind if there else None for there in array.is_valid()], pa.string())


def _bytes(array: pa.Array) -> tuple[Offsets, Bytes] | None:
    """Where each text begins, the end of the last behind them, and the bytes; None without any."""
    buffers = array.buffers()
    if types.is_string_view(array.type) or not len(array) or buffers[2] is None:
        return None
    wide = np.int64 if types.is_large_string(array.type) else np.int32
    offsets = np.frombuffer(buffers[1], wide)[array.offset : array.offset + len(array) + 1]
    return offsets, np.frombuffer(buffers[2], np.uint8)


def _printable(array: pa.Array) -> bool:
    """Whether all bytes of a text column are printable ASCII: then it is UTF-8 without controls."""
    found = _bytes(array)
    if found is None:
        return bool(array.null_count == len(array))
    offsets, data = found
    data = data[offsets[0] : offsets[-1]]
    return not len(data) or bool(data.min() >= 0x20 and data.max() < 0x7F)


def _tight(array: pa.Array) -> bool:
    """Whether no text of a column can have a blank at an end, told by bytes of UTF-8.

    A blank is ASCII, or has two bytes that begin with C2, CD or D8, or three that begin with E1,
    E2, E3 or EF; ideographs of the BMP but extension A begin with E4 to E9.
    """
    found = _bytes(array)
    if found is None:
        return bool(array.null_count == len(array))
    offsets, data = found
    starts, ends = offsets[:-1], offsets[1:]
    long = ends > starts
    if not long.all():
        starts, ends = starts[long], ends[long]
    if not len(starts):
        return True
    begins = _BEGINS_BLANK
    if begins[data[starts]].any() or (data[ends - 1] <= _SPACE).any():
        return False
    if data[offsets[0] : offsets[-1]].max() < _HIGH:
        return True
    two, three = np.maximum(ends - 2, starts), np.maximum(ends - 3, starts)
    return (
        not (begins[data[two]] & (data[two] >= _HIGH)).any()
        and not (begins[data[three]] & (data[three] >= _HIGH)).any()
    )


def _valid(array: pa.Array) -> pa.Array:
    """The text, with U+FFFD for bytes that are no UTF-8 (lone surrogates among them)."""
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        raw = array.cast(pa.large_string()).cast(pa.large_binary()).to_pylist()
        return pa.array([None if v is None else v.decode("utf-8", "replace") for v in raw])
    return array
