"""What a closed month's report remembers, and how a correction is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from onecard.errors import ConfigError
from onecard.operations import issued
from quality.reports import correction_lines
from quality.reports import scheme as schemes
from quality.reports.corrections import Correction, Issued, corrected, headlines, judged_by
from quality.reports.names import Names
from quality.reports.standings import Standing
from schemas.models import catalogue

MONTH, FIRST, LATER = date(2026, 11, 1), date(2026, 12, 20), date(2027, 1, 9)
SCHEME = schemes.load()


def test_headlines_are_grades_scores_and_key_figures() -> None:
    standings = {"total": Standing("total", score=97.129, place=2), "health": Standing("health")}
    found = headlines(standings, {"kpi.overdue.part": 3, "kpi.overdue.of": 9}, SCHEME)
    assert found["grade.total"] == (2,)
    assert found["score.total"] == (97.1,)
    assert (found["grade.health"], found["score.health"]) == ((None,), (None,))
    assert found["kpi.overdue"] == (3, 9)
    assert {k.partition(".")[2] for k in found if k.startswith("kpi.")} == set(SCHEME.kpis)


def test_what_differs_is_a_correction_and_what_is_new_or_gone_is_none() -> None:
    before = Issued("2.0.0", {"grade.total": (3,), "kpi.overdue": (1, 1), "grade.gone": (0,)})
    once = corrected(before, {"grade.total": (3,), "kpi.overdue": (0, 1), "grade.new": (1,)}, FIRST)
    assert once.corrections == (Correction(FIRST, "kpi.overdue", (1, 1), (0, 1)),)
    again = corrected(once, {"grade.total": (2,), "kpi.overdue": (0, 1)}, LATER)
    assert again.corrections == (*once.corrections, Correction(LATER, "grade.total", (3,), (2,)))


def write(
    folder: Path, overdue: tuple[int, int], day: date | None, judged: str = "2.0.0"
) -> Issued:
    """A report of that many problems, on that day where its month is closed."""
    found = issued.said(folder, MONTH, {"kpi.overdue": overdue}, judged, day)
    issued.keep(folder, MONTH, found)
    return found


def test_a_closed_month_keeps_all_its_corrections_on_disk(tmp_path: Path) -> None:
    write(tmp_path, (2, 2), None)
    write(tmp_path, (1, 1), None)
    write(tmp_path, (0, 1), FIRST)
    write(tmp_path, (1, 1), LATER)
    found = issued.read(tmp_path, MONTH)
    assert found is not None
    assert found.corrections == (
        Correction(FIRST, "kpi.overdue", (1, 1), (0, 1)),
        Correction(LATER, "kpi.overdue", (0, 1), (1, 1)),
    )
    assert list(issued.months(tmp_path)) == [MONTH]
    assert issued.read(tmp_path, date(2026, 10, 1)) is None


def test_what_is_judged_otherwise_is_no_correction_and_earlier_ones_stay(tmp_path: Path) -> None:
    write(tmp_path, (2, 2), None)
    write(tmp_path, (1, 2), FIRST)
    found = write(tmp_path, (0, 2), LATER, "3.0.0")
    assert found.corrections == (Correction(FIRST, "kpi.overdue", (2, 2), (1, 2)),)
    assert write(tmp_path, (0, 2), LATER, "3.0.0") == found


def test_what_was_told_and_not_kept_is_told_again(tmp_path: Path) -> None:
    write(tmp_path, (2, 2), None)
    once = issued.said(tmp_path, MONTH, {"kpi.overdue": (1, 2)}, "2.0.0", FIRST)
    assert issued.said(tmp_path, MONTH, {"kpi.overdue": (1, 2)}, "2.0.0", FIRST) == once
    assert once.corrections != ()


def test_figures_are_judged_by_what_of_the_catalogue_they_depend_on() -> None:
    known = catalogue.load()
    before = judged_by(SCHEME, known, "health")
    assert before.startswith(f"{SCHEME.version}+")
    assert judged_by(SCHEME, known, "health") == before
    fewer = {n: c for n, c in known.contracts.items() if n != "health/death_notice"}
    assert judged_by(SCHEME, replace(known, contracts=fewer), "health") != before
    assert judged_by(SCHEME, replace(known, contracts=fewer), "hrss") == judged_by(
        SCHEME, known, "hrss"
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"scheme": 1, "headlines": 2}'])
def test_a_broken_memory_is_said_by_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "monthly-2026-11.issued.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="is not what the reports wrote; remove it"):
        issued.read(tmp_path, MONTH)


def test_corrections_are_written_in_words_the_newest_first() -> None:
    known = catalogue.load()
    found = [
        Correction(FIRST, "grade.total", (4,), (0,)),
        Correction(FIRST, "score.health", (None,), (97.1,)),
        Correction(FIRST, "kpi.overdue", (1, 8), (0, 8)),
        Correction(FIRST, "kpi.gone", (1, 0), (None, None)),
        Correction(LATER, "grade.health/gone", (9,), (None,)),
    ]
    chinese, english = (
        [
            (str(x.day), x.what, x.old, x.new)
            for x in correction_lines.lines(found, SCHEME, Names(known, language))
        ]
        for language in ("zh", "en")
    )
    assert chinese == [
        ("2027-01-09", "health/gone评级", "—", "—"),
        ("2026-12-20", "gone", "未测", "未测"),
        ("2026-12-20", "问题逾期率", "12.50% (1/8)", "0.00% (0/8)"),
        ("2026-12-20", "市卫生健康委员会得分", "—", "97.1"),
        ("2026-12-20", "合计评级", "差", "优秀"),
    ]
    assert english[-1] == ("2026-12-20", "Total grade", "E", "A")
