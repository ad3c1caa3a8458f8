"""`onecard lint` refuses each one-defect file by the right file, field and rule, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import connectors
from schemas.lint.check import lint
from schemas.models import agreement, odcs
from schemas.models.catalogue import ROOT

DEFECTS = sorted((Path(__file__).parents[2] / "data" / "lint").glob("*.yaml"))
KINDS = {kind: connectors.connector(kind) for kind in connectors.KINDS}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our files, where one of them can be replaced."""
    folder = tmp_path_factory.mktemp("lint")
    for name in ("agencies.yaml", "registers.yaml", "sandbox.yaml", "contracts", "agreements"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy(source, folder / name)
    return folder


@pytest.fixture(scope="module")
def reads_once() -> Iterator[None]:
    """Files that have not changed are parsed once: most of a lint is the parsing of sound files."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (odcs, agreement):
            patch.setattr(module, "load", by_content(module.load))
        yield


def by_content(load: Callable[[Path], object]) -> Callable[[Path], object]:
    """The same with a memory of what it returned, by name and content."""
    known: dict[tuple[Path, str], object] = {}

    def loaded(file: Path) -> object:
        place = (file, file.read_text(encoding="utf-8"))
        if place not in known:
            known[place] = load(file)
        return known[place]

    return loaded


@pytest.fixture
def replaced(tree: Path, defect: Path) -> Iterator[Expected]:
    """The tree with a defect's file in the place that it names; afterwards it is sound again."""
    head, _, body = defect.read_text(encoding="utf-8").partition("\n")
    file, rule, field = head.removeprefix("# expect: ").split(" ")
    sound = (tree / file).read_text(encoding="utf-8")
    (tree / file).write_text(body, encoding="utf-8")
    yield Expected(tree / file, rule, field)
    (tree / file).write_text(sound, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Expected:
    """What lint must say of the tree, and nothing else."""

    file: Path
    rule: str
    field: str


def test_our_own_files_are_sound() -> None:
    assert lint(connectors=KINDS) == ()


def test_there_are_at_least_thirty_defects() -> None:
    assert len(DEFECTS) >= 30


@pytest.mark.usefixtures("reads_once")
@pytest.mark.fault("F42", "refused with file, line and rule")
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda p: p.stem)
def test_each_defect_is_named(tree: Path, replaced: Expected) -> None:
    problems = lint(tree, connectors=KINDS)
    assert [Expected(p.file, p.rule, p.field) for p in problems] == [replaced], [
        str(p) for p in problems
    ]
    assert problems[0].line >= 1
    assert problems[0].message
