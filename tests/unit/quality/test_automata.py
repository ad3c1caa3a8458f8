"""Automata accept what Polars matches, but for controls, and never anything else."""

from __future__ import annotations

import random

import polars as pl
import pytest

from quality.rows import automata
from quality.rows.automata import Automaton
from schemas.models import codes, semantic
from tests.property.hostile_cells import HOSTILE, near

PATTERNS = [k.pattern for k in semantic.load().types.values() if k.pattern]
OTHERS = [
    "",
    "a",
    "^a|b$",
    "(?:ab|a)(?:c|bc)",
    "(ab)*",
    "(?:a|b){2,3}?c+",
    "[^a]",
    "[^a-c一-三]{2}",
    "[a\\-z-]+",
    "[\\d.]{1,3}",
    "\\w\\.\\x41\\x{4e00}",
    "[\\x{80}-\\x{10ffff}]{1,4}",
    "[\\x{d000}-\\x{e000}]",
    ".{0,3}",
    "(?:[0-9]{3}-)?[0-9]{2}",
    "a?b?c?",
    "(?:a*)*b",
]
NOT_TOLD = [
    "\\bа",
    "(?i)a",
    "\\pL",
    "[[:alpha:]]",
    "a$b",
    "(^a)",
    "[a&&b]",
    "[^\\d]",
    "\\s",
    "(?P<x>a)",
]


def accepts(found: Automaton, text: bytes) -> bool:
    width = len(found.next) // len(found.accepts)
    state = found.start
    for byte in text:
        state = int(found.next[state + int(found.signs[byte])])
    if not found.accepts[state // width] or 0 <= found.longest < len(text):
        return False
    length = len(text.decode())
    return found.least <= length and (found.most < 0 or length <= found.most)


def texts(seed: str) -> list[bytes]:
    chance = random.Random(seed)
    signs = "abcz-.019AZ一三张·\x80é\ud7ff\ue000\U00010000\U0010ffff \\"
    made = ["".join(chance.choices(signs, k=chance.randrange(5))).encode() for _ in range(400)]
    right = [
        t.encode() for t in ("410105", "2024-02", "张三", "13812345678", "G11010519491231002X")
    ]
    return [*made, *HOSTILE, *(near(chance.choice(right), chance) for _ in range(300)), *right]


def is_text(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("pattern", [*PATTERNS, *OTHERS])
def test_a_pattern_is_told_as_polars_tells_it(pattern: str) -> None:
    found = automata.of_pattern(pattern)
    assert found is not None
    cells = texts(pattern)
    whole = pl.Series([c.decode("utf-8", "replace") for c in cells])
    matched = whole.str.contains(rf"\A(?:{pattern})\z")
    controls = whole.str.contains(r"[\x00-\x1f\x7f\x{fffd}]")
    exact = "\\d" not in pattern and "\\w" not in pattern
    for cell, match, control in zip(cells, matched, controls, strict=True):
        if not exact and not cell.isascii():  # digits and letters of ASCII only
            assert not accepts(found, cell) or match
            continue
        assert accepts(found, cell) == (is_text(cell) and match and not control), cell


@pytest.mark.parametrize("pattern", NOT_TOLD)
def test_what_is_not_known_stays_with_polars(pattern: str) -> None:
    assert automata.of_pattern(pattern) is None


@pytest.mark.parametrize("name", ["sex", "division_zz", "division", "bank", "street_zz"])
def test_a_list_of_codes_is_its_codes(name: str) -> None:
    listed = tuple(codes.codes(name))
    found = automata.of_codes(listed)
    assert found is not None
    assert all(accepts(found, code.encode()) for code in listed)
    chance = random.Random(name)
    for _ in range(2000):
        cell = near(chance.choice(listed).encode(), chance)
        assert accepts(found, cell) == (is_text(cell) and cell.decode() in listed)


def test_a_list_too_long_for_a_table_stays_with_polars() -> None:
    assert automata.of_codes(tuple(f"{i:08}" for i in range(30_000))) is None
