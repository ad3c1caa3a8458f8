"""Grades: the score, and what keeps a grade below it."""

from __future__ import annotations

from pathlib import Path

import pytest

from quality.reports import scheme, words
from quality.reports.measures import level, score
from quality.reports.standings import Standing, dimension_place, graded
from schemas.models.problem import InvalidFile

SCHEME = scheme.load()
KPIS = tuple(SCHEME.kpis)


def name(standing: Standing) -> str:
    return "—" if standing.place is None else SCHEME.grades[standing.place].title_en


@pytest.mark.parametrize(
    ("reached", "missed", "late", "grade", "caps"),
    [
        (98.8, 0, 0, "A", ()),
        (98.8, 1, 0, "B", ("targets",)),
        (98.8, 2, 0, "B", ("targets",)),
        (98.8, 3, 0, "C", ("targets",)),
        (98.8, 5, 88, "D", ("targets", "overdue")),
        (98.8, 0, 1, "B", ("overdue",)),
        (98.8, 0, 20, "B", ("overdue",)),
        (98.8, 0, 21, "C", ("overdue",)),
        (98.8, 1, 51, "D", ("overdue", "targets")),
        (85.0, 1, 0, "D", ()),  # worse than its cap already
        (None, 5, 88, "—", ()),
    ],
)
def test_a_missed_target_and_overdue_problems_cap_the_grade(
    reached: float | None, missed: int, late: int, grade: str, caps: tuple[str, ...]
) -> None:
    found = graded(
        Standing("x", score=reached, missed=KPIS[:missed], late=late, problems=100), (), SCHEME
    )
    assert (name(found), found.caps) == (grade, caps)
    assert found.score == reached, "the level is shown as it is"


def test_an_agency_is_at_most_one_grade_above_its_worst_dataset() -> None:
    members = [Standing("a/good", place=0), Standing("a/bad", place=4), Standing("a/silent")]
    found = graded(Standing("a", score=99.0), members, SCHEME)
    assert (name(found), found.caps, found.weakest) == ("D", ("weakest",), "a/bad")
    assert name(graded(Standing("a", score=99.0), members[:1], SCHEME)) == "A"
    assert name(graded(Standing("a", score=99.0), members[2:], SCHEME)) == "A"


def figures(**shares: tuple[int, int]) -> dict[str, float | int | None]:
    """Datasets `d_<name>`, each with one share in all dimensions."""
    found: dict[str, float | int | None] = {}
    for dataset, (part, of) in shares.items():
        for dimension in SCHEME.dimensions:
            found |= {f"dim.{dataset}.{dimension}.part": part, f"dim.{dataset}.{dimension}.of": of}
    return found


def test_a_small_dataset_cannot_hide_behind_a_large_one() -> None:
    """Of a million good rows and ten bad ones, the sum is 99.999%, the level one half."""
    found = figures(large=(1_000_000, 1_000_000), small=(0, 10))
    assert level(found, ("large", "small"), "accuracy") == 0.5
    assert score(found, ("large", "small"), SCHEME) == pytest.approx(50.0)
    assert score(found, ("large",), SCHEME) == pytest.approx(100.0)


def test_what_was_not_measured_has_no_part_in_a_level() -> None:
    found = figures(good=(9, 10), silent=(0, 0))
    assert level(found, ("good", "silent"), "accuracy") == 0.9
    assert level(found, ("silent",), "accuracy") is None
    assert score(found, ("silent",), SCHEME) is None


def test_a_dimension_is_capped_by_its_own_targets_only() -> None:
    at = SCHEME.place(99.0)
    assert dimension_place(0.99, "timeliness", ("filled", "blocked"), SCHEME) == at
    assert dimension_place(0.99, "completeness", ("filled", "blocked"), SCHEME) == at + 1
    assert dimension_place(None, "completeness", ("filled",), SCHEME) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{above: 2, at_most: C}", "{above: 0, at_most: C}", "must rise"),
        ("{above: 2, at_most: C}", "{above: 2, at_most: A}", "must rise"),
        ("{above: 2, at_most: C}", "{above: 2, at_most: F}", "title_en"),
        ("since: 2026-11-01", "since: 2026-11-02", "first day"),
        ("dimension: timeliness", "dimension: punctuality", "dimension"),
        ("chase_days: 3", "chase_days: 0", "chase_days"),
    ],
)
def test_wrong_caps_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = scheme.FILE.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "scheme.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InvalidFile, match=message):
        scheme.load(file)


def test_a_score_that_lacks_its_last_binary_digit_has_its_grade() -> None:
    assert SCHEME.grades[SCHEME.place(98.0 - 1e-12)].title_en == "A"
    assert SCHEME.grades[SCHEME.place(97.99)].title_en == "B"


@pytest.mark.parametrize(
    ("now", "before", "shown"),
    [
        ("98.8", "98.5", "+0.3"),
        ("98.50%", "98.80%", "−0.30"),
        ("100.0", "99.9", "+0.1"),
        ("98.8", "98.8", "0.0"),
    ],
)
def test_a_change_is_that_of_the_numbers_as_written(now: str, before: str, shown: str) -> None:
    assert words.change(now, before) == shown


def test_no_text_ends_a_string_of_a_style_sheet() -> None:
    hostile = 'a"; } </style><script>\n\\\u202e月报'
    found = str(words.css(hostile))
    assert found.startswith('"a')
    assert found.endswith('月报"')
    assert not set(found[1:-1]) & set('"<>\n;}\u202e')
    assert "\\22 " in found
