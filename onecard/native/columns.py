"""Columns of Polars as the library reads them: pointers into their own memory, nothing copied."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl
    import pyarrow as pa

_TEXTS, _NUMBERS_32, _NUMBERS_64 = range(3)


class _Column(ctypes.Structure):
    """`column` of views.h."""

    _fields_ = (
        ("kind", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("valid", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
        ("buffers", ctypes.c_void_p),
    )


class Columns:
    """Some columns for the time of a call; what they point to lives as long as this.

    Args:
        series: of text, days, instants or whole numbers, all of one length.
    """

    def __init__(self, series: Sequence[pl.Series]) -> None:
        self._alive: list[object] = []
        self.pointer = (_Column * len(series))(*map(self._column, series))

    def skip(self, rows: int) -> None:
        """Begin so many rows later."""
        for column in self.pointer:
            column.offset += rows

    def _column(self, one: pl.Series) -> _Column:
        import polars as pl  # noqa: PLC0415 - only where rows flow

        kinds = {pl.String: _TEXTS, pl.Int32: _NUMBERS_32, pl.Int64: _NUMBERS_64}
        kind = kinds[type(one.dtype)]
        array: pa.Array = one.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())
        valid, values, *data = array.buffers()
        places = (ctypes.c_void_p * max(1, len(data)))(*(b.address for b in data))
        self._alive += [array, places]
        return _Column(
            kind,
            array.offset,
            valid.address if valid and array.null_count else None,
            values.address if values else None,
            ctypes.cast(places, ctypes.c_void_p),
        )


def at(array: npt.NDArray[np.generic]) -> ctypes.c_void_p:
    """Where an array lies, which lives as long as the call."""
    return ctypes.c_void_p(array.ctypes.data)
