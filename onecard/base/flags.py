"""A flag for each row of a frame."""

from __future__ import annotations

import polars as pl


def flags(rows: int, *, value: bool = False) -> pl.Series:
    """One flag for so many rows; `pl.repeat` runs a query for it, which a small batch feels.

    Args:
        rows: how many; 0 gives an empty column.
        value: of each.
    """
    return pl.Series([value]).new_from_index(0, rows)
