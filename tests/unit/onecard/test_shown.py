"""Names of columns and files, as messages may show them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onecard.base import shown
from onecard.base.personal import find

KNOWN = ("证件号码", "姓名", "AAC002")


@pytest.mark.case(
    "people-19", "names of columns are shown in any language, and what they look like"
)
@pytest.mark.parametrize(
    ("header", "says"),
    [
        (["姓名", "备用"], "姓名, 备用"),
        (["姓名", "备用 "], "姓名, '备用 ' (with blanks around it)"),
        (["证件号码 "], "'证件号码 ' (looks like 证件号码 with blanks around it)"),
        (["姓名", "ＡＡＣ002"], "姓名, ＡＡＣ002 (looks like AAC002 in another width)"),
        (["姓名", ""], "姓名, 2 (without a name)"),
        (["姓名", "a\nb"], "姓名, a\\nb"),
        (["姓名", "长" * 65], "姓名, " + "长" * 63 + "…"),
    ],
)
def test_names_are_shown(header: list[str], says: str) -> None:
    assert shown.columns(header, KNOWN) == says


@pytest.mark.case("screen-1", "what may be a value of a row is counted by its place")
@pytest.mark.parametrize(
    "header",
    [
        ["410101199001011234", "姓名"],
        ["4101 0119", "姓名"],
        ["4101-01-19", "姓名"],
        ["４１０１０１", "姓名"],
        ["٤١٠١٠١", "姓名"],
        ["a123456", "姓名"],
        ["豫A12345", "姓名"],
    ],
)
def test_a_name_that_may_be_a_value_is_not_shown(header: list[str]) -> None:
    assert shown.columns(header, KNOWN) == "1 (name not shown), 姓名"
    both = shown.columns([*header, "吴娜"], KNOWN)
    assert both == "1 (name not shown), 姓名, 3 (name not shown)", "it may be of the same row"
    assert shown.column(header[0], header, KNOWN) == "(name not shown)"


@pytest.mark.case("screen-1", "a row that has grown together with the header shows no value")
@pytest.mark.parametrize(
    "header",
    [
        ["10014", "张秘密证件号码", "姓名", "AAC002", "a"],
        ["张秘密证件号码", "姓名", "AAC002"],
        ["张秘密", "女", "姓名", "AAC002", "a"],
        ["证件号码", "姓名", "AAC002张秘密"],
        ["张秘密号码", "女", "姓名", "AAC002", "a"],
    ],
)
def test_a_row_grown_together_with_a_header_is_not_shown(header: list[str]) -> None:
    said = shown.columns(header, KNOWN)
    assert "张" not in said
    assert "女" not in said
    assert "姓名" in said


@pytest.mark.case("screen-1", "where no name of the contract stands nothing is shown")
def test_a_row_in_the_place_of_a_header_is_not_shown() -> None:
    row = ["吴娜", "女", "汉族", ""]
    assert shown.columns(row, KNOWN) == (
        "1 (name not shown), 2 (name not shown), 3 (name not shown), 4 (without a name)"
    )
    assert shown.columns(row, KNOWN, [2]) == "3 (name not shown)"
    assert shown.column("吴娜", row, KNOWN) == "(name not shown)"


def test_names_of_the_contract_are_always_shown() -> None:
    assert shown.columns(["code_20260105"], ["code_20260105"]) == "code_20260105"


ID = "11010519491231002X"
DIGEST = "0123456789abcdef" * 4


@pytest.mark.case("screen-2", "personal data in a name is masked, the file's digest tells which")
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("card_20260105.csv", "card_20260105.csv"),
        ("居民 第2批(新).csv", "居民 第2批(新).csv"),
        (f"卡_{ID}.csv", "卡_[id_number]~0123456789.csv"),
        (f"{ID}.csv.gz", "[id_number]~0123456789.csv.gz"),
        (f"out/{ID}", "out/[id_number]~0123456789"),
        ("张三13812345678.csv", "张三[mobile]~0123456789.csv"),
        ("6222021702001234566.csv", "[bank_card]~0123456789.csv"),
        ("a\nb\u202e.csv", "a\\nb\\u202e.csv"),
    ],
)
def test_names_of_files(name: str, says: str) -> None:
    assert shown.file_name(name, DIGEST) == says


@pytest.mark.case("screen-2", "without a digest, or with none that is one, the mask stands alone")
@pytest.mark.parametrize("digest", ["", "none", ID, DIGEST.upper(), DIGEST + "0"])
def test_a_digest_that_is_none_is_not_shown(digest: str) -> None:
    assert shown.file_name(f"卡_{ID}.csv", digest) == "卡_[id_number].csv"


@given(
    st.text(alphabet="0123456789XE ._-张豫A\u3000\n", max_size=40),
    st.text(alphabet="0123456789abcdef", min_size=64, max_size=64)
    | st.text(alphabet="0123456789", min_size=64, max_size=64)
    | st.just(""),
)
@example(f"卡_{ID}.csv", "13812345678" * 5 + "123456789")
@example(f"卡_{ID}.csv", "e12345678" * 7 + "0")
def test_a_masked_name_holds_nothing_personal_and_stays_as_it_is(name: str, digest: str) -> None:
    once = shown.file_name(name, digest)
    assert not find(once)
    assert "\n" not in once
    assert shown.file_name(once, digest) == once


def test_a_row_before_the_names_is_told_by_its_number() -> None:
    """A row's beginning that has grown together with the header, where no name is lacking."""
    header = ["10014", "吴娜", *KNOWN]
    assert "吴娜" not in shown.columns(header, KNOWN)
    assert not shown.may_show("吴娜", header, KNOWN)
