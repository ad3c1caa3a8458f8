"""Flat JSON objects with known keys into Arrow columns of text; what is odd is named, not read."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from onecard.native.cells import CELL, LARGEST, Bytes, Cells, address, bytes_of, place

MOST = 1 << 16
"""Lines that are scanned at once: their cells stand in memory, however short they are."""
SPARSE = 16
"""Bytes of cells for a byte of a list at most; where objects have few of the keys there are more,
and the list is left to the strict reader."""
_KEY, _ONE_FORM, _NEEDED = 1, 2, 4
"""Marks of a column in json.c."""


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """A key that objects may have.

    Attributes:
        name: as it stands in the objects.
        identifies: it is of the dataset's key: true and false are odd.
        one_form: a number has one form however it is written: 1, 1.0.
        needed: an object without it is odd.
    """

    name: str
    identifies: bool = False
    one_form: bool = False
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Lines:
    """Records of JSON Lines.

    Attributes:
        columns: a text for each key; NULL in odd rows.
        odd: offsets of rows that the scanner does not read.
        places: where the line of each row begins and ends in the data.
        taken: bytes that they are.
        blank: blank lines among them.
    """

    columns: list[pa.Array]
    odd: npt.NDArray[np.int64]
    places: npt.NDArray[np.uint32]
    taken: int
    blank: int


@dataclass(frozen=True, slots=True)
class List:
    """The objects of a document's list.

    Attributes:
        columns: a text for each key.
        begin: where the list begins in the document.
        end: where it ends.
    """

    columns: list[pa.Array]
    begin: int
    end: int


def can_name(names: Sequence[str], path: Sequence[str] = ()) -> bool:
    """Whether keys are found by their bytes: each is another, and stands in JSON as it is.

    Args:
        names: of the keys.
        path: of keys that lead to a list; one may stand in it twice.
    """
    plain = all(c >= " " and c not in '"\\' for name in (*names, *path) for c in name)
    return plain and len(set(names)) == len(names) > 0


def lines(library: ctypes.CDLL, data: bytes, keys: Sequence[ObjectKey]) -> Lines:
    """An object a line, up to `MOST` of them.

    Args:
        library: the compiled one.
        data: whole lines, at most `LARGEST` bytes; the last one may lack its LF.
        keys: that objects may have; their names stand in JSON as they are (`can_name`).
    """
    rows, text = min(data.count(b"\n") + 1, MOST), bytes_of(data)
    cells = Cells(rows, len(keys), len(data))
    known = _Keys(keys)
    places, odd = np.empty((rows, 2), np.uint32), np.empty(rows, np.uint8)
    library.onecard_json_lines(
        *place(text),
        *known.arguments,
        ctypes.c_size_t(rows),
        address(cells.table),
        address(cells.text),
        address(places),
        address(odd),
        address(cells.totals),
        address(cells.found),
    )
    count, taken, blank = (int(n) for n in cells.found[:3])
    spoilt = np.flatnonzero(odd[:count])
    return Lines(cells.arrays(library, text), spoilt, places[:count], taken, blank)


def list_at(
    library: ctypes.CDLL, data: bytes, path: Sequence[str], keys: Sequence[ObjectKey]
) -> List | None:
    """The list of objects at a path of keys. What stands around it is not looked at.

    Args:
        library: the compiled one.
        data: a document.
        path: of the list; its steps stand in JSON as they are, as the names of keys do.
        keys: that the objects may have.

    Returns:
        None where the list is not found or anything in it is odd, beyond `LARGEST` bytes, or where
        its objects have few of the keys.
    """
    if len(data) > LARGEST:
        return None
    text = bytes_of(data)
    steps, ends = _joined(path)
    find = library.onecard_json_find
    find.restype = ctypes.c_size_t
    begin = int(find(*place(text), address(steps), address(ends), ctypes.c_size_t(len(path))))
    if not begin:
        return None
    rows = data.count(b"{", begin)
    if rows * len(keys) * CELL.itemsize > SPARSE * len(data):
        return None
    cells, known = Cells(rows, len(keys), len(data)), _Keys(keys)
    library.onecard_json_list(
        *place(text),
        ctypes.c_size_t(begin),
        *known.arguments,
        ctypes.c_size_t(rows),
        address(cells.table),
        address(cells.text),
        address(cells.totals),
        address(cells.found),
    )
    end = int(cells.found[1])
    return List(cells.arrays(library, text), begin, end) if end else None


class _Keys:
    """Keys as C takes them; holds what it points to."""

    def __init__(self, keys: Sequence[ObjectKey]) -> None:
        self._names, self._ends = _joined([key.name for key in keys])
        marks = [k.identifies * _KEY | k.one_form * _ONE_FORM | k.needed * _NEEDED for k in keys]
        self._marks = np.array(marks, np.uint8)

    @property
    def arguments(
        self,
    ) -> tuple[ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]:
        """Names, their ends, marks, and how many there are."""
        return (
            address(self._names),
            address(self._ends),
            address(self._marks),
            ctypes.c_size_t(len(self._marks)),
        )


def _joined(names: Sequence[str]) -> tuple[Bytes, npt.NDArray[np.uint32]]:
    """Names one behind the other as UTF-8, and where each ends."""
    texts = [name.encode() for name in names]
    ends = np.cumsum([len(text) for text in texts], dtype=np.uint32)
    return np.frombuffer(b"".join(texts), np.uint8), ends
