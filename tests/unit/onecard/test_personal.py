"""The free-text scanner: what it finds in any disguise, what it leaves alone, and how often it errs."""

from __future__ import annotations

import random
import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecard.base import personal

ID = "410199194901010014"
FOUND = [
    (ID, "id_number"),
    (f"身份证{ID}号", "id_number"),
    ("４１０１９９１９４９０１０１００１４", "id_number"),
    ("٤١٠١٩٩١٩٤٩٠١٠١٠٠١٤", "id_number"),
    ("4101 9919 4901 0100 14", "id_number"),
    ("410199-19490101-0014", "id_number"),
    (" ".join(ID), "id_number"),
    ("\u200b".join(ID), "id_number"),
    ("11010519491231002X", "id_number"),
    ("11010519491231002x", "id_number"),
    ("11010519491231002Ｘ", "id_number"),
    ("1101051949123100 2 X", "id_number"),
    ("13812345678", "mobile"),
    ("电话：138-1234-5678。", "mobile"),
    ("2026-01-01 13812345678", "mobile"),
    ("138 1234 5678 2026-01-01", "mobile"),
    ("１３８１２３４５６７８", "mobile"),
    ("6222021702001234566", "bank_card"),
    ("6222 0217 0200 1234 566", "bank_card"),
    ("6214672410001234565", "bank_card"),
    ("护照 E12345678", "passport"),
    ("护照EA1234567", "passport"),
    ("豫A12345", "plate"),
    ("豫A·12345", "plate"),
    ("豫AD12345", "plate"),
    ("豫A1234警", "plate"),
]
LEFT = [
    "",
    "办理材料齐全",
    "110105194912310021",  # checksum
    "410199194913310022",  # month 13
    "410199198902290028",  # 29 February of a common year
    f"1{ID}",  # nineteen digits
    "12812345678",
    "23812345678",
    "6222021702001234567",  # Luhn
    "5222021702001234566",
    "TX20261123000017",
    "H41010500002",
    "E1234567",
    "XE12345678",
    "豫I12345",
    "2026-11-24 10:00:00",
    "018fa2c4-0000-7000-8000-000000000001",
]


@pytest.mark.parametrize(("text", "kind"), FOUND)
def test_personal_data_is_found_in_every_disguise(text: str, kind: str) -> None:
    assert [h.kind for h in personal.find(text)] == [kind]
    assert personal.scan(pl.Series("v", [text])).to_list() == [True]
    assert f"[{kind}]" in personal.redact(text)
    assert personal.find(personal.redact(text)) == ()


@pytest.mark.parametrize("text", LEFT)
def test_other_text_is_left_alone(text: str) -> None:
    assert personal.find(text) == ()
    assert personal.redact(text) == text
    assert personal.scan(pl.Series("v", [text])).to_list() == [False]


def test_nothing_is_nothing() -> None:
    column = pl.Series("v", [None, "x", ID], dtype=pl.String)
    assert personal.scan(column).to_list() == [False, False, True]


def test_several_in_one_text_are_all_taken_out() -> None:
    text = f"张三 {ID}，电话13812345678，卡6222021702001234566"
    assert personal.redact(text) == "张三 [id_number]，电话[mobile]，卡[bank_card]"


WORDS = st.text(
    st.characters(exclude_categories=["Nd", "Nl", "No", "Cs"], exclude_characters="Xx"), max_size=20
)


@given(before=WORDS, after=WORDS, gap=st.sampled_from(["", " ", "-", "\u3000", "·", "\u200b"]))
def test_an_id_number_is_found_in_any_text(before: str, after: str, gap: str) -> None:
    folded = unicodedata.normalize("NFKC", before + after)
    text = before + gap.join(ID) + after
    if any(c.isdecimal() for c in folded):
        return
    assert "id_number" in [h.kind for h in personal.find(text)]
    assert personal.scan(pl.Series("v", [text]))[0]


@pytest.mark.parametrize(
    ("length", "most"), [(8, 0.0), (11, 0.08), (16, 0.0013), (18, 0.0014), (19, 0.0014), (22, 0.0)]
)
def test_false_positives_on_random_digits_are_few(length: int, most: float) -> None:
    chance, count = random.Random(7), 200_000
    numbers = [str(chance.randrange(10 ** (length - 1), 10**length)) for _ in range(count)]
    assert personal.scan(pl.Series("v", numbers)).sum() <= most * count


def test_id_numbers_agree_with_the_vectors(domain: object) -> None:
    import json
    from pathlib import Path

    vectors = json.loads((Path(str(domain)) / "oracle_vectors.json").read_text(encoding="utf-8"))
    valid = vectors["id18_valid_published_examples"] + vectors["id18_demo_410199"]
    assert all(personal.is_id_number(number) for number in valid)


@pytest.mark.parametrize("text", [text for text, _ in FOUND] + LEFT)
def test_asked_for_an_id_number_alone_the_answer_is_that_of_find(text: str) -> None:
    wanted = any(hit.kind == "id_number" for hit in personal.find(text))
    assert personal.holds_id_number(text) is wanted


@given(
    before=st.text(st.characters(max_codepoint=127), max_size=20),
    after=st.text(st.characters(max_codepoint=127), max_size=20),
    gap=st.sampled_from(["", " ", "-", ".", "--", "---"]),
    number=st.sampled_from([ID, "11010519491231002X", "110105194912310021"]),
)
def test_a_quick_look_misses_no_id_number(before: str, after: str, gap: str, number: str) -> None:
    text = before + gap.join(number) + after
    wanted = any(hit.kind == "id_number" for hit in personal.find(text))
    assert personal.holds_id_number(text) is wanted
