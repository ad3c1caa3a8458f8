"""Typed columns that are what their field wants already: nothing of them has to be computed."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from quality.rows.parsing import BOUNDS
from schemas.models.contract import Field

_AS_THEY_ARE = {
    "date": pa.date32(),
    "integer": pa.int64(),
    "timestamp": pa.timestamp("us", "UTC"),
}
"""By a field's type: the type that its values have in the end, as Arrow names it."""


def is_right(array: pa.Array, field: Field) -> bool:
    """Whether a column is of the field's own type and all its values lie within the bounds.

    Args:
        array: as `reading.normalised` gives it.
        field: the contract's.
    """
    if array.type != _AS_THEY_ARE.get(field.type):
        return False
    found = pc.min_max(array.view(pa.int32() if field.type == "date" else pa.int64()))
    least, most = found["min"].as_py(), found["max"].as_py()
    low, high = BOUNDS[field.type]
    return least is None or (low <= least and most <= high)
