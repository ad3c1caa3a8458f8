"""Columns that hold each text once and name it by a number: a text is checked once, not by row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from onecard.native.checks import Compiled, Marks
from onecard.native.texts import Findings, Library

_VIEW, _PLACE = np.dtype("V16"), np.dtype(np.intp)
"""Whole columns of them stand in Arrow's memory, which is there again for the next one."""


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
    texts = column.dictionary
    listed = pa.concat_arrays([texts, pa.nulls(1, texts.type)])  # the last one is that of NULL rows
    marks = np.zeros(len(listed), np.uint8)
    views, findings = library.check(listed, check, today, marks)
    at = _places(column.indices, len(texts))
    if marks[: len(texts) + bool(column.null_count)].any():
        doubted |= marks.take(at)
    unlisted = None if findings.unlisted is None else findings.unlisted.take(at)
    return _spread(views, at), Findings(findings.null_words, unlisted)


def _places(indices: pa.Array, behind: int) -> npt.NDArray[np.intp]:
    """Of each row its text's place; `behind` for NULL."""
    nulls = indices.null_count
    if nulls:
        indices = indices.cast(pa.int64()).fill_null(behind)
    at = np.frombuffer(pa.allocate_buffer(_PLACE.itemsize * len(indices)), _PLACE)
    at[:] = indices.to_numpy(zero_copy_only=False)
    if len(at) and not (at.min() >= 0 and at.max() < behind + bool(nulls)):
        msg = "a row names a text that its dictionary does not list"
        raise pa.ArrowInvalid(msg)
    return at


def _spread(views: pa.Array, at: npt.NDArray[np.intp]) -> pa.Array:
    """A view for each row, over the same bytes."""
    _, places, *data = views.buffers()
    valid, nulls = None, 0
    if views.null_count > 1 or (len(at) and at.max() == len(views) - 1):
        there = views.is_valid().to_numpy(zero_copy_only=False).take(at)
        nulls = len(at) - int(np.count_nonzero(there))
        valid = pa.py_buffer(np.packbits(there, bitorder="little")) if nulls else None
    spread = pa.allocate_buffer(_VIEW.itemsize * len(at))
    np.frombuffer(places, _VIEW).take(at, out=np.frombuffer(spread, _VIEW), mode="clip")
    return pa.Array.from_buffers(pa.string_view(), len(at), [valid, spread, *data], nulls)
