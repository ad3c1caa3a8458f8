"""The columns of a Parquet file: their types, and their values as a contract's fields take them."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.common import source_types
from connectors.common.instants import zoned
from connectors.common.wire_text import as_text
from onecard.model.source_types import DeclaredColumn, SourceType
from schemas.models.contract import LogicalType

SYSTEM = "parquet"
_WITHOUT_ZONE = (
    "has no zone: say in the contract's `format` whether it is local time"
    " (timezone: Asia/Shanghai) or UTC, as Spark and Hive write it (timezone: UTC)"
)

_KINDS: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_string, "string"),
    (pa.types.is_large_string, "string"),
    (pa.types.is_string_view, "string"),
    (pa.types.is_decimal, "decimal"),
    (pa.types.is_boolean, "bool"),
    (pa.types.is_date, "date"),
    (pa.types.is_timestamp, "timestamp"),
    (pa.types.is_time, "time"),
    (pa.types.is_duration, "duration"),
    (pa.types.is_binary, "binary"),
    (pa.types.is_large_binary, "binary"),
    (pa.types.is_binary_view, "binary"),
    (pa.types.is_fixed_size_binary, "fixed_size_binary"),
    (pa.types.is_map, "map"),
    (pa.types.is_struct, "struct"),
    (pa.types.is_nested, "list"),
)
"""What Arrow calls by several names; the rest goes by Arrow's own name."""
_EXTENSIONS = {"arrow.uuid": "uuid", "arrow.json": "json"}


def declared(file: pq.ParquetFile, zone: str | None) -> dict[str, DeclaredColumn]:
    """The columns by name.

    Args:
        file: an open file.
        zone: of times without one; None: such columns are refused.
    """
    old = int96(file)
    found = {}
    for item in file.schema_arrow:
        name = "INT96" if item.name in old else str(item.type)
        found[item.name] = DeclaredColumn(item.name, name, kind_of(item.type, zone))
    return found


def int96(file: pq.ParquetFile) -> list[str]:
    """Top-level columns of the old twelve-byte times, which say nothing of a zone."""
    schema = file.schema
    listed = (schema.column(i) for i in range(len(schema)))
    return [c.name for c in listed if c.physical_type == "INT96" and c.path == c.name]


def kind_of(kind: pa.DataType, zone: str | None) -> SourceType:
    """The type of a column.

    Args:
        kind: as Arrow reads it.
        zone: of times without one, if the contract says so.
    """
    if isinstance(kind, pa.BaseExtensionType):
        return source_types.of(SYSTEM, _EXTENSIONS.get(kind.extension_name, kind.extension_name))
    if pa.types.is_dictionary(kind):
        return kind_of(kind.value_type, zone)
    if pa.types.is_timestamp(kind) and kind.tz is None and zone is None:
        return SourceType("timestamp without zone", "naive", why=_WITHOUT_ZONE)
    name = next((found for test, found in _KINDS if test(kind)), str(kind))
    return source_types.of(SYSTEM, name)


def values(
    column: pa.Array, kind: SourceType, wanted: LogicalType | None, zone: str | None
) -> pa.Array:
    """A column's values as the gate takes them for a field.

    Args:
        column: as it was read.
        kind: its type.
        wanted: the field's type; None: as they are.
        zone: of times without one.
    """
    if pa.types.is_dictionary(column.type):
        if wanted == kind.name == "string" and 2 * len(column.dictionary) <= len(column):
            return column  # the gate checks each text once
        column = column.dictionary_decode()
    if kind.name == "timestamp" and column.type.tz is None and zone is not None:
        return zoned(column, zone)
    form = _FORMS.get(kind.name) if wanted is not None else None
    return form(column, wanted) if form else column


def _uuid_text(column: pa.Array, _wanted: object) -> pa.Array:
    """8-4-4-4-12 hexadecimal digits in lower case (RFC 9562)."""
    storage = column.storage if isinstance(column, pa.ExtensionArray) else column
    digits = pa.array([None if v is None else v.hex() for v in storage.to_pylist()], pa.string())
    pattern = "^(.{8})(.{4})(.{4})(.{4})(.{12})$"
    return pc.replace_substring_regex(digits, pattern, r"\1-\2-\3-\4-\5")


def _clock_text(column: pa.Array, _wanted: object) -> pa.Array:
    """HH:MM:SS, and as many digits of a second as it has."""
    text = column.cast(pa.string())
    text = pc.replace_substring_regex(text, r"(\.\d*?)0+$", r"\1")
    return pc.replace_substring_regex(text, r"\.$", "")


def _boolean_text(column: pa.Array, _wanted: object) -> pa.Array:
    """`true` and `false`, as JSON and PostgreSQL write them."""
    return column.cast(pa.string())


def _decimal_text(column: pa.Array, wanted: object) -> pa.Array:
    """Plain digits; without the zeros behind the point where a whole number is wanted."""
    if wanted == "number":
        return column
    text = as_text(column)
    return pc.replace_substring_regex(text, r"\.0+$", "") if wanted == "integer" else text


_FORMS: dict[str, Callable[[pa.Array, object], pa.Array]] = {
    "bool": _boolean_text,
    "decimal": _decimal_text,
    "time": _clock_text,
    "uuid": _uuid_text,
}
"""Types whose values stand as text in the batch."""
