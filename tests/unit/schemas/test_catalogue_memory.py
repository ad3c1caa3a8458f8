"""The catalogue's memory: what is given again is what reading gives, and a pickle runs nothing."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from onecard.base.memory import Memory, _head
from schemas.models import catalogue, catalogue_memory
from schemas.models.catalogue import Catalogue

IMPORTED = """
import sys
from pathlib import Path
from schemas.models import catalogue
catalogue.load()
print(*sorted(m for m in sys.modules if m.startswith(("onecard.", "schemas.", "connectors."))))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "schemas"
    folder.mkdir()
    for part in ("contracts", "agreements"):
        shutil.copytree(catalogue.ROOT / part, folder / part)
    for part in ("agencies.yaml", "registers.yaml", "service_levels.yaml"):
        shutil.copy(catalogue.ROOT / part, folder)
    return folder


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "cache")


def kept(memory: Memory) -> Path:
    (file,) = memory.folder.iterdir()
    return file


def read_without_parsing(
    root: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> Catalogue | None:
    """What the memory gives; None where the files were read."""
    parsed = Catalogue({}, {}, {})
    monkeypatch.setattr(catalogue, "load", lambda _: parsed)
    monkeypatch.setattr(Memory, "keep", lambda *_: None)
    found = catalogue_memory.load(root, memory)
    monkeypatch.undo()
    return None if found is parsed else found


def test_it_gives_what_reading_gives(
    root: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "agreements" / "f01-hrss-transport-card-status.yaml").write_text("id: 1\n")
    first = catalogue_memory.load(root, memory)
    again = read_without_parsing(root, memory, monkeypatch)
    assert first == again == catalogue.load(root)
    assert again is not None
    assert again.problems
    assert {a.id: a.fingerprint for a in again.agreements.values()} == {
        a.id: a.fingerprint for a in first.agreements.values()
    }


@pytest.mark.parametrize(
    "name", ["agencies.yaml", "contracts/hrss/card_master.odcs.yaml", "registers.yaml"]
)
def test_one_byte_more_is_read_anew(
    root: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    catalogue_memory.load(root, memory)
    with (root / name).open("a") as file:
        file.write("\n")
    assert read_without_parsing(root, memory, monkeypatch) is None


def test_a_file_that_is_refused_now_is_refused(root: Path, memory: Memory) -> None:
    assert not catalogue_memory.load(root, memory).problems
    (root / "contracts" / "hrss" / "card_master.odcs.yaml").write_text("nonsense: [")
    found = catalogue_memory.load(root, memory)
    assert found.problems
    assert "hrss/card_master" not in found.contracts


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


DOTTED = b"\x80\x04\x8c\x1aschemas.models.strict_yaml\x94\x8c\x0fre.enum.sys.exit\x94\x93\x94)R."
FUNCTION = b"\x80\x04\x8c\x1aschemas.models.strict_yaml\x94\x8c\x05parse\x94\x93\x94)R."


def test_a_pickle_runs_nothing(root: Path, memory: Memory, tmp_path: Path) -> None:
    """Not even one with the right digest in a private file."""
    right = catalogue_memory.load(root, memory)
    digest, marker = catalogue_memory.digest(root), tmp_path / "evil"
    for content in (pickle.dumps(Evil(marker)), DOTTED, FUNCTION, pickle.dumps({}), b"", b"\x80"):
        kept(memory).write_bytes(_head(digest, content) + b"\n" + content)
        assert catalogue_memory.load(root, memory) == right
        assert not marker.exists()


def test_other_bytes_than_were_written_are_not_unpickled(
    root: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue_memory.load(root, memory)
    file = kept(memory)
    file.write_bytes(file.read_bytes().replace(b"card_master", b"card_mastex", 1))
    assert read_without_parsing(root, memory, monkeypatch) is None


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_what_others_may_write_is_not_believed(
    root: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    catalogue_memory.load(root, memory)
    assert kept(memory).stat().st_mode & 0o777 == 0o600
    assert memory.folder.stat().st_mode & 0o777 == 0o700
    kept(memory).chmod(mode)
    assert read_without_parsing(root, memory, monkeypatch) is None


def test_all_code_that_reads_it_is_part_of_the_digest() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True
    )
    counted = tuple(p.__name__ for p in catalogue_memory.CODE)
    modules = done.stdout.split()
    assert len(modules) > 10
    assert [m for m in modules if not m.startswith(counted)] == []
