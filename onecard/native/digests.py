"""Keyed digests of columns, their base32, rows as texts and hashes; None without the library."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
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
WIDTH = 3
"""By the processor's own SHA-256 where it has one and no AVX-512; 4: where it has one; 2: as wide
as it can; 1: with AVX2 at most; 0: with what every processor has."""
MOST_LETTERS = 51
"""Of base32: what 32 bytes give whole."""
_STEP = 16_384
"""Rows whose texts are made at once."""


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
        WIDTH,
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


def not_base32(values: pl.Series, letters: int) -> int | None:
    """How many texts are not so many characters of base32 (RFC 4648).

    Args:
        values: of text; a NULL is none of them.
        letters: of each.

    Returns:
        Their number; None: take the plain path.
    """
    import polars as pl  # noqa: PLC0415 - only where rows flow

    found = library()
    if found is None or values.dtype != pl.String:
        return None
    count, size, columns = found.onecard_not_base32, ctypes.c_size_t, Columns([values])
    count.restype = ctypes.c_int64
    number = int(count(columns.pointer, size(len(values)), size(letters)))
    return None if number < 0 else number


def row_texts(columns: Sequence[pl.Series], head: str) -> Iterator[pl.Series] | None:
    """Each row as one text, as `onecard.deliver.row_refs` defines it.

    Args:
        columns: of text, 32 or 64 bits; at least one.
        head: before the values.

    Returns:
        One text a row, some thousand at a time, at least once: they stand in the same memory, which
        stays in the processor's cache, and are gone when the next are asked for. None: take the
        plain path.
    """
    found = library()
    return None if found is None else _row_texts(found, columns, head.encode())


def _row_texts(
    found: ctypes.CDLL, columns: Sequence[pl.Series], head: bytes
) -> Iterator[pl.Series]:
    import numpy as np  # noqa: PLC0415 - only where rows flow
    import polars as pl  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    there, rows, size = Columns(columns), len(columns[0]), ctypes.c_size_t
    measure = found.onecard_row_texts_size
    measure.restype = ctypes.c_int64
    data, offsets = np.empty(0, np.uint8), np.empty(_STEP + 1, np.int64)
    for first in range(0, max(rows, 1), _STEP):
        count = min(_STEP, rows - first)
        shape = (there.pointer, size(len(columns)), size(count))
        needed = measure(*shape, size(len(head)))
        data = data if len(data) >= needed else np.empty(needed + needed // 8, np.uint8)
        found.onecard_row_texts(*shape, head, size(len(head)), at(offsets), at(data))
        text = pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(data))
        yield pl.Series(pl.from_arrow(text))
        there.skip(count)


def row_hashes(
    columns: Sequence[pl.Series], head: str, digests: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint64] | None:
    """XXH3 of each row's text with its secret before it, as `onecard.deliver.row_refs` defines it.

    Args:
        columns: of text, 32 or 64 bits; at least one.
        head: before the values.
        digests: rows of 32 bytes, whose last 16 are the secret: two decimal numbers.

    Returns:
        One number a row; None: take the plain path.
    """
    import numpy as np  # noqa: PLC0415 - only where rows flow

    found = library()
    if found is None:
        return None
    there, size, text = Columns(columns), ctypes.c_size_t, head.encode()
    shape = (there.pointer, size(len(columns)), size(len(columns[0])))
    measure = found.onecard_row_hashes_room
    measure.restype = ctypes.c_int64
    room = np.empty(measure(*shape, size(len(text))), np.uint8)
    made, secrets = np.empty(len(columns[0]), np.uint64), np.ascontiguousarray(digests)
    found.onecard_row_hashes(*shape, text, size(len(text)), at(secrets), at(room), at(made))
    return made
