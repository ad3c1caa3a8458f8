"""Rules against misuse and office hours: read strictly, linted, within what is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.lint.check import lint
from schemas.models import callers, catalogue, misuse
from schemas.models.callers import OfficeHours
from schemas.models.misuse import KEPT
from schemas.models.problem import InvalidFile

OURS = misuse.FILE.read_text(encoding="utf-8")


def written(folder: Path, text: str, name: str = "misuse.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def line_of(text: str) -> int:
    return next(n for n, line in enumerate(OURS.splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("old", "new", "rule", "says"),
    [
        ("persons: 10", "persons: 1", "model.greater_than_equal", "2"),
        ("persons: 10", "person: 10", "model.unknown_key", ""),
        ("persons: 10, ", "", "model.missing_key", ""),
        ("percent: 50", "percent: 101", "model.less_than_equal", "100"),
        ("percent: 50", "percent: '50%'", "model.int_parsing", ""),
        ("operators: 6, within: P1D", "operators: 6, within: P1DT1S", "misuse.within", "P1D"),
        ("calls: 5, within: P1D", "calls: 5, within: PT0S", "misuse.within", "P1D"),
        ("within: P1D, suspend: PT2H", "within: P1D, suspend: PT9M", "misuse.suspend", "PT10M"),
        ("within: P1D, suspend: PT2H", "within: P1D, suspend: P31D", "misuse.suspend", "P30D"),
        ("within: P1D, suspend: PT2H", "within: P1D", "model.missing_key", ""),
        ("times: 5", "times: 1", "model.greater_than_equal", "2"),
        ("title: 按序查询多人", "title: ''", "model.string_too_short", ""),
        ("person: {hour: 20, day: 60}", "person: {hour: 20, day: 6}", "asking.quota", "day"),
    ],
)
def test_a_defect_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, rule: str, says: str
) -> None:
    assert OURS.count(old) == 1
    file = written(tmp_path, OURS.replace(old, new))
    found = [p for p in misuse.check(file) if p.rule == rule]
    assert [p.line for p in found] == [line_of(old)]
    assert says in found[0].message
    with pytest.raises(InvalidFile):
        misuse.load(file)


def test_every_rule_is_needed(tmp_path: Path) -> None:
    names = list(misuse.load().rules.by_name())
    assert names == ["order", "misses", "person", "hours", "above"]
    for name in names:
        lines = [line for line in OURS.splitlines() if not line.startswith(f"  {name}:")]
        text = "\n".join(lines)
        if name == "person":  # `disclosures` has one of that name
            text = text.replace("disclosures:\n", "disclosures:\n  person: {hour: 20, day: 60}\n")
        (problem,) = misuse.check(written(tmp_path, text))
        assert (problem.rule, problem.field) == ("model.missing_key", f"rules.{name}")


def test_the_houses_own_file_is_right_and_a_folder_may_have_none(tmp_path: Path) -> None:
    assert list(misuse.check(misuse.FILE)) == []
    assert list(misuse.check(tmp_path / "misuse.yaml")) == []
    assert catalogue.load().misuse == misuse.load()
    assert all(r.within.span <= KEPT for r in misuse.load().rules.by_name().values())


def test_lint_looks_at_it(tmp_path: Path) -> None:
    for name in ("agencies.yaml", "registers.yaml"):
        (tmp_path / name).write_bytes((catalogue.ROOT / name).read_bytes())
    before = {p.rule for p in lint(tmp_path)}
    written(tmp_path, OURS.replace("persons: 10", "persons: many"))
    assert {p.rule for p in lint(tmp_path)} - before == {"model.int_parsing"}


# --- office hours

HOURS = "hours: {days: workdays, from: '08:30', to: '17:30'}"
SYSTEM = f"callers:\n  his: {{agency: health, title: 系统, title_en: System, {HOURS}}}\n"


@pytest.mark.parametrize(
    ("old", "new", "rule", "says"),
    [
        ("workdays", "weekdays", "model.literal_error", "every_day"),
        ("'08:30'", "'8:30'", "model.string_pattern_mismatch", ""),
        ("'17:30'", "'24:00'", "model.string_pattern_mismatch", ""),
        ("'17:30'", "'08:30'", "caller.hours", "day and night"),
        ("days: workdays, ", "", "model.missing_key", ""),
        ("'08:30'", "08:30", "yaml.ambiguous_scalar", ""),
    ],
)
def test_a_defect_of_office_hours_is_named(
    tmp_path: Path, old: str, new: str, rule: str, says: str
) -> None:
    agencies = {"health": object()}
    assert list(callers.check(written(tmp_path, SYSTEM, "callers.yaml"), agencies)) == []
    file = written(tmp_path, SYSTEM.replace(old, new), "callers.yaml")
    found = [p for p in callers.check(file, agencies) if p.rule == rule]
    assert [p.line for p in found] == [2]
    assert says in found[0].message


def test_office_hours_of_a_span_are_those_of_its_days() -> None:
    hours = OfficeHours.model_validate({"days": "workdays", "from": "08:30", "to": "17:30"})

    def at(text: str) -> datetime:
        return datetime.fromisoformat(f"2026-{text}+08:00")

    friday = (at("11-20T08:30"), at("11-20T17:30"))
    monday = (at("11-23T08:30"), at("11-23T17:30"))
    assert hours.spans(at("11-20T23:00"), at("11-23T00:00")) == [friday, monday]
    every = hours.model_copy(update={"days": "every_day"})
    assert len(every.spans(at("11-20T23:00"), at("11-23T00:00"))) == 4
    early = at("11-23T07:00").astimezone(UTC)  # still the day before there
    assert hours.spans(early, early) == [monday]
