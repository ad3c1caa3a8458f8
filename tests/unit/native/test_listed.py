"""A column that lists its texts is found to be what the same column is text by text."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from onecard import native
from onecard.native import listed
from onecard.native.checks import Kind, TextCheck, compile_check
from onecard.native.texts import Library
from quality.rows import identifiers

pytestmark = pytest.mark.skipif(native.library() is None, reason="needs a C compiler")

TODAY = 20261124
UNLISTED = "99010519491231002X"
TEXTS = ["a", "", "longer than a view holds itself", "a ", "\N{REPLACEMENT CHARACTER}", "NULL", "-"]
ANY = TextCheck(Kind.TEXT, ends=True, null_words=("NULL",), tokens=("-",))
NEEDED = TextCheck(Kind.TEXT, required=True, ends=True)
PERSON = TextCheck(
    Kind.ID_NUMBER,
    table=np.zeros(10**6, np.uint8),
    letters=identifiers.ID_CHECK.tobytes(),
    weights=identifiers.ID_WEIGHTS.astype(np.int32),
    earliest=identifiers.EARLIEST_BIRTH,
)


def column(texts: list[str | None], indices: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(indices, pa.array(texts, pa.string()))


def found(made: pa.DictionaryArray, check: TextCheck, *, as_listed: bool) -> tuple[object, ...]:
    library, doubted = Library(native.library()), np.zeros(len(made), np.uint8)
    how = (compile_check(check), TODAY, doubted)
    views, told = (
        listed.check(library, made, *how)
        if as_listed
        else library.check(made.dictionary_decode(), *how)
    )
    views.validate(full=True)
    marks = None if told.unlisted is None else told.unlisted.tolist()
    return views.to_pylist(), doubted.tolist(), marks, told.null_words


@pytest.mark.parametrize("check", [ANY, NEEDED, PERSON], ids=["any", "needed", "person"])
@pytest.mark.parametrize(
    "made",
    [
        column([*TEXTS, UNLISTED], pa.array([7, 0, 1, 2, 3, 4, 5, 6, 0, 2])),
        column([*TEXTS, None], pa.array([0, None, 7, 2, 6], pa.int8())),
        column([f"t{n}" for n in range(128)], pa.array([127, None, 0], pa.int8())),
        column(TEXTS, pa.array([6, 2, 0, None, 2], pa.int32())).slice(1, 3),
        column(["a", "b"], pa.array([0, 1, 1])),
        column([], pa.array([None, None], pa.int32())),
        column(TEXTS, pa.array([], pa.int32())),
    ],
    ids=["all", "nulls", "small numbers", "slice", "right", "nothing listed", "no row"],
)
def test_the_same_as_text_by_text(made: pa.DictionaryArray, check: TextCheck) -> None:
    *mine, listed_words = found(made, check, as_listed=True)
    *theirs, words = found(made, check, as_listed=False)
    assert mine == theirs
    assert listed_words or not words


@pytest.mark.parametrize("number", [-1, 2])
def test_a_number_that_names_no_text_is_refused(number: int) -> None:
    indices = pa.array([0, number], pa.int32())
    made = pa.DictionaryArray.from_buffers(
        pa.dictionary(pa.int32(), pa.string()), 2, indices.buffers(), pa.array(["a", "b"])
    )
    with pytest.raises(pa.ArrowInvalid, match="does not list"):
        found(made, ANY, as_listed=True)
