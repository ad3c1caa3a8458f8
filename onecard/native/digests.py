"""Keyed digests of whole columns, their base32, and rows as texts; None without the library."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from onecard.native import library
from onecard.native.columns import Columns, at

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

LONGEST_KEY = 64
"""Bytes; a longer one would be hashed first (RFC 2104), which is left to the plain path."""
DIGEST_BYTES = 32
MOST_LETTERS = 51
"""Of base32: what 32 bytes give whole."""


def keyed(
    hashed: Literal["sha256", "sm3"], secret: bytes, prefix: bytes, values: pl.Series
) -> npt.NDArray[np.uint8] | None:
    """HMAC of the prefix and each value.

    Args:
        hashed: of the HMAC.
        secret: the key; it is read in place, and what is made of it wiped.
        prefix: before each value.
        values: of text; a NULL counts as the empty text.

    Returns:
        One row of 32 bytes for each value; None: take the plain path.
    """
    import numpy as np  # noqa: PLC0415 - only where rows flow
    import polars as pl  # noqa: PLC0415

    found = library()
    if found is None or len(secret) > LONGEST_KEY or values.dtype != pl.String:
        return None
    made = np.empty((len(values), DIGEST_BYTES), np.uint8)
    columns = Columns([values])
    size = ctypes.c_size_t
    found.onecard_keyed_digests(
        int(hashed == "sm3"),
        secret,
        size(len(secret)),
        prefix,
        size(len(prefix)),
        columns.pointer,
        size(len(values)),
        at(made),
    )
    return made


def base32(digests: npt.NDArray[np.uint8], letters: int) -> npt.NDArray[np.uint8] | None:
    """The first letters of the base32 of each digest (RFC 4648).

    Args:
        digests: rows of 32 bytes.
        letters: of each, at most `MOST_LETTERS`.

    Returns:
        One row of so many bytes for each digest; None: take the plain path.
    """
    import numpy as np  # noqa: PLC0415 - only where rows flow

    found = library()
    if found is None:
        return None
    made = np.empty((len(digests), letters), np.uint8)
    size = ctypes.c_size_t
    found.onecard_base32(
        at(np.ascontiguousarray(digests)), size(len(digests)), size(letters), at(made)
    )
    return made


def row_texts(
    columns: Sequence[pl.Series], head: str, digests: npt.NDArray[np.uint8] | None = None
) -> pl.Series | None:
    """Each row as one text, as `onecard.deliver.row_refs` defines it.

    Args:
        columns: of text, 32 or 64 bits; at least one.
        head: before the values.
        digests: rows of 32 bytes, whose last 16 stand before the head as two decimal numbers.

    Returns:
        One text a row; None: take the plain path.
    """
    import numpy as np  # noqa: PLC0415 - only where rows flow
    import polars as pl  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    found = library()
    if found is None:
        return None
    rows, first, size = len(columns[0]), head.encode(), ctypes.c_size_t
    there = Columns(columns)
    shape = (there.pointer, size(len(columns)), size(rows))
    measure = found.onecard_row_texts_size
    measure.restype = ctypes.c_int64
    data = np.empty(measure(*shape, size(len(first)), int(digests is not None)), np.uint8)
    offsets = np.empty(rows + 1, np.int64)
    secrets = None if digests is None else np.ascontiguousarray(digests)
    where = None if secrets is None else at(secrets)
    found.onecard_row_texts(*shape, first, size(len(first)), where, at(offsets), at(data))
    text = pa.LargeStringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(data))
    return pl.Series(pl.from_arrow(text))
