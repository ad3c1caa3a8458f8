"""The catalogue is parsed once a process, and anew when any file below its root has changed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from onecard.base.kept import Kept
from schemas.models import agreement as agreements
from schemas.models import catalogue
from schemas.models.problem import InvalidFile

AGREEMENT = "f07-hrss-operator-card-status"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    copy = tmp_path / "schemas"
    shutil.copytree(catalogue.ROOT, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return copy


def test_the_same_bytes_are_parsed_once(root: Path) -> None:
    first, second = catalogue.load(root), catalogue.load(root)
    assert first.contracts["hrss/card_master"] is second.contracts["hrss/card_master"]
    assert first.agreements[AGREEMENT] is second.agreements[AGREEMENT]


def test_a_change_of_the_same_length_at_the_same_instant_is_seen(root: Path) -> None:
    file = root / "agreements" / f"{AGREEMENT}.yaml"
    before, stat = catalogue.load(root), file.stat()
    text = file.read_text()
    file.write_text(text.replace(AGREEMENT, AGREEMENT.replace("operator", "operatox"), 1))
    assert file.stat().st_size == stat.st_size
    after = catalogue.load(root)
    assert AGREEMENT in before.agreements
    assert AGREEMENT not in after.agreements
    assert [p.rule for p in after.problems if p.file == file]
    file.write_text(text)
    assert AGREEMENT in catalogue.load(root).agreements


def test_a_file_that_appears_or_goes_is_seen(root: Path) -> None:
    file = root / "agreements" / f"{AGREEMENT}.yaml"
    text = file.read_text()
    assert AGREEMENT in catalogue.load(root).agreements
    file.unlink()
    assert AGREEMENT not in catalogue.load(root).agreements
    file.write_text(text)
    assert AGREEMENT in catalogue.load(root).agreements


def test_what_was_read_beside_it_is_read_anew_with_it(root: Path) -> None:
    file = root / "registers.yaml"
    text, old = file.read_text(), catalogue.load(root).registers.list_published
    file.write_text(text.replace(f"list_published: {old}", "list_published: 2020-01-01"))
    assert str(catalogue.load(root).registers.list_published) == "2020-01-01"
    file.write_text(text)
    assert catalogue.load(root).registers.list_published == old, "and back, from what was kept"


def test_what_was_begun_to_be_read_beside_it_before_a_change_is_not_kept(root: Path) -> None:
    file = root / "registers.yaml"
    catalogue.load(root)
    changed = file.read_text().replace("title: ", "title: 新", 1)

    def read_slowly(_: Path) -> str:
        said = file.read_text()
        if said != changed:
            file.write_text(changed)
            catalogue.load(root)  # another thread sees the change and has all forgotten
        return said

    slow = Kept(read_slowly)
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(catalogue, "BESIDE", (*catalogue.BESIDE, slow))
        assert slow(file) != changed
        assert slow(file) == changed


def test_all_that_is_read_beside_it_forgets_what_was_begun_before() -> None:
    assert all(isinstance(read, Kept) for read in catalogue.BESIDE)


def test_what_one_caller_does_to_its_maps_is_its_own(root: Path) -> None:
    found = catalogue.load(root)
    for part in (found.contracts, found.agreements, found.agencies):
        assert isinstance(part, dict)
        part.clear()
    again = catalogue.load(root)
    assert "hrss/card_master" in again.contracts
    assert AGREEMENT in again.agreements
    assert "hrss" in again.agencies


def test_a_change_behind_a_link_to_a_folder_is_seen(root: Path) -> None:
    real = root.parent / "real"
    (root / "agreements").rename(real)
    (root / "agreements").symlink_to(real)
    assert AGREEMENT in catalogue.load(root).agreements
    (real / f"{AGREEMENT}.yaml").unlink()
    assert AGREEMENT not in catalogue.load(root).agreements


def test_what_was_read_while_somebody_wrote_is_not_kept(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = root / "agreements" / f"{AGREEMENT}.yaml"
    text, parsed = file.read_text(), agreements.load

    def writing(path: Path) -> object:
        if path == file:
            file.unlink(missing_ok=True)
        return parsed(path)

    monkeypatch.setattr(agreements, "load", writing)
    assert AGREEMENT not in catalogue.load(root).agreements
    monkeypatch.undo()
    file.write_text(text)
    assert AGREEMENT in catalogue.load(root).agreements, "the file is as it was before"


def test_a_file_that_could_not_be_opened_once_is_read_the_next_time(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = root / "agreements" / f"{AGREEMENT}.yaml"
    read_text = Path.read_text

    def refused(path: Path, *args: str, **more: str) -> str:
        if path == file:
            raise OSError(24, "Too many open files")
        return read_text(path, *args, **more)

    monkeypatch.setattr(Path, "read_text", refused)
    assert AGREEMENT not in catalogue.load(root).agreements
    monkeypatch.undo()
    assert AGREEMENT in catalogue.load(root).agreements


def test_rows_that_go_back_are_sealed_one_by_one_or_not_at_all(root: Path) -> None:
    """`sealed` is of deliveries; of rejected rows that go back, `treatment: sealed`."""
    file = root / "agencies.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("handback: {", "handback: {sealed: true, ", 1), encoding="utf-8")
    with pytest.raises(InvalidFile, match=r"handback\.sealed"):
        catalogue.load(root)


def test_what_is_only_proposed_is_neither_woken_nor_brought() -> None:
    known = catalogue.load()
    own = known.contracts["hrss/card_master"]
    source = own.source.model_copy(update={"connector": "push"})
    for status, taken in (("proposed", set()), ("draft", {own.id}), ("active", {own.id})):
        changed = {"status": status, "source": source, "lane": "event"}
        one = replace(known, contracts={own.id: own.model_copy(update=changed)})
        assert one.wakeable("hrss") == one.bringable("hrss") == taken
