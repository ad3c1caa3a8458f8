"""One word for one thing: a name of the list is defined in one module only."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("onecard", "connectors", "quality", "schemas", "dags", "plugins")
ONCE = (
    *(
        "Access",
        "AuditCheckpoint",
        "ChallengeKind",
        "Check",
        "Checkpoint",
        "Column",
        "Counts",
        "Delivery",
        "Document",
    ),
    *("Entry", "Event", "Field", "Flow", "Frozen", "Grade", "Hold", "Issue", "Key", "KeyDocument"),
    *(
        "Level",
        "Mask",
        "Outcome",
        "Part",
        "Period",
        "Place",
        "Problem",
        "Profile",
        "Row",
        "RowKey",
        "Rule",
        "Ruling",
    ),
    *("Scheme", "Scope", "Seen", "Sending", "Side", "SignOff", "Signer", "Source", "Stage"),
    *("State", "Ticket", "TooLarge", "Transfer", "Verdict", "canonical", "canonical_json"),
)
"""Words that have meant two things here, or easily could."""

RIDDLES = {"ours", "settled", "told"}
"""Names of functions that said nothing: `as_onecard_error`, `normalised`, `describe` say it."""


def defined(file: Path) -> Iterator[str]:
    """Names of classes, functions and values at the top of a module."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (t.id for t in node.targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def places() -> dict[str, list[str]]:
    """Where each name is defined."""
    found: dict[str, list[str]] = defaultdict(list)
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            for name in defined(file):
                found[name].append(str(file.relative_to(ROOT)))
    return found


@pytest.fixture(scope="module")
def known() -> dict[str, list[str]]:
    return places()


@pytest.mark.parametrize("name", ONCE)
def test_a_word_means_one_thing(known: dict[str, list[str]], name: str) -> None:
    assert len(known.get(name, [])) <= 1


def functions(file: Path) -> Iterator[str]:
    """Names of all functions and methods of a module, without leading underscores."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name.lstrip("_")


def test_no_function_has_a_name_that_says_nothing() -> None:
    files = [f for package in PACKAGES for f in sorted((ROOT / package).rglob("*.py"))]
    found = {str(f.relative_to(ROOT)): RIDDLES.intersection(functions(f)) for f in files}
    assert {file: names for file, names in found.items() if names} == {}


def test_a_method_and_a_private_function_are_found(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("class A:\n    def told(self): ...\ndef _ours(): ...\n")
    assert set(functions(file)) == {"told", "ours"}


def test_a_second_definition_is_found(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("class Side: ...\nKey = tuple[str, ...]\nSeen: int = 1\ndef canonical(): ...\n")
    assert list(defined(file)) == ["Side", "Key", "Seen", "canonical"]
