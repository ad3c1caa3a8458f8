"""docs/architecture.md against the code: its picture, its rooms, the five ways."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRACTS = {
    c["id"]: c
    for c in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
}
MOST = 7
"""Files that a way may have, so that a stranger reads it in one sitting."""


def picture() -> list[str]:
    """The layers as drawn, from the top: `cli | portal`, `app`, …"""
    drawn = PAGE.partition("```text\n")[2].partition("```")[0]
    below = drawn.splitlines()[2:]
    return [line[3:].split("  ")[0].split("┌")[0].split("│")[0].strip() for line in below]


def ways() -> dict[str, list[str]]:
    """Files of each way, in order."""
    found: dict[str, list[str]] = {}
    for part in PAGE.partition("## The way of a row")[2].split("\n### ")[1:]:
        title, _, body = part.partition("\n")
        found[title] = re.findall(r"^\d+\. `([^`]+)`", body, re.MULTILINE)
    return found


def imported(file: str) -> Iterator[str]:
    """Modules that a file imports anywhere, and names that it takes from packages."""
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_picture_is_the_contract() -> None:
    layers = list(CONTRACTS["rooms"]["layers"])
    order = [name.removeprefix("onecard.") for name in CONTRACTS["schemas"]["layers"]]
    assert order == ["crypto", "schemas", "base", "errors"]
    layers.insert(layers.index("crypto") + 1, "schemas")
    assert picture() == layers


def test_every_room_is_named_and_every_named_room_is_there() -> None:
    named = set(re.findall(r"^\*\*`([^`]+)`\*\*: \S", PAGE, re.MULTILINE))
    there = {
        str(p.parent.relative_to(ROOT))
        for house in ("onecard", "connectors", "schemas", "quality")
        for p in [*(ROOT / house).glob("*/__init__.py"), ROOT / house / "__init__.py"]
    } - {"onecard"}
    assert named == there


def test_onecard_is_rooms_only() -> None:
    assert [p.name for p in (ROOT / "onecard").glob("*.py")] == ["__init__.py"]


def test_what_rooms_say_is_fresh() -> None:
    command = [sys.executable, ROOT / "tools" / "make_architecture.py", "--check"]
    assert subprocess.run(command, check=False).returncode == 0, "run tools/make_architecture.py"


def test_every_room_says_what_enters_and_what_leaves() -> None:
    said = re.findall(r"^\*\*`([^`]+)`\*\*: (.*)$", PAGE, re.MULTILINE)
    assert [name for name, text in said if not re.search(r" In: \S.* Out: \S", text)] == []


def test_there_are_five_ways() -> None:
    assert list(ways()) == [
        "Through a collect",
        "Through a delivery",
        "Through an upload",
        "Through a call about one person",
        "Through a reconciliation",
    ]


@pytest.mark.parametrize("way", ways())
def test_a_way_can_be_walked(way: str) -> None:
    files = ways()[way]
    assert 1 < len(files) <= MOST
    assert len(set(files)) == len(files)
    for place, file in enumerate(files[1:], start=1):
        module = file.removesuffix(".py").replace("/", ".")
        before = files[:place]
        assert any(module in imported(f) for f in before), f"{file} is imported by none of {before}"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_page_is_linked(page: str) -> None:
    assert "(docs/architecture.md)" in (ROOT / page).read_text(encoding="utf-8")
