"""Rows as they stand in JSON and CSV: decimals plain, times ISO 8601 with +08:00, NULL as null."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from onecard.base.times import OFFSET

PLAIN_SCALE = 6
"""Up to this scale Arrow writes decimals plainly; beyond it 0.0000001 becomes 1E-7."""


def as_text(column: pa.Array) -> pa.Array:
    """A column as text."""
    if pa.types.is_timestamp(column.type) and column.type.tz:
        local = column.cast(pa.timestamp("us", OFFSET))
        return pc.strftime(local, format=f"%Y-%m-%dT%H:%M:%S{OFFSET}")
    if pa.types.is_decimal(column.type) and not 0 <= column.type.scale <= PLAIN_SCALE:
        return pa.array(
            [None if v is None else format(v, "f") for v in column.to_pylist()], pa.string()
        )
    return column.cast(pa.string())


def rows_as_text(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """A batch as a list of objects: its columns are the keys, the values text or None."""
    columns = [as_text(column) for column in batch.columns]
    named = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
    rows: list[dict[str, Any]] = named.to_pylist()
    return rows
