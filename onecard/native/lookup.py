"""Finds numbers that are spread evenly, as hashes are, in a sorted array."""

from __future__ import annotations

import ctypes

import numpy as np
import numpy.typing as npt

from onecard import native

_IN_A_BUCKET = 4
"""Values that a bucket holds on average: one or two lines of the processor's cache."""
Numbers = npt.NDArray[np.int64]


class Lookup:
    """Places of numbers in a sorted array that does not change; 1 to 2 bytes more a number."""

    def __init__(self, values: Numbers) -> None:
        """Keep the array.

        Args:
            values: sorted, fewer than 2^32.
        """
        self._sorted = np.ascontiguousarray(values)
        bits = max(1, (len(values) // _IN_A_BUCKET).bit_length())
        self._shift = 64 - bits
        first = (np.arange(2**bits, dtype=np.uint64) << np.uint64(self._shift)) ^ np.uint64(2**63)
        starts = np.searchsorted(self._sorted, first.view(np.int64))
        self._starts = np.append(starts, len(values)).astype(np.uint32)

    @property
    def values(self) -> Numbers:
        """The array."""
        return self._sorted

    def places(self, wanted: Numbers) -> Numbers:
        """Place of the first equal number for each that is wanted, -1 for none.

        Args:
            wanted: in any order.
        """
        library = native.library()
        if library is None:
            return self._searched(wanted)
        wanted = np.ascontiguousarray(wanted)
        found = np.empty(len(wanted), np.int64)
        pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in (self._sorted, self._starts, wanted)]
        library.onecard_lookup(
            pointers[0],
            pointers[1],
            ctypes.c_int64(self._shift),
            pointers[2],
            ctypes.c_int64(len(wanted)),
            found.ctypes.data_as(ctypes.c_void_p),
        )
        return found

    def _searched(self, wanted: Numbers) -> Numbers:
        """The plain path."""
        if not len(self._sorted):
            return np.full(len(wanted), -1)
        at = np.searchsorted(self._sorted, wanted)
        at[at == len(self._sorted)] = 0
        at[self._sorted[at] != wanted] = -1
        return at
