"""The catalogue is parsed once a process, and anew when any file below its root has changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from schemas.models import catalogue

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


def test_what_one_caller_does_to_its_maps_is_its_own(root: Path) -> None:
    found = catalogue.load(root)
    assert isinstance(found.contracts, dict)
    found.contracts.clear()
    assert "hrss/card_master" in catalogue.load(root).contracts
