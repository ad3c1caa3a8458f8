"""docs/asvs.md: every requirement has a test that is there, a page, or says that it is not met."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "asvs.md"
LINE = re.compile(r"^\| (\d+\.\d+\.\d+) \| (.+?) \| (.+?) \|(?: (.+?))? ?\|$", re.MULTILINE)
SERVICE, PORTAL = (
    [(m[1], m[2], m[3], m[4] or "") for m in LINE.finditer(part)]
    for part in PAGE.read_text(encoding="utf-8").split("\n# ")
)
"""Of the query and verify service, and of the stewards' portal."""
CHAPTERS = ("1", "2", "4", "6", "8", "11", "12", "13", "14", "15", "16")
PAGES = ("1", "2", "3", "5", "7", "8", "14", "16")
OPEN = re.compile(r"\*\*(?:Not met|In part)\*\*")


@cache
def functions_of(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(n.name for n in tree.body if isinstance(n, ast.FunctionDef))


@pytest.mark.parametrize(
    ("lines", "chapters", "least"),
    [(SERVICE, CHAPTERS, 90), (PORTAL, PAGES, 40)],
    ids=["service", "portal"],
)
def test_chapters_that_apply_are_there_in_their_order(
    lines: list[tuple[str, str, str, str]], chapters: tuple[str, ...], least: int
) -> None:
    assert len(lines) > least
    assert tuple(dict.fromkeys(name.split(".")[0] for name, *_ in lines)) == chapters
    assert len({name for name, *_ in lines}) == len(lines)


@pytest.mark.parametrize("line", [*SERVICE, *PORTAL], ids=lambda line: line[0])
def test_each_line_names_what_shows_it_or_says_that_nothing_does(
    line: tuple[str, str, str, str],
) -> None:
    _, _, how, shown = line
    if page := re.fullmatch(r"\[.+\]\((.+)\)", shown):
        assert (PAGE.parent / page[1]).is_file()
        return
    if not shown:
        assert OPEN.search(how), "neither shown nor said to be open"
        return
    assert not OPEN.search(how), "what is open is shown by nothing"
    named = re.fullmatch(r"`(.+)/(.+)::(.+)`", shown)
    assert named, shown
    assert f"test_{named[3]}" in functions_of(ROOT / "tests" / named[1] / f"test_{named[2]}.py")


def test_the_count_of_what_is_open_is_no_secret() -> None:
    for lines, most in ((SERVICE, 12), (PORTAL, 7)):
        assert 0 < sum(bool(OPEN.search(how)) for _, _, how, _ in lines) < most
