"""Working days for an answer: one file, overridden by agency, linted."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.models import service_levels
from schemas.models.problem import InvalidFile

KNOWN = {"hrss": object(), "health": object()}


def written(folder: Path, text: str) -> Path:
    file = folder / "service_levels.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_an_agency_has_its_own_days_where_it_says_so(tmp_path: Path) -> None:
    text = "working_days: {record: 10, finding: 5}\nagencies: {health: {record: 15}}\n"
    found = service_levels.load(written(tmp_path, text))
    days = {
        (agency, kind): found.days(agency, kind)
        for agency in ("hrss", "health")
        for kind in ("record", "finding")
    }
    assert days == {
        ("hrss", "record"): 10,
        ("hrss", "finding"): 5,
        ("health", "record"): 15,
        ("health", "finding"): 5,
    }


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        ("working_days: {record: 10, finding: 5}\nagencies:\n  nobody: {record: 3}\n", None, 3),
        ("working_days: {record: 0, finding: 5}\n", "model.greater_than_equal", 1),
        ("working_days:\n  record: 10\n", "model.missing_key", 2),
        ("working_days: {record: 1, finding: 5, other: 1}\n", "model.unknown_key", 1),
    ],
)
def test_a_defect_is_named_with_its_line(
    tmp_path: Path, text: str, rule: str | None, line: int
) -> None:
    file = written(tmp_path, text)
    (problem,) = service_levels.check(file, KNOWN)
    assert (problem.rule, problem.line) == (rule or "service_level.unknown_agency", line)
    if rule:
        with pytest.raises(InvalidFile):
            service_levels.load(file)


def test_the_houses_own_file_is_right_and_a_folder_may_have_none(tmp_path: Path) -> None:
    assert list(service_levels.check(service_levels.FILE, KNOWN)) == []
    assert list(service_levels.check(tmp_path / "service_levels.yaml", KNOWN)) == []
