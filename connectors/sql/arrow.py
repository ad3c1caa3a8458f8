"""What databases give, as the gate wants it: exact decimals as text, times with a zone."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from onecard.base.times import CLOCKS, CLOCKS_SINCE, OFFSET


def normalised(batch: pa.RecordBatch, zone: str) -> pa.RecordBatch:
    """The same columns: NUMERIC, an extension over text, becomes text; naive times get `zone`."""
    columns = [
        zoned(c, zone) if pa.types.is_timestamp(c.type) and c.type.tz is None else _storage(c)
        for c in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def zoned(column: pa.Array, zone: str) -> pa.Array:
    """Naive local times as instants.

    A column with a time that was twice (1988-09-11 01:30) or never stays naive: the gate takes such
    columns for local time as well, and quarantines only the rows concerned (F24).
    """
    instants = pa.timestamp("us", "UTC")
    try:
        found = pc.assume_timezone(column, zone).cast(instants)
    except pa.ArrowInvalid:
        return column
    old = pc.less(column, pa.scalar(CLOCKS_SINCE, column.type))
    if zone != CLOCKS or not pc.any(old).as_py():
        return found
    return pc.if_else(old, pc.assume_timezone(column, OFFSET).cast(instants), found)


def _storage(column: pa.Array) -> pa.Array:
    return column.storage if isinstance(column.type, pa.BaseExtensionType) else column
