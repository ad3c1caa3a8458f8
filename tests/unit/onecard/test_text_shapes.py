"""What is known of texts before they leave, from contract and treatment alone."""

from __future__ import annotations

import pytest

from onecard.model.treated import TOKENS, TextShape, shape_of
from schemas.models.agreement_parts import SharedField
from schemas.models.contract import Field
from schemas.models.semantic import load

CODES = TextShape(6, 6, ascii=True, distinct=True)


def field(semantic: str, max_length: int | None = 20, codes: tuple[str, ...] = ()) -> Field:
    return Field(
        name="x", title="", native="x", type="string", semantic=semantic, level="L1", pii="NONE",
        max_length=max_length, codes=codes,
    )  # fmt: skip


def shared(treatment: str = "as_is", **more: object) -> SharedField:
    return SharedField.model_validate({"name": "x", "treatment": treatment, **more})


@pytest.mark.case("inbox-4", "what can be sent is known from contract and treatment")
@pytest.mark.parametrize(
    ("given", "behind", "wanted"),
    [
        (shared("token"), field("id_number"), TOKENS),
        (shared("county"), field("division"), CODES),
        (shared("month"), None, TextShape(7, 7, ascii=True, distinct=True)),
        (shared("mask"), field("person_name"), TextShape(20)),
        (shared(), field("person_name"), TextShape(20)),
        (shared(), field("text", None), TextShape()),
        (shared(), field("card_no"), TextShape(20, None, ascii=True, distinct=True)),
        (shared(), field("uuid7"), TextShape(20, None, ascii=True, distinct=True)),
        (shared(), field("identifier"), TextShape(20)),
        (shared(), field("card_ident_code"), TextShape(20)),
        (shared(), field("id_number"), TextShape(20, None, ascii=True, distinct=True)),
        (shared(value="汉"), None, TextShape(1, 1)),
        (
            shared(when={"filters": [{"field": "x", "null": True}]}),
            None,
            TextShape(1, 1, ascii=True),
        ),
        (
            shared(when={"filters": [{"field": "x", "null": True}], "answers": ["yes", "no"]}),
            None,
            TextShape(3, None, ascii=True),
        ),
    ],
)
def test_shapes(given: SharedField, behind: Field | None, wanted: TextShape) -> None:
    assert shape_of(given, behind) == wanted


def test_patterns_that_tell_case_apart_are_never_taken_for_distinct() -> None:
    for name, kind in load().types.items():
        shape = shape_of(shared(), field(name))
        letters = kind.pattern or ""
        if shape.distinct and kind.pattern:
            assert not ("A-Z" in letters and "a-z" in letters), name
