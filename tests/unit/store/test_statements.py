"""Statements on the hub's own tables stand in `onecard.store`, and nobody goes round the checker.

That they are literals is held by basedpyright in `make lint`. The driver also takes bytes, which a
checker cannot tell apart: here nobody hands it any.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

CORE = Path(__file__).parents[3] / "onecard"
RUN = {"execute", "executemany", "copy"}
OWN = re.compile(r"\b(FROM|INTO|UPDATE|JOIN) (ledger|quarantine)\.")


def bytes_handed_over(source: str) -> Iterator[int]:
    """Lines of calls that run a statement made of bytes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in RUN and node.args:
            for inner in ast.walk(node.args[0]):
                made = isinstance(inner, ast.Call) and getattr(inner.func, "attr", "") == "encode"
                if made or (isinstance(inner, ast.Constant) and isinstance(inner.value, bytes)):
                    yield node.lineno


@pytest.mark.parametrize("file", sorted((CORE / "store").glob("*.py")), ids=lambda f: f.name)
def test_the_driver_gets_no_bytes(file: Path) -> None:
    assert list(bytes_handed_over(file.read_text("utf-8"))) == []


@pytest.mark.parametrize("statement", ['f"DROP {x}".encode()', '("a" + b).encode()', 'b"SELECT 1"'])
def test_bytes_would_be_found(statement: str) -> None:
    assert list(bytes_handed_over(f"connection.execute({statement})")) == [1]


@pytest.mark.parametrize("room", ["collect", "deliver", "observe", "ports", "app", "live"])
def test_no_room_above_the_store_speaks_to_the_ledger(room: str) -> None:
    files = (CORE / room).glob("*.py")
    assert [f.name for f in files if OWN.search(f.read_text("utf-8"))] == []
