"""Columns of text through the library: checked, parsed, compared, a column a call.

What is right is said in `doubted`, one byte a row: 0 stays where a row is proven right by this
column, 1 is set where it is not. Who asks looks at doubted rows by other means.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import types

from onecard.native.checks import Compiled, Marks

_VIEW = 16
_PLACES = {pa.string(): (0, 4), pa.large_string(): (1, 8), pa.string_view(): (2, _VIEW)}
"""How a column says where its texts lie, and in how many bytes each."""
_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64


class _Texts(ctypes.Structure):
    _fields_ = (
        *((name, _NUMBER) for name in ("length", "offset", "kind", "parts", "base")),
        *((name, _POINTER) for name in ("valid", "places", "data", "sizes")),
    )


class _Findings(ctypes.Structure):
    _fields_ = tuple((name, _NUMBER) for name in ("null_words", "unlisted", "nulls"))


@dataclass(frozen=True, slots=True)
class Findings:
    """What a column holds, doubted values aside.

    Attributes:
        null_words: values that are one.
        unlisted: a mark by row: an ID number of no listed division; None: there is none.
    """

    null_words: int
    unlisted: Marks | None


class Library:
    """The functions over text columns; made once for each set of checks, which it keeps."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._check, self._parse = library.onecard_check_texts, library.onecard_parse_texts
        self._of_id, self.spread = library.onecard_check_of_id, library.onecard_spread_listed
        self._check.restype = self._of_id.restype = None
        self._parse.restype = self.spread.restype = _NUMBER
        self._check.argtypes = (_POINTER, _POINTER, _NUMBER, *(5 * (_POINTER,)))
        self._parse.argtypes = 5 * (_POINTER,)
        self._of_id.argtypes = (*(4 * (_POINTER,)), _NUMBER, _POINTER)
        self.spread.argtypes = 6 * (_POINTER,)

    def check(
        self, column: pa.Array, check: Compiled, today: int, doubted: Marks
    ) -> tuple[pa.Array, Findings]:
        """Check a column.

        Args:
            column: text of any layout; bytes that are no UTF-8 are doubted.
            check: a compiled `TextCheck`.
            today: yyyymmdd.
            doubted: by row; marks are added.

        Returns:
            The column as `string_view`, NULL where doubted, over the same bytes.
        """
        length, found = len(column), _Findings()
        views, valid = pa.allocate_buffer(_VIEW * length), pa.allocate_buffer((length + 7) // 8)
        unlisted = np.zeros(length, np.uint8) if check.marks_unlisted else None
        with_texts = _Column(column)
        self._check(
            ctypes.byref(with_texts.struct),
            ctypes.byref(check.struct),
            today,
            _address(doubted, length),
            views.address,
            valid.address,
            None if unlisted is None else unlisted.ctypes.data,
            ctypes.byref(found),
        )
        buffers = [valid if found.nulls else None, views, *with_texts.data]
        made = pa.Array.from_buffers(pa.string_view(), length, buffers, found.nulls)
        return made, Findings(found.null_words, unlisted if found.unlisted else None)

    def parse(self, column: pa.Array, parse: Compiled, doubted: Marks) -> pa.Array:
        """Parse a column; NULL where it is doubted.

        Args:
            column: text of any layout.
            parse: a compiled `TextParse`.
            doubted: by row; marks are added.
        """
        length = len(column)
        kind = parse.type
        values = pa.allocate_buffer(kind.bit_width // 8 * length)
        valid = pa.allocate_buffer((length + 7) // 8)
        with_texts = _Column(column)
        nulls = self._parse(
            ctypes.byref(with_texts.struct),
            ctypes.byref(parse.struct),
            _address(doubted, length),
            values.address,
            valid.address,
        )
        return pa.Array.from_buffers(kind, length, [valid if nulls else None, values], nulls)

    def sex_of(self, numbers: pa.Array, sexes: pa.Array, doubted: Marks) -> None:
        """Doubt rows whose sex (`1`, `2`) is not what the ID number says.

        Args:
            numbers: text.
            sexes: text, as many rows.
            doubted: by row; marks are added.
        """
        first, second = _Column(numbers), _Column(sexes)
        _same_length(numbers, sexes)
        self._of_id(
            ctypes.byref(first.struct),
            ctypes.byref(second.struct),
            None,
            None,
            0,
            _address(doubted, len(numbers)),
        )

    def birth_date_of(self, numbers: pa.Array, dates: pa.Array, doubted: Marks) -> None:
        """Doubt rows whose date is not the birth date of the ID number.

        Args:
            numbers: text.
            dates: date32, as many rows.
            doubted: by row; marks are added.
        """
        first, (valid, days) = _Column(numbers), dates.buffers()
        _same_length(numbers, dates)
        holds(days, 4 * (dates.offset + len(dates)))
        holds_bits(valid, dates)
        self._of_id(
            ctypes.byref(first.struct),
            None,
            days.address,
            valid.address if valid else None,
            dates.offset,
            _address(doubted, len(numbers)),
        )


class _Column:
    """A text column as the library reads it, held while it does."""

    __slots__ = ("_kept", "data", "struct")

    def __init__(self, array: pa.Array) -> None:
        kind, width = _PLACES[array.type]
        valid, places, *data = array.buffers()
        rows, base = array.offset + len(array), 0
        holds_bits(valid, array)
        holds(places, width * (rows + (width != _VIEW and len(array) > 0)))
        if width != _VIEW:
            base, data = _begun(array, places, data[0])
        addresses = (ctypes.c_void_p * len(data))(*(part.address for part in data))
        sizes = (ctypes.c_int64 * len(data))(*(part.size for part in data))
        self.data = data
        self._kept = (array, addresses, sizes)
        self.struct = _Texts(
            len(array),
            array.offset,
            kind,
            len(data),
            base,
            valid.address if valid else None,
            places.address if places else None,
            ctypes.addressof(addresses),
            ctypes.addressof(sizes),
        )


def _begun(
    array: pa.Array, places: pa.Buffer | None, data: pa.Buffer | None
) -> tuple[int, list[pa.Buffer]]:
    """The offset of a column's first text, and its bytes from there on."""
    if data is None or places is None or not len(array):
        return 0, []
    wide = np.int64 if types.is_large_string(array.type) else np.int32
    base = int(np.frombuffer(places, wide, 1, array.offset * np.dtype(wide).itemsize)[0])
    return (base, [data.slice(base)]) if 0 <= base <= data.size else (0, [data])


def holds(buffer: pa.Buffer | None, size: int) -> None:
    """Refuse a buffer that is shorter than what is read of it.

    Args:
        buffer: of an array.
        size: bytes.

    Raises:
        pyarrow.ArrowInvalid: it is.
    """
    if (buffer.size if buffer else 0) < size:
        msg = "an Arrow buffer is shorter than its column"
        raise pa.ArrowInvalid(msg)


def holds_bits(valid: pa.Buffer | None, array: pa.Array) -> None:
    """The same of the bits that say which rows are NULL."""
    if valid is not None:
        holds(valid, (array.offset + len(array) + 7) // 8)


def _same_length(one: pa.Array, other: pa.Array) -> None:
    if len(one) != len(other):
        msg = "columns of different lengths"
        raise pa.ArrowInvalid(msg)


def _address(doubted: Marks, length: int) -> int:
    if len(doubted) != length or doubted.dtype != np.uint8 or not doubted.flags.c_contiguous:
        msg = "marks of another length than their column"
        raise pa.ArrowInvalid(msg)
    return int(doubted.ctypes.data)
