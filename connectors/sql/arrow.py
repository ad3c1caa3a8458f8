"""What databases give, as the gate wants it: exact decimals as text, times with a zone."""

from __future__ import annotations

import pyarrow as pa

from connectors.common.instants import zoned


def normalised(batch: pa.RecordBatch, zone: str) -> pa.RecordBatch:
    """The same columns: NUMERIC, an extension over text, becomes text; naive times get `zone`."""
    columns = [
        zoned(c, zone) if pa.types.is_timestamp(c.type) and c.type.tz is None else _storage(c)
        for c in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _storage(column: pa.Array) -> pa.Array:
    return column.storage if isinstance(column.type, pa.BaseExtensionType) else column
