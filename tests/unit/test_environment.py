"""Variables of ours are read in one room."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("onecard", "connectors", "quality", "schemas", "dags", "plugins")
HOME = ROOT / "onecard" / "base"
SETS = {ROOT / "onecard" / "portal" / "logins.py"}
"""Gives variables to the processes that it starts for; reads none."""
NAME = re.compile(r"ONECARD_[A-Z_]+\Z")


def names(tree: ast.AST) -> list[str]:
    """Texts that are just the name of a variable, as whoever reads it must write it."""
    texts = (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant))
    return [t for t in texts if isinstance(t, str) and NAME.match(t)]


def imported(tree: ast.AST) -> list[str]:
    """Names of variables taken from the settings that stand in a subscript or a call's argument."""
    taken = {
        alias.asname or alias.name
        for n in ast.walk(tree)
        if isinstance(n, ast.ImportFrom) and n.module == "onecard.base.settings"
        for alias in n.names
        if alias.name.isupper()
    }
    keys = [n.slice for n in ast.walk(tree) if isinstance(n, ast.Subscript)]
    keys += [a for n in ast.walk(tree) if isinstance(n, ast.Call) for a in n.args]
    return [k.id for k in keys if isinstance(k, ast.Name) and k.id in taken]


def offending(source: str) -> list[str]:
    tree = ast.parse(source)
    return names(tree) + imported(tree)


def test_variables_are_read_in_base_only() -> None:
    files = [f for room in ROOMS for f in (ROOT / room).rglob("*.py")]
    assert len(files) > 200
    outside = [f for f in files if HOME not in f.parents and f not in SETS]
    found = {str(f.relative_to(ROOT)): offending(f.read_text(encoding="utf-8")) for f in outside}
    assert {f: n for f, n in found.items() if n} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.environ.get('ONECARD_HOME')",
        "from os import getenv\ngetenv('ONECARD_HOME')",
        "VARIABLE = 'ONECARD_X'\nprint(env[VARIABLE])",
        "from onecard.base.settings import KEYS\nimport os\nos.environ[KEYS]",
    ],
)
def test_a_reader_elsewhere_is_seen(source: str) -> None:
    assert offending(source)


def test_a_message_may_name_one() -> None:
    assert not offending("from onecard.base.settings import KEYS\nprint(f'{KEYS}: no file')")


def test_every_variable_that_settings_read_is_in_its_table() -> None:
    source = (HOME / "settings.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    table = ast.get_docstring(tree) or ""
    assert [n for n in names(tree) if n not in table] == []
