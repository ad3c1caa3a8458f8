"""Copies of workbooks with marks: what is put in, and that nothing else changes."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.comments import Comment

from connectors.common.xml_stream import Refused
from connectors.files import xlsx_notes, xlsx_write
from connectors.files.sheets import NOTES, column_letters, column_number
from connectors.files.text_file import Text
from connectors.files.xlsx_notes import CannotAnnotate, Copied, Notes, copy
from connectors.files.xml_outline import edited, inside, outline
from onecard.errors import ProtocolError
from tests.workbooks import Number, Raw, SheetMade, xlsx, zipped

pytestmark = pytest.mark.filterwarnings("ignore:Workbook contains no default style")
SHEET = "xl/worksheets/sheet1.xml"
ROWS: list[list[Any]] = [
    ["证件号码", "姓名", "金额"],
    ["410101199001011237", "=1+1", Number("1234.5", 6)],
    ["410101199001011245", "-甲", Raw("<f>A1*2</f><v>7</v>")],
    ["410101199001011253", None, Number("45000.1234567891234", 2)],
]
WRONG = {(2, 0): "校验码错误", (3, 0): "校验码错误\n重复", (4, 1): "必填项为空"}
LIST = Notes(WRONG, ["行号", "问题"], [["2", "校验码错误"], ["4", "=必填"]])


def parts(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(names) == len(set(names))
        return {name: archive.read(name) for name in names}


def with_part(data: bytes, part: str, old: bytes, new: bytes) -> bytes:
    found = parts(data)
    assert old in found[part]
    return zipped({**found, part: found[part].replace(old, new, 1)})


def copied(tmp_path: Path, data: bytes, notes: Notes = LIST, sheet: str = "Sheet1") -> Any:
    """The copy, and what could not be put in."""
    file = tmp_path / "list.xlsx"
    file.write_bytes(data)
    target = BytesIO()
    done = copy(Text(file, "list.xlsx"), sheet, notes, target)
    return target.getvalue(), done


def marks(sheet: Any) -> set[str]:
    """Cells that are marked."""
    return {str(place.sqref) for place in sheet.conditional_formatting}


def comments(sheet: Any) -> dict[str, str]:
    return {c.coordinate: c.comment.text for row in sheet.iter_rows() for c in row if c.comment}


@pytest.mark.parametrize("prefix", ["", "x"])
def test_what_is_put_in_and_that_nothing_else_changes(tmp_path: Path, prefix: str) -> None:
    more = {"xl/media/image1.png": bytes(range(256)), "docProps/app.xml": b"<Properties/>"}
    data = xlsx(
        SheetMade(ROWS, merged=["A1:B1"]), SheetMade([["说明"]], "别的"), prefix=prefix, more=more
    )
    made, done = copied(tmp_path, data)
    assert done == Copied(0, 0)
    old, new = parts(data), parts(made)
    same = set(old) - {SHEET, "xl/workbook.xml", "xl/styles.xml", "[Content_Types].xml"}
    same -= {"xl/_rels/workbook.xml.rels"}
    assert all(new[name] == old[name] for name in same)
    rows = re.search(rb"<(?:x:)?sheetData>.*</(?:x:)?mergeCells>", old[SHEET], re.DOTALL)
    assert rows is not None
    assert rows[0] in new[SHEET], "cells stay byte for byte"
    book = openpyxl.load_workbook(BytesIO(made))
    assert book.sheetnames == ["Sheet1", "别的", NOTES]
    sheet = book["Sheet1"]
    assert marks(sheet) == {"A2:A3 B4"}
    assert comments(sheet) == {"A2": "校验码错误", "A3": "校验码错误\n重复", "B4": "必填项为空"}
    (rule,) = next(iter(sheet.conditional_formatting)).rules
    assert rule.dxf.fill.bgColor.rgb == "FFFFC7CE"
    assert [[c.value for c in row] for row in book[NOTES].iter_rows()] == [
        ["行号", "问题"],
        ["2", "校验码错误"],
        ["4", "=必填"],
    ]
    assert book[NOTES]["B3"].data_type == "s", "a text is no formula"


def test_a_copy_that_is_checked_again(tmp_path: Path) -> None:
    first, _ = copied(tmp_path, xlsx(SheetMade(ROWS)))
    fewer = Notes({(4, 1): "必填项为空"}, LIST.header, [["4", "必填项为空"]])
    again, done = copied(tmp_path, first, fewer)
    assert done == Copied(0, 0)
    saved = BytesIO()
    openpyxl.load_workbook(BytesIO(again)).save(saved)
    third, done = copied(tmp_path, saved.getvalue(), fewer)
    assert done == Copied(0, 0)
    for data in (again, third):
        book = openpyxl.load_workbook(BytesIO(data))
        assert book.sheetnames == ["Sheet1", NOTES]
        assert marks(book["Sheet1"]) == {"B4"}
        assert comments(book["Sheet1"]) == {"B4": "必填项为空"}
        assert [c.value for c in book[NOTES]["A"]] == ["行号", "4"]


def test_what_an_office_has_put_on_its_sheet_stays(tmp_path: Path) -> None:
    """Comments of its own, conditions of its own, and what stands behind them."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Sheet1"
    for row in (["a", "b"], [1, 2], [3, 4]):
        sheet.append(row)
    sheet["A2"].comment = Comment("请核对", "王")
    fill = openpyxl.styles.PatternFill(bgColor="FF00FF00")
    sheet.conditional_formatting.add(
        "B2:B3", openpyxl.formatting.rule.CellIsRule(operator="equal", formula=["2"], fill=fill)
    )
    valid = openpyxl.worksheet.datavalidation.DataValidation(type="whole", sqref="A2:A9")
    sheet.add_data_validation(valid)
    sheet["A3"].hyperlink = "https://example.invalid"
    sheet.auto_filter.ref = "A1:B3"
    sheet.page_setup.orientation = "landscape"
    saved = BytesIO()
    book.save(saved)
    made, done = copied(tmp_path, saved.getvalue(), Notes({(2, 1): "x"}, ["a"], []))
    assert done == Copied(0, 1), "its own comments are left alone"
    assert "not the first" in done.remarks[0]
    found = openpyxl.load_workbook(BytesIO(made))["Sheet1"]
    assert comments(found) == {"A2": "请核对"}
    assert marks(found) == {"B2:B3", "B2"}
    by_range = {str(p.sqref): p.rules[0] for p in found.conditional_formatting}
    assert by_range["B2"].priority > by_range["B2:B3"].priority
    assert by_range["B2:B3"].dxf.fill.bgColor.rgb == "FF00FF00"
    assert by_range["B2"].dxf.fill.bgColor.rgb == "FFFFC7CE"
    assert found.data_validations.dataValidation[0].type == "whole"
    assert found["A3"].hyperlink.target == "https://example.invalid"
    names = [c.name for c in outline(parts(made)[SHEET]).children]
    assert names.index("autoFilter") < names.index("conditionalFormatting")
    assert names.index("conditionalFormatting") < names.index("dataValidations")
    assert names.index("pageSetup") < names.index("legacyDrawing")


