"""Parts of the stewards' reports: scheme, words, cells, months."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from quality.privacy import registry
from quality.reports import facts, scheme, words, workbook
from schemas.models import catalogue
from schemas.models.problem import InvalidFile


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = scheme.FILE.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "scheme.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("weight: 25", "weight: 26", "add up to 100"),
        ("{from: 95,", "{from: 99,", "must fall"),
        ("{from: 0,", "{from: 10,", "last must be 0"),
        ("target: 99.0, better: up", "target: 99.0, better: sideways", "better"),
        ("version: 2.0.0", "version: 2.0.0\nsurprise: 1", "surprise"),
    ],
)
def test_a_wrong_scheme_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InvalidFile, match=message):
        scheme.load(changed(tmp_path, old, new))


def test_every_rule_of_every_contract_counts_to_a_dimension() -> None:
    known = scheme.load()
    for contract in catalogue.load().contracts.values():
        for rule in contract.rules:
            assert known.dimension_of(contract, rule.name) in known.dimensions
    card = catalogue.load().contract("hrss/card_master")
    found = {r: known.dimension_of(card, r) for r in ("required", "id_number.checksum", "codes")}
    assert found == {
        "required": "completeness",
        "id_number.checksum": "accuracy",
        "codes": "conformity",
    }


def test_grades_begin_where_they_say() -> None:
    known = scheme.load()
    places = [known.place(s) for s in (100, 98, 97.9, 95, 90, 80, 79.99, 0)]
    assert [known.grades[p].title_en for p in places] == [*("A", "A", "B", "B", "C", "D", "E", "E")]


def test_a_target_may_be_a_minimum_or_a_maximum() -> None:
    known = scheme.load().kpis
    up, down = known["record_complete"], known["blocked"]
    assert [up.met(s) for s in (0.99, 0.9899, None)] == [True, False, None]
    assert [down.met(s) for s in (0.01, 0.0101, 0.0)] == [True, False, True]


def test_every_word_is_there_in_both_languages_with_the_same_blanks() -> None:
    found = yaml.safe_load(words.FILE.read_text(encoding="utf-8"))
    for key, texts in found.items():
        assert set(texts) == {"zh", "en"}, key
        blanks = [set(re.findall(r"{(\w+)}", texts[language])) for language in ("zh", "en")]
        assert blanks[0] == blanks[1], key
        assert not re.search(r"[\u4e00-\u9fff]", texts["en"]), key


def test_every_action_of_the_privacy_gate_has_a_word() -> None:
    found = {text.action for text in registry.texts().values()}
    assert {words.sayer("zh")(f"action_{action}") for action in found} <= {
        *("阻断", "隔离", "提示", "告警", "留痕"),
    }


def test_percentages_are_rounded_down() -> None:
    assert words.percent(999_999 / 1_000_000) == "99.99%"
    assert words.percent(1.0) == "100.00%"
    assert words.percent(0.29) == "29.00%"
    assert words.percent(None) == "—"
    assert words.points(99.99) == "99.9"


def test_articles_are_numbered_as_the_law_does() -> None:
    assert [words.article(n, "zh") for n in (7, 9, 11, 13, 19)] == [
        *("第七条", "第九条", "第十一条", "第十三条", "第十九条"),
    ]


def test_months_follow_each_other() -> None:
    assert facts.following(date(2026, 12, 1)) == date(2027, 1, 1)
    assert facts.before(date(2026, 1, 1)) == date(2025, 12, 1)
    assert facts.before(date(2026, 11, 1), 12) == date(2025, 11, 1)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_cells_never_begin_a_formula(text: str) -> None:
    assert workbook.harmless(text)[0] not in "=+-@\t\r\n"


def test_cells_hold_no_character_that_turns_text_and_fit_their_limit() -> None:
    assert workbook.harmless("a\u202eb\x00c𠮷") == "abc𠮷"
    assert len(workbook.harmless("字" * 40_000)) == 32_767
