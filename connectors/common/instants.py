"""Times that a source keeps without a zone, as instants."""

from __future__ import annotations

from datetime import UTC

import pyarrow as pa
import pyarrow.compute as pc

from onecard.base.times import CLOCKS, CLOCKS_SINCE, OFFSET, ZONE

_SINCE = int(CLOCKS_SINCE.replace(tzinfo=UTC).timestamp())
_CLOCKS_SECONDS = (_SINCE, 253_402_300_800)
"""From when to when clocks count, in seconds since 1970; the year 10000 is beyond all calendars."""
_EAST_SECONDS = _SINCE - int(CLOCKS_SINCE.replace(tzinfo=ZONE).timestamp())
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_LARGEST = 2**63 - 1


def zoned(column: pa.Array, zone: str) -> pa.Array:
    """Naive local times as instants.

    A column with a time that was twice (1988-09-11 01:30) or never stays naive: the gate takes such
    columns for Beijing time as well, and quarantines only the rows concerned (F24).
    """
    utc = pa.timestamp(column.type.unit, "UTC")
    if zone != CLOCKS:
        return _east(column) if zone == OFFSET else column.cast(utc)
    count, per_second = column.cast(pa.int64()), _PER_SECOND[column.type.unit]
    low, high = (min(bound * per_second, _LARGEST) for bound in _CLOCKS_SECONDS)
    found = pc.min_max(count)
    first, last = found["min"].as_py(), found["max"].as_py()
    try:
        if first is None or (low <= first and last < high):
            return pc.assume_timezone(column, zone).cast(utc)
        inside = pc.and_(pc.greater_equal(count, low), pc.less(count, high))
        usual = pc.if_else(inside, column, pa.scalar(0).cast(column.type))
        return pc.if_else(inside, pc.assume_timezone(usual, zone).cast(utc), _east(column))
    except pa.ArrowInvalid:
        return column


def _east(column: pa.Array) -> pa.Array:
    """Times at +08:00; what lies beyond all calendars stays beyond them."""
    unit = column.type.unit
    count = pc.subtract(column.cast(pa.int64()), _EAST_SECONDS * _PER_SECOND[unit])
    return count.cast(pa.timestamp(unit, "UTC"))