def test_a_strict_workbook_gets_strict_parts(tmp_path: Path) -> None:
    namespace = "http://purl.oclc.org/ooxml/spreadsheetml/main"
    made, _ = copied(tmp_path, xlsx(SheetMade(ROWS), namespace=namespace))
    new = {n: d for n, d in parts(made).items() if n.startswith("xl/onecard")}
    assert len(new) == 3
    assert all(namespace.encode() in d for n, d in new.items() if n.endswith("xml"))
    assert b"http://purl.oclc.org/ooxml/officeDocument/relationships" in parts(made)[SHEET]


def test_many_cells_are_marked_as_ranges_and_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx_notes, "MOST_COMMENTS", 3)
    monkeypatch.setattr(xlsx_notes, "MOST_RANGES", 2)
    monkeypatch.setattr(xlsx_notes, "_RANGES_OF_ONE", 1)
    cells = {(n, 0): "x" for n in range(2, 9)} | {(2, 1): "y", (4, 1): "y"}
    made, done = copied(tmp_path, xlsx(SheetMade(ROWS)), Notes(cells, ["a"], []))
    assert done == Copied(unmarked=1, uncommented=6)
    sheet = openpyxl.load_workbook(BytesIO(made))["Sheet1"]
    assert marks(sheet) == {"A2:A8", "B2"}
    assert len(comments(sheet)) == 3


STYLES = "xl/styles.xml"
SOUND = xlsx(SheetMade(ROWS))
UNCHANGEABLE = {
    "no formats": with_part(SOUND, "xl/_rels/workbook.xml.rels", b"/styles", b"/other"),
    "another encoding": with_part(SOUND, SHEET, b'encoding="UTF-8"', b'encoding="iso-8859-1"'),
}


@pytest.mark.parametrize("what", UNCHANGEABLE)
def test_a_workbook_that_is_read_but_not_changed(tmp_path: Path, what: str) -> None:
    with pytest.raises(CannotAnnotate):
        copied(tmp_path, UNCHANGEABLE[what])


