"""Marks of tests that say what a test holds: read from the files, which are not imported."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, order=True)
class Proof:
    """A test that says what it holds.

    Attributes:
        id: of the fault or case.
        outcome: what the test shows, in a few words.
    """

    id: str
    file: str
    test: str
    outcome: str

    @property
    def place(self) -> str:
        """File and test without `tests/` and `test_`, as code in Markdown."""
        folder, _, name = self.file.removeprefix("tests/").rpartition("/")
        short = f"{folder}/{name.removeprefix('test_').removesuffix('.py')}"
        return f"`{short}::{self.test.removeprefix('test_')}`"


def proofs(mark: str, root: Path = ROOT) -> list[Proof]:
    """Every `@pytest.mark.<mark>(id, outcome)` below `root/tests`, by id, file and test.

    Raises:
        ValueError: a mark is not two texts.
    """
    found = []
    for file in sorted((root / "tests").rglob("test_*.py")):
        name = file.relative_to(root).as_posix()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found += [Proof(i, name, node.name, said) for i, said in _texts(mark, node, name)]
    return sorted(found)


def _texts(
    mark: str, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, file: str
) -> Iterator[tuple[str, str]]:
    for call in node.decorator_list:
        if not (isinstance(call, ast.Call) and ast.unparse(call.func) == f"pytest.mark.{mark}"):
            continue
        texts = [a.value for a in call.args if isinstance(a, ast.Constant)]
        if len(texts) != 2 or call.keywords:
            msg = f"{file}:{call.lineno}: write {mark}(id, outcome), two plain texts"
            raise ValueError(msg)
        yield str(texts[0]), str(texts[1])


def write_or_check(target: Path, page: str, wrong: list[str]) -> int:
    """Write a page, or with --check say what is wrong; returns the exit code.

    Args:
        target: the page's file.
        page: what stands in it when it is fresh.
        wrong: what is wrong with the marks.
    """
    checking, problems = "--check" in sys.argv[1:], list(wrong)
    if not checking:
        target.write_text(page, encoding="utf-8")
    elif not target.exists() or target.read_text(encoding="utf-8") != page:
        problems.append(f"{target.relative_to(ROOT)} is stale: python {sys.argv[0]}")
    for line in problems:
        sys.stderr.write(line + "\n")
    return 1 if problems and checking else 0
