"""docs/faults.md names a test for every fault; a fault without one is named here, not hidden."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def faults() -> ModuleType:
    """The tool, as a module."""
    sys.path.insert(0, str(ROOT / "tools"))
    spec = importlib.util.spec_from_file_location("faults_tool", ROOT / "tools" / "faults.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["faults_tool"] = module
    spec.loader.exec_module(module)
    return module


def test_every_fault_has_a_test_that_provokes_it(faults: ModuleType) -> None:
    assert faults.problems(faults.proofs("fault")) == []


def test_the_document_is_fresh(faults: ModuleType) -> None:
    assert faults.TARGET.read_text(encoding="utf-8") == faults.page(faults.proofs("fault")), (
        "python tools/faults.py"
    )


def test_there_are_52_faults(faults: ModuleType) -> None:
    assert list(faults.FAULTS) == [f"F{n:02}" for n in range(1, 53)]


def test_what_is_missing_or_unknown_is_named(faults: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    file = tmp_path / "tests" / "test_a.py"
    marks = "\n".join(f'@pytest.mark.fault("F{n:02}", "held")' for n in range(2, 54))
    file.write_text(f"{marks}\ndef test_all(): ...\n")
    found = faults.problems(faults.proofs("fault", tmp_path))
    assert [line[:30] for line in found] == [
        "F01: no test provokes it (SIGK",
        "tests/test_a.py::test_all: no ",
    ]
    assert "| F01 | SIGKILL before" in faults.page(faults.proofs("fault", tmp_path))
    file.write_text('@pytest.mark.fault("F01")\ndef test_all(): ...\n')
    with pytest.raises(ValueError, match="two plain texts"):
        faults.proofs("fault", tmp_path)
