"""docs/cases.md names a test for every wrong value that was seen; one without is named here."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cases() -> ModuleType:
    """The tool, as a module."""
    sys.path.insert(0, str(ROOT / "tools"))
    spec = importlib.util.spec_from_file_location("cases_tool", ROOT / "tools" / "cases.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["cases_tool"] = module
    spec.loader.exec_module(module)
    return module


def test_every_case_has_a_test_that_holds_it(cases: ModuleType) -> None:
    assert cases.problems(cases.proofs("case")) == []


def test_the_document_is_fresh(cases: ModuleType) -> None:
    assert cases.TARGET.read_text(encoding="utf-8") == cases.page(cases.proofs("case")), (
        "python tools/cases.py"
    )


def test_ids_are_counted_by_kind(cases: ModuleType) -> None:
    """`order-1`, `order-2` and so on: none is left out and none stands twice."""
    ids = [number for found in cases.kinds().values() for number in found]
    assert len(ids) == len(set(ids))
    for name in {number.rpartition("-")[0] for number in ids}:
        counted = sorted(int(n.rpartition("-")[2]) for n in ids if n.rpartition("-")[0] == name)
        assert counted == list(range(1, len(counted) + 1)), name


def test_what_is_missing_or_unknown_is_named(cases: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    file = tmp_path / "tests" / "test_a.py"
    known = [number for found in cases.kinds().values() for number in found]
    marks = "\n".join(f'@pytest.mark.case("{n}", "held")' for n in [*known[1:], "order-99"])
    file.write_text(f"{marks}\ndef test_all(): ...\n")
    found = cases.problems(cases.proofs("case", tmp_path))
    assert [line.partition(" ")[0] for line in found] == [
        f"{known[0]}:",
        "tests/test_a.py::test_all:",
    ]
    page = cases.page(cases.proofs("case", tmp_path))
    assert page.count("none yet") == 1
    file.write_text(f'@pytest.mark.case("{known[0]}")\ndef test_all(): ...\n')
    with pytest.raises(ValueError, match="two plain texts"):
        cases.proofs("case", tmp_path)
