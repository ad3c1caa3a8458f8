"""Guesses of types, meanings, codes and keys from samples, and what of them is ever shown."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest

from demo.calendar import Day
from demo.people import block
from onecard.model.discovered import SampledColumn, SampledSource
from onecard.model.drift import SourceColumn
from onecard.model.source_types import SourceType
from onecard.operations.contract_draft import DraftSource, text_of
from quality.samples import code_lists, field_names, keys, text_types
from quality.samples.guess import ColumnGuess, SourceGuess, TextType
from quality.samples.known_words import (
    KnownWords,
    is_mark_of_deletion,
    is_time_of_change,
    titles_in,
)
from quality.samples.meanings import SURNAMES, TELLING, Judges, is_header_of
from quality.samples.profile import profile
from schemas.models import catalogue, semantic

PEOPLE = block(9, 0, 200, Day(0).date).frame
JUDGES = Judges(20261124, demo=True)
NOTHING = KnownWords(())


def series(*values: str, times: int = 1) -> pl.Series:
    return pl.Series("value", list(values) * times)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (("2026-01-05", "2026-11-30"), TextType("date")),
        (("2026/1/5", "2026/11/30"), TextType("date", "%Y/%m/%d")),
        (("2026.01.05", "2026.11.30"), TextType("date", "%Y.%m.%d")),
        (("2026年1月5日", "2026年11月30日"), TextType("date", "%Y年%m月%d日")),
        (("20260105", "20261130"), TextType("date", "%Y%m%d")),
        (("2026-01-05T08:00:00+08:00",), TextType("timestamp")),
        (("2026-01-05 08:00:00",), TextType("timestamp", "%Y-%m-%d %H:%M:%S")),
        (("2026/1/5 8:00",), TextType("timestamp", "%Y/%m/%d %H:%M")),
        (("20260105080000",), TextType("timestamp", "%Y%m%d%H%M%S")),
        (("2026-13-05", "2026-01-05"), None),
        (("12345678",), None),
        (("a", "b"), None),
    ],
)
def test_dates_and_times_have_one_form(values: tuple[str, ...], wanted: TextType | None) -> None:
    assert text_types.moment_type(series(*values)) == wanted


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (("1,234.50", "800.00", "12,000.00"), TextType("number", None, ",", 16, 2)),
        (("1234.5", "7"), TextType("number", None, None, 16, 2)),
        (("0.12345", "7"), TextType("number", None, None, 16, 5)),
        (("1", "22", "333"), TextType("integer")),
        (("1234567", "7654321"), None),
        (("0012", "003"), None),
        (("a", "1"), None),
        (("1,00.00", "x"), None),
    ],
)
def test_numbers_have_decimals_groups_or_lengths(
    values: tuple[str, ...], wanted: TextType | None
) -> None:
    assert text_types.number_type(series(*values)) == wanted


def test_one_wrong_value_in_ten_changes_no_guess() -> None:
    good = [f"2026-01-{day:02}" for day in range(1, 19)]
    assert text_types.moment_type(series(*good, "无效", "2026-02-30")) == TextType("date")
    assert text_types.moment_type(series(*good, "a", "b", "c")) is None


@pytest.mark.parametrize(
    ("column", "wanted"),
    [("person_id18", "id_number"), ("person_name", "person_name"), ("mobile", "mobile")],
)
def test_people_are_known_by_the_gates_own_judges(column: str, wanted: str) -> None:
    values = PEOPLE[column].drop_nulls()
    assert JUDGES.telling(values) == wanted
    spoilt = pl.concat([values.head(len(values) // 2), series("x", times=len(values))])
    assert JUDGES.telling(spoilt) is None


def test_what_looks_like_a_type_and_is_another_is_not_taken() -> None:
    assert JUDGES.telling(series("郑州地铁公司", "河南公交集团", "紫荆山站")) is None
    assert JUDGES.telling(series("6222021702001234566", times=3)) == "bank_account"
    assert JUDGES.telling(series("6222021702001234567", times=3)) is None
    assert JUDGES.telling(series("410102", "410103", "410105")) == "division"
    assert JUDGES.telling(series("999999", "000000", "123456")) is None
    assert JUDGES.telling(series("2026-01", "2026-02")) == "year_month"


def test_every_telling_type_is_there_and_can_be_judged() -> None:
    types = semantic.load().types
    for name in TELLING:
        assert types[name].pattern or types[name].validator, name
    assert len(SURNAMES) == len(set(SURNAMES)) == 100


def test_a_header_over_names_speaks_of_names() -> None:
    names = series("欧阳娜", "王伟", "救命")
    for header in ("姓名", "户主", "XM", "救助对象", "监护人", "高龄人员"):
        assert is_header_of(header, "person_name", names), header
    for value in ("张小明", "欧阳修", "王人杰"):
        assert not is_header_of(value, "person_name", names), value
    assert is_header_of("张小明", "code", names)


def test_codes_are_found_by_list_and_name() -> None:
    sexes = series("1", "2", times=20)
    assert code_lists.are_codes(sexes)
    found = code_lists.guessed(sexes, "sex")
    assert found.name == "sex"
    assert "card_gen" in found.others
    unknown = code_lists.guessed(sexes, "AAC999")
    assert (unknown.name, unknown.draft) == (None, ())
    assert "sex" in unknown.others
    draft = code_lists.guessed(series("QQ", "ZZ", times=20), "what")
    assert draft.draft == ("QQ", "ZZ")


@pytest.mark.parametrize(
    "values",
    [
        series("王伟", "李娜", times=20),
        series("13800138000", "13800138001", times=20),
        series("abcdefghijk", times=20),
        series("12345", "23456", times=20),
        series("1945", "2001", times=20),
    ],
)
def test_what_may_be_of_a_person_is_never_in_a_draft_list(values: pl.Series) -> None:
    assert code_lists.guessed(values, "x").draft == ()


def test_signs_that_hardly_repeat_are_not_shown() -> None:
    values = pl.concat([series("QQ", times=40), series("R7")])
    assert code_lists.guessed(values, "x").draft == ("QQ",)


def test_the_first_fields_that_tell_rows_apart_are_the_key() -> None:
    rows = pl.DataFrame(
        {
            "a": [str(n // 2) for n in range(100)],
            "b": [str(n % 2) for n in range(100)],
            "c": [str(n) for n in range(100)],
        }
    )
    assert keys.guessed(rows, ["a", "b"]) == ("a", "b")
    assert keys.guessed(rows, ["a", "b", "c"]) == ("c",)
    assert keys.guessed(pl.concat([rows, rows.head(9)]), ["c"]) == ("c",)
    assert keys.guessed(rows, ["b"]) == ()
    assert keys.guessed(rows.clear(), ["a"]) == ()


@pytest.mark.parametrize(
    ("native", "name"),
    [
        ("AAC002", "aac002"),
        ("readerNo", "reader_no"),
        ("XingMing", "xing_ming"),
        ("base/@id", "id"),
        ("n1:base/n1:XM", "n1_xm"),
        ("姓名", ""),
        ("2026", ""),
    ],
)
def test_names_of_sources_become_legal(native: str, name: str) -> None:
    assert field_names.legal(native) == name


def test_words_of_other_contracts_are_known() -> None:
    words = KnownWords(catalogue.load().contracts.values())
    assert words.fields("AAC002", "")[0].name == "person_id18"
    assert words.fields("whatever", "公民身份号码")[0].semantic == "id_number"
    assert words.fields("姓名", "")[0].name == "person_name"
    assert words.fields("nothing_like_it", "") == ()
    assert words.type_of_title("x", "手机号码") == "mobile"
    assert "source_seq" in words.sequences
    assert list(titles_in("社会保障号码/公民身份号码 (必填)")) == ["社会保障号码", "公民身份号码"]
    assert is_time_of_change("GXSJ", "")
    assert is_time_of_change("x", "最后修改时间")
    assert not is_time_of_change("created_at", "创建时间")
    assert is_mark_of_deletion("is_deleted", "")
    assert not is_mark_of_deletion("model", "型号")


def source(columns: dict[str, Sequence[str | None]], **more: object) -> SampledSource:
    made = tuple(SampledColumn(SourceColumn(n, "text", "text")) for n in columns)
    rows = tuple(zip(*columns.values(), strict=True))
    wanted = {"connector": "files", "options": {"directory": ".", "pattern": "*"}, "in_order": True}
    return SampledSource("list.csv", "list", columns=made, rows=rows, **{**wanted, **more})  # type: ignore[arg-type]


def by_name(guess: SourceGuess) -> dict[str, ColumnGuess]:
    return {g.field.name: g for g in guess.columns}


def test_a_list_of_people_as_a_draft() -> None:
    number = PEOPLE["person_id18"].to_list()
    count = len(number)
    guess = profile(
        source(
            {
                "流水": [f"MZ{n:08}" for n in range(count)],
                "证件号码": number,
                "姓名": PEOPLE["person_name"].to_list(),
                "出生日期": [f"19{n % 90 + 10}/{n % 12 + 1}/3" for n in range(count)],
                "金额": ["1,234.50" if n % 3 else "无" for n in range(count)],
                "备注": [None if n % 2 else " 说明 " for n in range(count)],
            }
        ),
        KnownWords(catalogue.load().contracts.values()),
        JUDGES,
    )
    found = by_name(guess)
    assert list(found) == ["field_1", "id_number", "person_name", "birth_date", "amount", "field_6"]
    assert (guess.key, guess.key_by) == (("field_1",), "sample")
    kinds = [(g.field.type, g.field.semantic, g.field.format) for g in guess.columns]
    assert kinds[:4] == [
        ("string", "identifier", None),
        ("string", "id_number", None),
        ("string", "person_name", None),
        ("date", "date", "%Y/%m/%d"),
    ]
    amount = found["amount"]
    assert (amount.field.type, amount.thousands, amount.null_words) == ("number", ",", ("无",))
    assert not amount.field.required
    assert found["id_number"].field.required
    assert found["field_6"].blanks == count // 2
    assert {g.field.level for g in guess.columns} <= {"L3", "L4"}, "all of it is about a person"
    assert "NONE" not in {g.field.pii for g in guess.columns}


def test_declared_types_come_first_and_numbers_of_persons_before_them() -> None:
    whole = SourceType("bigint", "long", {"string": "exact", "integer": "rows", "number": "exact"})
    real = SourceType("real", "binary_fraction", why="holds binary fractions")
    digits = SourceType("numeric", "numeric", {"string": "exact", "number": "rows"})
    columns = (
        SampledColumn(SourceColumn("id", "integer", "bigint", nullable=False, accepts=whole)),
        SampledColumn(SourceColumn("phone", "integer", "bigint", accepts=whole)),
        SampledColumn(SourceColumn("rate", "other", "real", accepts=real)),
        SampledColumn(
            SourceColumn("sum", "number", "numeric(9,3)", precision=9, scale=3, accepts=digits)
        ),
    )
    rows = tuple((str(n), f"1380013{n:04}", "1.5", "2.500") for n in range(50))
    sample = SampledSource("t", "t", "sql", {"table": "t"}, columns, rows, keys=(("id",),))
    guess = profile(sample, NOTHING, JUDGES)
    kinds = {g.field.name: (g.field.type, g.field.semantic) for g in guess.columns}
    assert kinds == {
        "id": ("integer", "sequence"),
        "phone": ("string", "mobile"),
        "sum": ("number", "money"),
    }
    assert [g.field.precision for g in guess.columns] == [None, None, 9]
    assert guess.refused == (("rate", "real, which holds binary fractions"),)
    assert (guess.key, guess.key_by) == (("id",), "primary key")


def test_a_source_without_rows_is_a_draft_too() -> None:
    guess = profile(
        source({"AAC002": (), "x": ()}), KnownWords(catalogue.load().contracts.values()), JUDGES
    )
    found = by_name(guess)
    assert found["person_id18"].field.semantic == "id_number"
    assert found["x"].by == "name"
    assert guess.key_by == "nothing"


def test_two_columns_of_one_name_get_two_names() -> None:
    guess = profile(source({"readerNo": ["1"], "reader_no": ["2"]}), NOTHING, JUDGES)
    assert [g.field.name for g in guess.columns] == ["reader_no", "reader_no_2"]


def test_titles_that_hold_personal_data_are_masked_in_the_file() -> None:
    sample = source({"a": ["1", "22"]})
    guess = profile(sample, NOTHING, JUDGES)
    number = PEOPLE["person_id18"][0]
    named = guess.columns[0].field.model_copy(update={"title": f"张三 {number}\n第二行"})
    from dataclasses import replace

    changed = replace(guess, columns=(replace(guess.columns[0], field=named),))
    draft = DraftSource(
        "again/list", "名册", "list", "files", "again_files", sample.options, "file_name"
    )
    text = text_of(draft, changed, ["one\ntwo"])
    assert number not in text
    assert "# CHECK one two\n" in text
    assert "status: proposed\n" in text
