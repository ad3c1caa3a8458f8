"""Packed entries of what a consumer holds; None without the library."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from onecard.native import library
from onecard.native.columns import at

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

ENTRY_BYTES = 26


def entries(
    held: pl.DataFrame, groups: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]] | None:
    """Entries of `onecard.store.holding`, packed, by group and then by reference.

    Args:
        held: columns `holding.SCHEMA`.
        groups: number of groups.

    Returns:
        Where each group starts among the rows, with the end of the last, and 26 bytes a row; None:
        take the plain path.
    """
    import numpy as np  # noqa: PLC0415 - only where rows flow

    found = library()
    if found is None:
        return None
    kinds = {"high": np.uint64, "low": np.uint64, "digest": np.uint64, "transfer": np.uint32}
    columns = [np.ascontiguousarray(held[n].to_numpy(), kind) for n, kind in kinds.items()]
    starts, order = np.empty(groups + 1, np.int64), np.empty(len(held), np.int64)
    made = np.empty(len(held) * ENTRY_BYTES, np.uint8)
    size = ctypes.c_size_t
    found.onecard_pack_entries(
        *map(at, columns), size(len(held)), size(groups), at(starts), at(order), at(made)
    )
    return starts, made
