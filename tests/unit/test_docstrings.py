"""Docstrings say what is passed: arguments of three and more, and the columns of every frame."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("onecard", "connectors", "quality", "schemas", "dags", "plugins")
MANY = 3
FRAMES = re.compile(r"\b(?:pl\.DataFrame|pa\.RecordBatch|pa\.Table|pd\.DataFrame)\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Public functions and methods of public classes, by qualified name."""
    for node in body:
        if getattr(node, "name", "_").startswith("_"):
            continue
        if isinstance(node, ast.ClassDef):
            yield from public(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, Function):
            yield prefix + node.name, node


def parameters(function: Function) -> list[ast.arg]:
    """Without self and cls."""
    found = function.args
    listed = [*found.posonlyargs, *found.args, *found.kwonlyargs]
    listed += [a for a in (found.vararg, found.kwarg) if a is not None]
    return [a for a in listed if a.arg not in ("self", "cls")]


def untold(function: Function) -> list[str]:
    """What the docstring keeps to itself."""
    text = ast.get_docstring(function) or ""
    given = parameters(function)
    found = []
    if len(given) >= MANY:
        section = text.partition("Args:\n")[2]
        found += [
            a.arg
            for a in given
            if not re.search(rf"^ +\*{{0,2}}{a.arg}: \S", section, re.MULTILINE)
        ]
    notes = [*(a.annotation for a in given), function.returns]
    framed = any(FRAMES.search(ast.unparse(note)) for note in notes if note is not None)
    if framed and "column" not in text.lower():
        found.append("columns")
    return found


def room(file: Path) -> str:
    """Package, or package and folder, that a file stands in."""
    parts = file.relative_to(ROOT).parts[:-1]
    return "/".join(parts[:2])


def rooms() -> dict[str, list[Path]]:
    """The files of each room."""
    found: dict[str, list[Path]] = {}
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            found.setdefault(room(file), []).append(file)
    return found


def untold_in(files: list[Path]) -> list[str]:
    return [
        f"{file.relative_to(ROOT)}:{node.lineno} {name}: {', '.join(lacks)}"
        for file in files
        for name, node in public(ast.parse(file.read_text(encoding="utf-8")).body)
        if (lacks := untold(node))
    ]


@pytest.mark.parametrize("name", sorted(rooms()))
def test_what_is_passed_is_told(name: str) -> None:
    assert untold_in(rooms()[name]) == []


@pytest.mark.parametrize(
    ("source", "lacks"),
    [
        ('def f(a, b, c):\n    """Say."""', ["a", "b", "c"]),
        ('def f(a, b, c):\n    """Say.\n\n    Args:\n        a: x.\n        c: x.\n    """', ["b"]),
        ('def f(self, a, b):\n    """Say."""', []),
        ('def f(a, *more, **rest):\n    """Say."""', ["a", "more", "rest"]),
        ('def f(a: pl.DataFrame | None):\n    """Say."""', ["columns"]),
        ('def f() -> Iterator[pa.RecordBatch]:\n    """Batches of the columns asked for."""', []),
        ("def _f(a, b, c): ...", []),
    ],
)
def test_what_is_kept_back_is_found(source: str, lacks: list[str]) -> None:
    found = [untold(node) for _, node in public(ast.parse(source).body)]
    assert (found or [[]])[0] == lacks
