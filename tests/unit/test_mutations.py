"""The mutations of `make mutations` fit the code, and name tests that there are."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def mutations() -> ModuleType:
    """The tool, as a module."""
    spec = importlib.util.spec_from_file_location("mutations", ROOT / "tools" / "mutations.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutations"] = module
    spec.loader.exec_module(module)
    return module


def test_each_is_found_once_in_its_file_and_changes_it(mutations: ModuleType) -> None:
    assert mutations.misplaced() == []
    assert all(m.old != m.new for m in mutations.MUTATIONS)


def test_each_names_a_test_that_there_is(mutations: ModuleType) -> None:
    for mutation in mutations.MUTATIONS:
        file, _, name = mutation.test.partition("::")
        source = (ROOT / file).read_text(encoding="utf-8")
        assert f"def {name.partition('[')[0]}(" in source, mutation.test


def test_all_five_counters_and_the_named_safeguards_are_among_them(mutations: ModuleType) -> None:
    said = " ".join(m.what for m in mutations.MUTATIONS)
    for what in (
        *("`published`", "`unchanged`", "`quarantined`", "`deduplicated`", "`filtered_by_policy`"),
        *("fencing", "overlap", "newest row of a key", "hold"),
    ):
        assert what in said
