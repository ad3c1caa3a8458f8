"""When two spellings are one name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecard.base.person_names import MOVED, compare, normalised


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("张三", " 张 三 "),
        ("阿依古丽·买买提", "阿依古丽•买买提"),
        ("阿依古丽·买买提", "阿依古丽・买买提"),
        ("阿依古丽·买买提", "阿依古丽･买买提"),
        ("阿依古丽·买买提", "阿依古丽 . 买买提"),
        ("阿依古丽·买买提", "阿依古丽．买买提"),
        ("阿依古丽·买买提", "阿依古丽 · 买买提"),
        ("JOHN SMITH", "Ｊｏｈｎ　 Ｓmith"),
        ("神田", "\ufa19田"),
        ("龴一", "\ue81e一"),
        ("葛󠄀", "葛"),
    ],
)
def test_what_differs_by_writing_is_one_name(one: str, other: str) -> None:
    assert compare(one, other) == compare(other, one) == "match"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("张三", "张四"),
        ("刘国华", "劉國華"),
        ("阿依古丽·买买提", "阿依古丽买买提"),
        ("JOHN SMITH", "JOHNSMITH"),
        ("未", "末"),
    ],
)
def test_what_differs_otherwise_is_another(one: str, other: str) -> None:
    assert compare(one, other) == compare(other, one) == "no_match"


@pytest.mark.parametrize("lost", ["张?", "张？", "张\ufffd", "张■", "张\ue000", " ", ""])
def test_a_lost_character_cannot_be_decided(lost: str) -> None:
    assert compare("张三", lost) == compare(lost, "张三") == "undecidable"


def test_the_characters_that_moved_are_those_of_gb18030() -> None:
    """Each private code point has two bytes, in the rows FE 51 to FE A0 (GB 18030-2022, annex D)."""
    for private, own in MOVED.items():
        encoded = chr(private).encode("gb18030")
        assert (len(encoded), encoded[0]) == (2, 0xFE)
        assert chr(own).isalpha()


@given(st.text(max_size=20))
def test_the_rule_is_stable(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)
    assert compare(text, text) in ("match", "undecidable")