def test_a_drawing_of_comments_within_something_else_is_left_alone(tmp_path: Path) -> None:
    wrapped = b'<a:b xmlns:a="urn:a"><legacyDrawing/></a:b></worksheet>'
    data = with_part(SOUND, SHEET, b"</worksheet>", wrapped)
    made, done = copied(tmp_path, data)
    assert done == Copied(0, 3)
    assert parts(made)[SHEET].count(b"legacyDrawing") == 1


def test_the_list_itself_is_no_sheet_to_mark(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="no sheet in it can be marked"):
        copied(tmp_path, xlsx(SheetMade(ROWS, NOTES)), sheet=NOTES)


@pytest.mark.fault("F33", "parts that no reader opens are counted too when a workbook is copied")
def test_a_bomb_beside_the_sheets(tmp_path: Path) -> None:
    data = xlsx(SheetMade(ROWS), more={"xl/media/image1.png": bytes(3_000_000)})
    file = tmp_path / "list.xlsx"
    file.write_bytes(data)
    with pytest.raises(ProtocolError, match="unpacks to more than"):
        copy(Text(file, "list.xlsx", limit=1_000_000), "Sheet1", LIST, BytesIO())


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"<r><a/><b>x/></b></r>", ["a", "b"]),
        (b"<r>\n<p:a xmlns:p='urn:x' t='>'  /><b><a/></b></r >", ["a", "b"]),
        (b'\xef\xbb\xbf<?xml version="1.0"?><!-- <c/> --><r><a>1</a></r>', ["a"]),
        ("<r><甲/><乙>丙</乙></r>".encode(), ["甲", "乙"]),
    ],
)
def test_outlines(data: bytes, names: list[str]) -> None:
    found = outline(data)
    assert [c.name for c in found.children] == names
    for child in found.children:
        piece = data[child.begin : child.end]
        assert piece.startswith(b"<")
        assert piece.endswith(b">")
        assert (child.inner == child.end) == piece.rstrip().endswith(b"/>")
    whole = b"".join(edited(data, [inside(data, c, b"<new/>") for c in found.children]))
    again = outline(whole)
    assert [c.name for c in again.children] == names
    assert whole.count(b"<new/>") == len(names)
    assert b"".join(edited(data, [])) == data


def test_counts_of_what_is_put_in() -> None:
    for data, counted in (
        (b'<r><a count="2"><b/></a></r>', b'count="3"'),
        (b"<r><a count='0'/></r>", b'count="1"'),
        (b"<r><a/></r>", b'count="1"'),
    ):
        (child,) = outline(data).children
        made = b"".join(edited(data, [inside(data, child, b"<new/>", count="count")]))
        assert made.count(b"count") == 1
        assert counted in made
        assert b"<new/></a></r>" in made


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<r/>",
        b"<r><a></r>",
        b"<!DOCTYPE r><r><a/></r>",
        b'<?xml version="1.0" encoding="GBK"?><r></r>',
    ],
)
def test_parts_that_are_not_changed(data: bytes) -> None:
    with pytest.raises(Refused):
        outline(data)


def test_letters_of_columns() -> None:
    for number, letters in ((0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")):
        assert column_letters(number) == letters
        assert column_number(f"{letters}7") == number


ODD = (
    "=cmd|'/c calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "a\rb\nc",
    "_x0041_",
    "\x00\x1f",
    "😀" * 17000,
    "x" * 40_000,
)


def test_texts_stay_texts() -> None:
    made = BytesIO()
    xlsx_write.workbook(made, "数据", ["a"], [[t] for t in (*ODD, "410101199001011237", None, "")])
    sheet = openpyxl.load_workbook(BytesIO(made.getvalue())).active
    assert sheet is not None
    cells = [row[0] for row in sheet.iter_rows(min_row=2, max_row=12)]
    assert {c.data_type for c in cells} == {"s"}
    assert {c.number_format for c in cells} == {"@"}
    quoted = [c.quotePrefix for c in cells]
    assert quoted == [True] * 5 + [False] * 6
    assert cells[-1].value == "410101199001011237"
    assert [xlsx_write.is_cut(t) for t in ODD] == [False] * 8 + [True, True]
    assert len(xlsx_write.cut(ODD[-2])) == 16_383
    assert sheet.freeze_panes == "A2"


def test_a_sheet_has_no_more_rows_than_a_sheet() -> None:
    with pytest.raises(ValueError, match="1048576 rows"):
        for _ in xlsx_write.sheet(["a"], ([None] for _ in range(1_048_576))):
            pass
