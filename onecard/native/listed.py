"""Columns that hold each text once and name it by a number: a text is checked once, not by row."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import types

from onecard import native
from onecard.native.checks import Compiled, Marks
from onecard.native.texts import Findings, Library, holds, holds_bits

_VIEW = 16
_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64


class _Rows(ctypes.Structure):
    """`rows` of listed.c."""

    _fields_ = (
        *((name, _NUMBER) for name in ("length", "offset", "texts")),
        *((name, _POINTER) for name in ("valid", "numbers")),
    )


class _Judged(ctypes.Structure):
    """`judged` of listed.c."""

    _fields_ = tuple((name, _POINTER) for name in ("views", "valid", "doubted", "unlisted"))


def check(
    library: Library, column: pa.DictionaryArray, check: Compiled, today: int, doubted: Marks
) -> tuple[pa.Array, Findings]:
    """As `Library.check`, of a dictionary; `null_words` counts texts, not rows.

    Args:
        library: checks the texts.
        column: a dictionary of text of any layout.
        check: a compiled `TextCheck`.
        today: yyyymmdd.
        doubted: by row; marks are added.

    Raises:
        pyarrow.ArrowInvalid: a row names a text that is not listed.
    """
    texts, nulls = column.dictionary, column.null_count > 0
    one_more = pa.concat_arrays([texts, pa.nulls(1, texts.type)])  # that of NULL rows
    marks = np.zeros(len(one_more), np.uint8)
    views, findings = library.check(one_more, check, today, marks)
    named = _Named(
        views,
        may_be_null=nulls or views.null_count > 1,
        doubted=marks if marks[: len(texts) + nulls].any() else None,
        unlisted=findings.unlisted,
    )
    unlisted = None if named.unlisted is None else np.empty(len(column), np.uint8)
    spread = _spread(library, column, named, doubted, unlisted)
    return spread, Findings(findings.null_words, unlisted)


def row_bytes(column: pa.DictionaryArray) -> int | None:
    """Bytes of text that all rows have when each holds its own, told before that is done.

    Args:
        column: a dictionary of text.

    Raises:
        pyarrow.ArrowInvalid: a row names a text that is not listed.

    Returns:
        Their number; None: take the plain path.
    """
    library, texts = native.library(), column.dictionary
    if library is None or types.is_string_view(texts.type) or texts.null_count or not len(texts):
        return None
    wide = np.dtype(np.int64 if types.is_large_string(texts.type) else np.int32)
    ends = np.frombuffer(texts.buffers()[1], wide, len(texts) + 1, texts.offset * wide.itemsize)
    sizes = np.zeros(len(ends), np.int64)
    np.subtract(ends[1:], ends[:-1], out=sizes[:-1])
    count = library.onecard_listed_bytes
    count.restype, count.argtypes = _NUMBER, (_POINTER, _POINTER)
    rows = _Numbered(column)
    return _known(count(ctypes.byref(rows.struct), sizes.ctypes.data))


@dataclass(frozen=True, slots=True)
class _Named:
    """What the texts of a list were found to be, and a NULL behind them.

    Attributes:
        views: of the texts.
        may_be_null: a row may name a NULL.
        doubted: a mark each; None: no row names a doubted one.
        unlisted: a mark each: of no listed division; None: none is.
    """

    views: pa.Array
    may_be_null: bool
    doubted: Marks | None
    unlisted: Marks | None


def _spread(
    library: Library,
    column: pa.DictionaryArray,
    named: _Named,
    doubted: Marks,
    unlisted: Marks | None,
) -> pa.Array:
    """A view for each row, over the bytes of the listed ones.

    Args:
        library: checks the texts.
        column: the rows.
        named: the texts.
        doubted: by row; marks are added.
        unlisted: by row, filled here; None: nobody asks.
    """
    length = len(column)
    valid, places, *data = named.views.buffers()
    views = pa.allocate_buffer(_VIEW * length)
    bits = pa.allocate_buffer((length + 7) // 8) if named.may_be_null else None
    rows = _Numbered(column)
    judged = _Judged(
        places.address,
        valid.address if named.may_be_null else None,
        _address(named.doubted),
        _address(named.unlisted),
    )
    filled = (views.address, bits.address if bits else None, _address(unlisted))
    how = (ctypes.byref(rows.struct), ctypes.byref(judged), _address(doubted), *filled)
    nulls = _known(library.spread(*how))
    return pa.Array.from_buffers(pa.string_view(), length, [bits, views, *data], nulls)


class _Numbered:
    """The rows of a dictionary as the library reads them, held while it does."""

    __slots__ = ("_kept", "struct")

    def __init__(self, column: pa.DictionaryArray) -> None:
        numbers = column.indices
        if not types.is_int32(numbers.type):
            numbers = numbers.cast(pa.int32())
        valid, places = numbers.buffers()
        holds(places, 4 * (numbers.offset + len(numbers)))
        holds_bits(valid, numbers)
        self._kept = numbers
        self.struct = _Rows(
            len(numbers),
            numbers.offset,
            len(column.dictionary),
            valid.address if valid else None,
            places.address if places else None,
        )


def _address(marks: npt.NDArray[np.uint8] | None) -> int | None:
    return None if marks is None else int(marks.ctypes.data)


def _known(number: int) -> int:
    if number < 0:
        msg = "a row names a text that its dictionary does not list"
        raise pa.ArrowInvalid(msg)
    return number
