"""Text as sources write it: signs of numbers, short dates, NULL tokens, blanks around values."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from onecard.base.blanks import BLANKS, CONTROLS
from onecard.ports.row_gate import Checked, Reason
from onecard.ports.source import Chunk
from quality.expectations.onecard_expectations import forms, on_pandas
from quality.rows import reading, text_forms
from quality.rows.gate import compile_gate
from schemas.models.contract import Contract
from schemas.models.text_form import TextForm

pytestmark = pytest.mark.usefixtures("either_path")

Contracts = Callable[..., Contract]
Chunks = Callable[..., Chunk]
MONEY = {"type": "number", "precision": 18, "scale": 2}


@pytest.fixture
def checked(contract_of: Contracts, chunk_of: Chunks, now: datetime) -> Callable[..., Checked]:
    """The gate on values of one field `f`, with a form of text."""

    def run(
        field: dict[str, Any], values: list[str | None], *, file: dict[str, Any] | None = None
    ) -> Checked:
        made = contract_of({"name": "f", **field})
        source = made.source.model_copy(update={"text": TextForm.model_validate(file or {})})
        gate = compile_gate(made.model_copy(update={"source": source}))
        return gate.check(chunk_of({"f": values}), now)

    return run


def good(found: Checked) -> list[Any]:
    return found.good["f"].to_list()


def rules(found: Checked) -> dict[int, list[str]]:
    return {row.number: [reason.rule for reason in row.reasons] for row in found.rejected}


@pytest.mark.case("file-3", "amounts with declared signs are read exactly, others are rejected")
@pytest.mark.parametrize(
    ("form", "right", "wrong"),
    [
        (
            {"thousands": ","},
            {"1,234.50": "1234.50", "1234.5": "1234.50", "-1,234,567": "-1234567.00", "0": "0.00"},
            ["12,34.5", "1,2345", ",123", "1,234,", "1234,567", "0,123", "1.234,50", "1，234.50"],
        ),
        (
            {"decimal": ",", "thousands": "."},
            {"1.234,50": "1234.50", "1234,5": "1234.50", "1.234": "1234.00", "0,05": "0.05"},
            ["1,234.50", "1.5", "12.34,5", "1,5,5", "1234.50"],
        ),
        ({"decimal": ","}, {"1234,50": "1234.50", "7": "7.00"}, ["1234.50", "1.234,50", "1,,5"]),
        ({"thousands": " "}, {"1 234 567.5": "1234567.50"}, [" 1 234", "1 23", "1,234"]),
        ({"thousands": "'"}, {"1'234.5": "1234.50"}, ["1'23", "1,234"]),
        ({"thousands": "，"}, {"1，234.5": "1234.50"}, ["1,234", "1，23"]),
    ],
)
@pytest.mark.parametrize("at", ["field", "file"])
def test_signs_of_numbers(
    checked: Callable[..., Checked],
    form: dict[str, Any],
    right: dict[str, str],
    wrong: list[str],
    at: str,
) -> None:
    field = {**MONEY, "text": form} if at == "field" else MONEY
    values: list[str | None] = [*right, None, *wrong]
    found = checked(field, values, file=form if at == "file" else None)
    assert good(found) == [*map(Decimal, right.values()), None]
    assert rules(found) == {len(right) + 2 + i: ["type"] for i in range(len(wrong))}


@pytest.mark.case("file-3", "grouped whole numbers; undeclared groups are rejected")
def test_signs_of_integers(checked: Callable[..., Checked]) -> None:
    form = {"thousands": ","}
    found = checked({"type": "integer", "text": form}, ["1,234", "1234", "1,23", "1,234.0"])
    assert good(found) == [1234, 1234]
    assert rules(found) == {3: ["type"], 4: ["type"]}
    assert rules(checked(MONEY, ["1,234.50"])) == {1: ["type"]}


def test_digits_beyond_the_scale_are_rejected_in_every_form(
    checked: Callable[..., Checked],
) -> None:
    assert rules(checked({**MONEY, "text": {"thousands": ","}}, ["1,234.505"])) == {1: ["scale"]}


@pytest.mark.case("file-3", "a field's form is laid over the file's")
def test_a_field_differs_from_its_file(checked: Callable[..., Checked]) -> None:
    found = checked(
        {**MONEY, "text": {"decimal": ".", "thousands": None}},
        ["1.5", "NULL"],
        file={"decimal": ",", "thousands": ".", "null": ["NULL"]},
    )
    assert good(found) == [Decimal("1.50"), None]


@pytest.mark.case("file-3", "months and days of one digit pass where signs part them")
@pytest.mark.parametrize(
    ("form", "right", "wrong"),
    [
        (
            "%Y/%m/%d",
            ["2026/1/5", "2026/01/05", "2026/1/05"],
            [
                "26/1/5",
                "2026/001/5",
                "2026/1/5 ",
                "2026/ 1/5",
                "2026/13/1",
                "2026/2/30",
                "+2026/1/5",
            ],
        ),
        ("%Y-%m-%d", ["2026-1-5"], ["2026/1/5", "2026-1-5T0", "2026-1"]),
        ("%Y年%m月%d日", ["2026年1月5日", "2026年01月05日"], ["2026年1月5", "2026年一月五日"]),
        ("%Y%m%d", ["20260105"], ["202615", "2026015", "2026105"]),
        ("%d.%m.%Y", ["5.1.2026", "05.01.2026"], ["5.1.26", "2026.1.5"]),
    ],
)
def test_short_dates(
    checked: Callable[..., Checked], form: str, right: list[str], wrong: list[str]
) -> None:
    found = checked({"type": "date", "format": form}, [*right, *wrong])
    assert good(found) == [date(2026, 1, 5)] * len(right)
    assert rules(found) == {len(right) + 1 + i: ["type"] for i in range(len(wrong))}
    suite = on_pandas.faults({"type": "date", "format": form}, pd.Series([*right, *wrong]), None)
    assert suite["type"].tolist() == [False] * len(right) + [True] * len(wrong)


@pytest.mark.case("file-3", "hours of one digit likewise, in Beijing time")
def test_short_times(checked: Callable[..., Checked]) -> None:
    field = {"type": "timestamp", "format": "%Y/%m/%d %H:%M:%S"}
    found = checked(field, ["2026/1/5 8:05:09", "2026/01/05 08:05:09", "2026/1/5 8:5", "2026/1/5"])
    assert [t.isoformat() for t in good(found)] == ["2026-01-05T00:05:09+00:00"] * 2
    assert rules(found) == {3: ["type"], 4: ["type"]}


def test_a_date_without_a_declared_form_is_iso(checked: Callable[..., Checked]) -> None:
    assert rules(checked({"type": "date"}, ["2026-1-5", "2026/1/5"])) == {1: ["type"], 2: ["type"]}


@pytest.mark.case("file-4", "declared tokens are NULL in every type, and required fields empty")
def test_null_tokens(checked: Callable[..., Checked]) -> None:
    form = {"null": ["NULL", "\\N"]}
    for field in ({}, MONEY, {"type": "date"}, {"semantic": "mobile"}):
        found = checked({**field, "text": form}, ["NULL", "\\N", None])
        assert good(found) == [None] * 3
        assert (found.rejected, found.warnings) == ((), {})
    found = checked({"required": True}, ["NULL", "null", "x NULL"], file=form)
    assert rules(found) == {1: ["required"]}
    assert good(found) == ["null", "x NULL"]
    assert [dict(row.values)["f"] for row in found.rejected] == ["NULL"], "as it came"


@pytest.mark.case("file-4", "an undeclared word for NULL is text, warned of with its count")
@pytest.mark.parametrize("word", text_forms.NULL_WORDS)
def test_words_for_null_are_warned_of(checked: Callable[..., Checked], word: str) -> None:
    found = checked({}, [word, "吴娜", None, word, f"{word} 1"])
    assert good(found) == [word, "吴娜", None, word, f"{word} 1"]
    assert found.warnings == {Reason("f", "text.null_word"): 2}


@pytest.mark.case("file-4", "a name NULL is warned of; in a typed field it is rejected")
def test_words_for_null_in_other_fields(checked: Callable[..., Checked]) -> None:
    name = checked({"semantic": "person_name"}, ["NULL"])
    assert name.warnings == {Reason("f", "text.null_word"): 1}
    assert rules(checked(MONEY, ["NULL"])) == {1: ["type"]}


AROUND = [f"{c}吴 娜" for c in BLANKS] + [f"吴 娜{c}" for c in BLANKS]


@pytest.mark.case("older-5", "a blank of any width at an end rejects the row")
@pytest.mark.parametrize("field", [{}, {"semantic": "person_name"}])
def test_blanks_around_a_value_reject_its_row(
    checked: Callable[..., Checked], field: dict[str, Any]
) -> None:
    found = checked(field, [*AROUND, "吴 娜", " "])
    assert good(found) == ["吴 娜"]
    assert len(found.rejected) == len(AROUND) + 1
    kinds = {rule for broken in rules(found).values() for rule in broken}
    assert kinds <= {"text.blanks", "person_name.format"}
    assert rules(checked(field, [" 吴娜 "])) == {1: ["text.blanks"]}


@pytest.mark.case("older-5", "in a batch of ASCII alone too")
def test_blanks_around_ascii(checked: Callable[..., Checked]) -> None:
    assert rules(checked({}, ["a", " a", "a ", ""])) == {2: ["text.blanks"], 3: ["text.blanks"]}


@pytest.mark.case("older-5", "trimmed where the contract says so, counted, kept as it came")
@pytest.mark.parametrize("at", ["field", "file"])
def test_blanks_are_taken_off_and_counted(checked: Callable[..., Checked], at: str) -> None:
    form = {"trim": True}
    field = {"semantic": "person_name", "required": True}
    values: list[str | None] = [*AROUND, "\t吴 娜\r\n", "吴 娜", "\u3000", None]
    found = checked(
        {**field, "text": form} if at == "field" else field,
        values,
        file=form if at == "file" else None,
    )
    assert good(found) == ["吴 娜"] * (len(AROUND) + 2)
    assert found.warnings == {Reason("f", "text.trimmed"): len(AROUND) + 1}
    assert [list(b) for b in rules(found).values()] == [["required"]] * 2, "of blanks alone: NULL"
    assert [dict(row.values)["f"] for row in found.rejected] == ["\u3000", None]


@pytest.mark.case("older-5", "trimming works before numbers, dates, codes and identifiers")
def test_trimming_comes_before_the_type(checked: Callable[..., Checked]) -> None:
    for field, text, value in (
        (MONEY, " 1.5\u00a0", Decimal("1.50")),
        ({"type": "integer"}, "\u30007 ", 7),
        ({"type": "date"}, "2026-01-05\ufeff", date(2026, 1, 5)),
        ({"semantic": "code", "codes": ("card_status",)}, " 1 ", "1"),
        ({"semantic": "id_number", "max_length": 18}, " 11010519491231002X", "11010519491231002X"),
    ):
        found = checked({**field, "text": {"trim": True}}, [text])
        assert good(found) == [value]
        assert rules(checked(field, [text])).keys() == {1}, "without it the row is rejected"


def test_tokens_are_looked_for_after_trimming(checked: Callable[..., Checked]) -> None:
    assert good(checked({"text": {"trim": True, "null": ["NULL"]}}, [" NULL "])) == [None]


def test_the_suites_know_the_same_blanks() -> None:
    assert forms.BLANKS == BLANKS
    assert len(set(BLANKS)) == len(BLANKS)
    unseen = [chr(n) for n in range(0x110000) if not 0xD800 <= n < 0xE000 and chr(n).isspace()]
    assert not [c for c in unseen if c not in BLANKS + CONTROLS and not "\x1c" <= c <= "\x1f"]


@pytest.mark.parametrize("wide", [pa.string(), pa.large_string()])
def test_tight_columns_are_told_by_their_bytes(wide: pa.DataType) -> None:
    for character in BLANKS + CONTROLS:
        for value in (f"{character}a", f"吴{character}", character):
            array = pa.array(["x", None, "", value, "吴娜"], wide)
            assert not reading._tight(array), hex(ord(character))
            assert reading._tight(array.slice(0, 3))
            assert not reading._tight(array.slice(3, 1))
    assert reading._tight(pa.array(["吴 娜", "𠮷野", "a b", ""], wide))
    assert reading._tight(pa.array([None, None], wide))


@pytest.mark.parametrize("form", ["%Y/%j", "%-m/%d/%Y", "%y%m%d", "%Y-%m-%d %p", "%"])
def test_formats_with_other_parts_are_left_to_the_parser(form: str) -> None:
    assert text_forms.written(form) is None


def test_signs_of_a_format_stand_for_themselves() -> None:
    assert text_forms.written("%Y.%m.%d") == "^[0-9]{4}\\.[0-9]{1,2}\\.[0-9]{1,2}$"
    assert text_forms.written("%Y1%m") == "^[0-9]{4}1[0-9]{2}$"
    assert re.fullmatch(text_forms.written("%%%Y+%m") or "", "%2026+1")
    series = pl.Series(["2026.1.5", "2026x1x5"])
    assert series.str.contains(text_forms.written("%Y.%m.%d") or "").to_list() == [True, False]
