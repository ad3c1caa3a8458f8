"""Text columns whose offsets, views and bytes lie: the library reads nothing beyond its buffers.

What comes out is a sound column, and a row is doubted or proven. (Run under a sanitizer of the
compiler it says more: CC="gcc -fsanitize=address,undefined" for `tools/build_native.py`.)
"""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecard import native
from onecard.native.checks import Compiled
from onecard.native.texts import Library
from quality.rows import identifiers, kernels
from schemas.models.contract import Field
from schemas.models.text_form import TextForm
from tests.fuzz.mutation import fuzzed
from tests.property.hostile_cells import HOSTILE, near, right_text
from tests.property.hostile_rows import made_contract

KNOWN = identifiers.divisions(["110105"], ["410171"])
pytestmark = pytest.mark.skipif(native.library() is None, reason="needs a C compiler")


def spoilt(kind: pa.DataType, cells: list[bytes | None], chance: random.Random) -> pa.Array:
    """A column of text whose offsets or views have some other bytes; sliced."""
    narrow = {
        pa.string(): pa.binary(),
        pa.large_string(): pa.large_binary(),
        pa.string_view(): pa.binary_view(),
    }
    valid, places, *data = pa.array(cells, pa.binary()).cast(narrow[kind]).buffers()
    bytes_ = bytearray(places.to_pybytes())
    for _ in range(chance.randrange(12)):
        bytes_[chance.randrange(16, len(bytes_) - 16)] = chance.randrange(256)
    buffers = [valid, pa.py_buffer(bytes(bytes_)), *data]
    column = pa.Array.from_buffers(kind, len(cells), buffers)
    start = chance.randrange(len(cells))
    return column.slice(start, chance.randrange(len(cells) - start + 1))


def compiled(field: Field, form: TextForm) -> tuple[Compiled, bool]:
    """The field's kernel, and whether it parses."""
    if field.type == "string":
        return kernels.text_check(field, form, KNOWN) or kernels.encoded(field, form), False
    parse = kernels.text_parse(field, form)
    return (kernels.encoded(field, form), False) if parse is None else (parse, True)


@fuzzed
@given(st.integers(0, 2**32), st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]))
def test_columns_that_lie_are_doubted(seed: int, kind: pa.DataType) -> None:
    library, chance = Library(native.library()), random.Random(seed)
    contract = made_contract(chance)
    for field in contract.fields:
        right = [right_text(field, chance).encode() for _ in range(30)]
        cells = [*right, *(near(cell, chance) for cell in right), *HOSTILE, None]
        chance.shuffle(cells)
        column = spoilt(kind, cells, chance)
        doubted = np.zeros(len(column), np.uint8)
        kernel, parses = compiled(field, contract.text_form(field))
        if parses:
            found = library.parse(column, kernel, doubted)
        else:
            found, _ = library.check(column, kernel, 20261124, doubted)
        found.validate(full=True)
        assert set(doubted.tolist()) <= {0, 1}
        assert found.is_valid().to_numpy(zero_copy_only=False)[doubted == 1].sum() == 0
        days = pa.array(range(len(column)), pa.int32()).cast(pa.date32())
        library.birth_date_of(column, days, doubted)
        library.sex_of(column, column, doubted)


def test_columns_and_marks_of_other_lengths_are_refused() -> None:
    library = Library(native.library())
    column, marks = pa.array(["1", "2"]), np.zeros(1, np.uint8)
    with pytest.raises(pa.ArrowInvalid, match="another length"):
        library.sex_of(column, column, marks)
    with pytest.raises(pa.ArrowInvalid, match="different lengths"):
        library.sex_of(column, pa.array(["1"]), np.zeros(2, np.uint8))
