"""The memory of `onecard lint`: nothing wrong is passed, whatever changes; nothing is checked twice."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import schemas
from onecard.base.memory import _files, _head
from onecard.operations import linting
from schemas.models.problem import Problem

OPENED = """
import sys
from pathlib import Path
found = set()
sys.addaudithook(lambda event, args: found.add(str(args[0])) if event == "open" else None)
from onecard.operations import linting
print(*linting._checked(Path(sys.argv[1]), None), sep="\\n")
ours = [str(Path(p.__path__[0])) for p in linting.CODE]
print("opened:", *sorted(f for f in found if f.startswith((sys.argv[1], *ours))), sep="\\n")
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "schemas"
    folder.mkdir()
    for part in ("contracts", "agreements"):
        shutil.copytree(linting.ROOT / part, folder / part)
    for part in ("agencies.yaml", "registers.yaml", "service_levels.yaml"):
        shutil.copy(linting.ROOT / part, folder)
    return folder


class Memory:
    """A memory, and how often the whole check was run."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder, self.runs = root, folder, 0
        self.check: linting.Check = lambda: linting._checked(root, None)

    def lint(self) -> tuple[Problem, ...]:
        def check() -> tuple[Problem, ...]:
            self.runs += 1
            return self.check()

        return linting.remembered(self.root, self.folder, check)

    @property
    def file(self) -> Path:
        (file,) = self.folder.iterdir()
        return file


@pytest.fixture
def memory(root: Path, tmp_path: Path) -> Memory:
    found = Memory(root, tmp_path / "cache")
    whole, found.check = found.check, tuple  # the files are sound: no problem
    assert found.lint() == ()
    found.check = whole
    return found


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.case("people-6", "byte for byte the same: nothing is parsed or checked again")
def test_the_second_time_nothing_is_checked(memory: Memory) -> None:
    assert memory.lint() == ()
    assert memory.runs == 1


def test_problems_are_remembered_as_they_were_found(memory: Memory) -> None:
    replace(memory.root / "agencies.yaml", "role: bank", "role: shop")
    found = memory.lint()
    assert found
    assert memory.lint() == found
    assert memory.runs == 2


def test_a_file_that_cannot_be_read_is_a_problem_each_time(memory: Memory) -> None:
    broken = memory.root / "agreements" / "f99-nobody.yaml"
    broken.symlink_to("nowhere.yaml")
    assert [(p.file, p.rule) for p in memory.lint()] == [(broken, "file.unreadable")]
    memory.lint()
    assert memory.runs == 3, "what could not be read is not remembered"


def test_one_changed_byte_is_found(memory: Memory) -> None:
    file = memory.root / "contracts" / "hrss" / "card_master.odcs.yaml"
    replace(file, "id: hrss/card_master", "id: hrss/card_mastex")
    assert {p.rule for p in memory.lint()} >= {"file.name"}


def test_what_another_file_brings_is_found(memory: Memory) -> None:
    """An agreement is as it was; the contract that it reads lost the field."""
    file = memory.root / "contracts" / "hrss" / "card_master.odcs.yaml"
    replace(file, "name: card_no", "name: card_nr")
    rules = {p.rule for p in memory.lint() if p.file.parent.name == "agreements"}
    assert "agreement.unknown_field" in rules


def test_a_file_more_or_less_is_found(memory: Memory) -> None:
    (memory.root / "contracts" / "hrss" / "card_master.odcs.yaml").unlink()
    assert {p.rule for p in memory.lint()} >= {"agreement.unknown_dataset"}
    (memory.root / "agreements" / "f99.yaml").write_text("id: f98\n", encoding="utf-8")
    assert any(p.file.name == "f99.yaml" for p in memory.lint())


@pytest.mark.parametrize(
    "name", ["codes/purpose.csv", "lint/check.py", "semantic_types.yaml", "models/rules.py"]
)
def test_code_lists_and_the_code_that_checks_are_part_of_it(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    copy = tmp_path / "package"
    shutil.copytree(linting.ROOT, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(schemas, "__path__", [str(copy)])
    memory.check = tuple
    memory.lint()
    assert memory.runs == 1, "the same package elsewhere"
    file = copy / name
    file.write_bytes(file.read_bytes() + b"\n")
    memory.lint()
    assert memory.runs == 2


def test_another_version_of_a_library_is_part_of_it(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "more" / "pydantic-99.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "more")
    memory.lint()
    assert memory.runs == 2


@pytest.mark.parametrize("content", [b"", b"{", b"\x00\xff", b"3", b'[["a"]]', b"[1]"])
def test_a_spoilt_memory_is_written_again(memory: Memory, content: bytes) -> None:
    """Whether its bytes are others, or are what was written and no verdict."""
    digest = memory.file.read_text().split()[0]
    for runs, head in enumerate((digest.encode(), _head(digest, content)), start=2):
        memory.file.write_bytes(head + b"\n" + content)
        assert memory.lint() == ()
        assert memory.runs == runs
        assert memory.lint() == ()
        assert memory.runs == runs


def test_it_is_private_and_what_others_may_write_is_not_believed(memory: Memory) -> None:
    assert memory.folder.stat().st_mode & 0o777 == 0o700
    assert memory.file.stat().st_mode & 0o777 == 0o600
    memory.folder.chmod(0o777)
    memory.lint()
    assert memory.runs == 2


def test_a_folder_that_cannot_be_written_costs_only_time(root: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    memory = Memory(root, blocked / "cache")
    assert memory.lint() == memory.lint() == ()
    assert memory.runs == 2


def test_a_change_during_the_check_is_not_remembered(root: Path, tmp_path: Path) -> None:
    file, folder = root / "agencies.yaml", tmp_path / "cache"
    text = file.read_text(encoding="utf-8")

    def check() -> tuple[Problem, ...]:
        file.write_text(text + "\n", encoding="utf-8")
        return ()

    linting.remembered(root, folder, check)
    assert not folder.exists()


def test_every_file_that_the_check_opens_is_part_of_the_digest(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPENED, str(root)], capture_output=True, text=True, check=True
    )
    opened = {Path(f) for f in done.stdout.split("opened:\n")[1].splitlines()}
    opened = {f for f in opened if f.suffix != ".pyc" and "__pycache__" not in f.parts}
    counted = {f for pattern in linting.PATTERNS for f in root.glob(pattern)}
    counted |= {f for p in linting.CODE for f in _files(Path(p.__path__[0]))}
    assert {f.name for f in opened} >= {"purpose.csv", "agencies.yaml", "card_master.odcs.yaml"}
    assert {f for f in opened if f.is_file()} - counted == set()
