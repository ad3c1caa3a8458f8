"""`onecard lint` refuses each one-defect file by the right file, field and rule, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import connectors
from schemas.lint.check import lint
from schemas.models.catalogue import ROOT

DEFECTS = sorted((Path(__file__).parents[2] / "data" / "lint").glob("*.yaml"))
KINDS = {kind: connectors.connector(kind) for kind in connectors.KINDS}


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for name in ("agencies.yaml", "registers.yaml", "contracts", "agreements"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name)
        else:
            shutil.copy(source, tmp_path / name)
    return tmp_path


def test_our_own_files_are_sound() -> None:
    assert lint(connectors=KINDS) == ()


def test_there_are_at_least_thirty_defects() -> None:
    assert len(DEFECTS) >= 30


@pytest.mark.fault("F42", "refused with file, line and rule")
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda p: p.stem)
def test_each_defect_is_named(copied: Path, defect: Path) -> None:
    text = defect.read_text(encoding="utf-8")
    head, _, body = text.partition("\n")
    expected = head.removeprefix("# expect: ").split(" ")
    target, rule, field = copied / expected[0], expected[1], expected[2]
    target.write_text(body, encoding="utf-8")
    problems = lint(copied, connectors=KINDS)
    assert [(p.file, p.rule, p.field) for p in problems] == [(target, rule, field)], [
        str(p) for p in problems
    ]
    assert problems[0].line >= 1
    assert problems[0].message
