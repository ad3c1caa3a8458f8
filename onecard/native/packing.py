"""What consumers hold, packed, and packed groups as rows of COPY; None without the library."""

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
    starts, made = np.empty(groups + 1, np.int64), np.empty(len(held) * ENTRY_BYTES, np.uint8)
    size = ctypes.c_size_t
    found.onecard_pack_entries(
        *map(at, columns), size(len(held)), size(groups), at(starts), at(made)
    )
    return starts, made


def rows(
    head: bytes,
    place: int,
    numbers: npt.NDArray[np.int32],
    starts: npt.NDArray[np.int64],
    records: npt.NDArray[np.uint8],
) -> npt.NDArray[np.uint8] | None:
    """A row of a binary COPY for each group (`onecard.store.packed_copy`).

    Args:
        head: what every row begins with; its last four bytes are for the length of the records.
        place: where in it the group's number goes, four bytes.
        numbers: of the groups.
        starts: where the records of each begin, and the end of the last.
        records: one after the other.

    Returns:
        The rows' bytes; None: take the plain path.
    """
    import numpy as np  # noqa: PLC0415 - only where rows flow

    found = library()
    if found is None:
        return None
    numbers = np.ascontiguousarray(numbers, np.int32)
    starts = np.ascontiguousarray(starts, np.int64)
    made = np.empty(len(numbers) * len(head) + int(starts[-1] - starts[0]), np.uint8)
    size = ctypes.c_size_t
    found.onecard_group_rows(
        head,
        size(len(head)),
        size(place),
        at(numbers),
        at(starts),
        size(len(numbers)),
        at(records),
        at(made),
    )
    return made
