"""Workbooks as offices send them: which cell gives which text, and what is refused by its name."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from connectors.files import xlsx_merged
from connectors.files.connector import FilesConnector
from connectors.files.read import FilesReading
from connectors.files.sheet_cells import format_of, number_text
from onecard.base.connections import Connection
from onecard.errors import OnecardError, ProtocolError, SchemaMismatch
from onecard.ports.source import Column, ReadRequest, Refusal
from tests.connectors.systems import conn
from tests.workbooks import Number, Raw, SheetMade, Value, xls, xlsx, zipped

COLUMNS = (
    Column("id", "证件号码", key=True, type="string"),
    Column("name", "姓名", type="string"),
    Column("born", "出生日期", type="date", format="%Y/%m/%d"),
    Column("seen", "登记时间", type="timestamp"),
    Column("sum", "金额", type="number"),
)
HEADER = [c.native for c in COLUMNS]
ROW: list[Value] = [
    "410101199001011237",
    "吴娜",
    Number("46027", 1),
    Number("46027.5", 2),
    Number("1234.5", 6),
]
READ = ("410101199001011237", "吴娜", "2026/01/05", "2026-01-05T12:00:00+08:00", "1234.5")
BOTH = ("xlsx", "xls")


@pytest.fixture
def local(tmp_path: Path) -> Connection:
    (tmp_path / "out").mkdir()
    return conn(conn_type="fs", extra={"path": str(tmp_path)})


def start(
    local: Connection, data: bytes, columns: tuple[Column, ...] = COLUMNS, **layout: Any
) -> FilesReading:
    (Path(local.extra["path"]) / "out" / "f.dat").write_bytes(data)
    manifest = layout.pop("max_bytes", None)
    given: dict[str, Any] = {
        "directory": "out",
        "pattern": "*.dat",
        "format": {"kind": "excel", **layout},
    }
    if manifest:
        given["max_bytes"] = manifest
    options = FilesConnector.source_options.model_validate(given)
    return FilesReading(local, ReadRequest("a/b", columns, options, batch_rows=7))


def taken(
    local: Connection, data: bytes, columns: tuple[Column, ...] = COLUMNS, **layout: Any
) -> Any:
    """Rows; damaged rows and unread values by number, with their rules; remarks."""
    reading = start(local, data, columns, **layout)
    rows: list[tuple[Any, ...]] = []
    damaged: dict[int, str] = {}
    lost: dict[int, dict[str, tuple[str, str]]] = {}
    for chunk in reading:
        rows += [tuple(r.values()) for r in chunk.batch.to_pylist()]
        damaged |= {chunk.first_row + i: rule for i, rule in chunk.damaged.items()}
        for name, texts in chunk.unread.items():
            for i, text in texts.items():
                lost.setdefault(chunk.first_row + i, {})[name] = (chunk.because[name][i], text)
    return rows, damaged, lost, reading.remarks


def book(kind: str, *rows: list[Value], **more: Any) -> bytes:
    if kind == "xls":
        return xls(rows, **more)
    return xlsx(
        SheetMade(rows, **{k: v for k, v in more.items() if k != "since_1904"}),
        **{k: v for k, v in more.items() if k == "since_1904"},
    )


@pytest.mark.parametrize("kind", BOTH)
def test_dates_numbers_and_texts(local: Connection, kind: str) -> None:
    rows, damaged, lost, remarks = taken(local, book(kind, HEADER, ROW, ROW[:2]))
    assert rows == [READ, (*READ[:2], None, None, None)]
    assert (damaged, lost, remarks) == ({}, {}, ())


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("cell", "reads"),
    [
        (Number("1", 1), "1900/01/01"),
        (Number("59", 1), "1900/02/28"),
        (Number("60", 1), None),  # 29 February 1900
        (Number("61", 1), "1900/03/01"),
        (Number("46027.25", 1), "2026-01-05 06:00:00"),  # no date: the gate rejects it
        (Number("2958465", 1), "9999/12/31"),
        (Number("2958466", 1), None),
        (Number("-1", 1), None),
        (Number("46027"), "46027"),  # not shown as a date: never guessed
        ("2026/1/5", "2026/1/5"),
    ],
)
def test_days_since_1900(local: Connection, kind: str, cell: Value, reads: str | None) -> None:
    rows, _, lost, _ = taken(local, book(kind, HEADER, ["1", "x", cell]))
    assert rows[0][2] == reads
    assert (1 in lost) == (reads is None)
    if reads is None:
        assert lost[1]["born"][0] == "cell.error"


@pytest.mark.parametrize("kind", BOTH)
def test_days_since_1904(local: Connection, kind: str) -> None:
    rows, _, _, _ = taken(
        local, book(kind, HEADER, ["1", "x", Number("44565", 1)], since_1904=True)
    )
    assert rows[0][2] == "2026/01/05"


@pytest.mark.fault("F24", "a time of a workbook that was twice, or never, costs its row")
@pytest.mark.parametrize(
    ("serial", "reads"),
    [
        ("32325", "1988-07-01T00:00:00+09:00"),
        ("32397.0625", None),  # 1988-09-11 01:30 was twice
        ("18264", "1950-01-01T00:00:00+08:00"),
        ("16619", "1945-07-01T00:00:00+08:00"),
        ("46027.000011574", "2026-01-05T00:00:01+08:00"),
    ],
)
def test_times_are_those_of_clocks(local: Connection, serial: str, reads: str | None) -> None:
    rows, _, lost, _ = taken(local, book("xlsx", HEADER, ["1", "x", None, Number(serial, 2)]))
    assert rows[0][3] == reads
    assert bool(lost) == (reads is None)


@pytest.mark.fault("F29", "an ID number that a workbook keeps as a number is never taken")
@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("style", [0, 4, 6])
def test_an_id_number_that_went_through_a_float(local: Connection, kind: str, style: int) -> None:
    cells: list[Value] = [Number("4.1010119900101123E+17", style), Number("13812345678")]
    rows, _, lost, _ = taken(
        local, book(kind, HEADER, cells, ["410101199001011237", Number("7", 4)])
    )
    assert rows[0] == (None, "13812345678", None, None, None)
    assert lost == {1: {"id": ("cell.rounded", "410101199001011000")}}
    assert rows[1][1] == "000007", "shown with its zeros"


@pytest.mark.parametrize(
    ("raw", "text", "rule"),
    [
        ("0.1", "0.1", ""),
        ("0.30000000000000004", "0.3", ""),
        ("1234.5600000000002", "1234.56", ""),
        ("1E-05", "0.00001", ""),
        ("-0", "0", ""),
        ("007", "7", ""),
        ("100", "100", ""),
        ("1E+2", "100", ""),
        ("999999999999999", "999999999999999", ""),
        ("1000000000000000", "1000000000000000", "cell.rounded"),
        ("1e300", "1e300", "cell.rounded"),
        ("1e-300", "1e-300", "type"),
        ("1e99999999999", "1e99999999999", "cell.rounded"),
        ("NaN", "NaN", "type"),
        ("1_000", "1_000", "type"),
        ("١٢", "١٢", "type"),
    ],
)
def test_numbers_are_written_plainly(raw: str, text: str, rule: str) -> None:
    assert number_text(raw) == (text, rule)


@pytest.mark.parametrize(
    ("code", "form"),
    [
        ("General", "plain"),
        ("0.00", "plain"),
        ("#,##0.00_ ;[Red]\\-#,##0.00\\ ", "plain"),
        ('"days: "0', "plain"),
        ("0.00E+00", "plain"),
        ("@", "plain"),
        ("[DBNum1]General", "plain"),
        ("yyyy/m/d;@", "date"),
        ('[$-804]yyyy"年"m"月"d"日"', "date"),
        ("mmm-yy", "date"),
        ("[h]:mm:ss", "elapsed"),
        ("[mm]:ss", "elapsed"),
        ("h:mm AM/PM", "clock"),
        ("0%", "percent"),
        ("\\d0", "plain"),
    ],
)
def test_formats(code: str, form: str) -> None:
    assert format_of(200, code).form == form


def test_formats_of_every_workbook() -> None:
    assert [format_of(n, None).form for n in (0, 9, 14, 20, 22, 31, 58, 49)] == [
        "plain", "percent", "date", "clock", "date", "date", "date", "plain",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("percent", "reads", "rule"),
    [("reject", None, "cell.percent"), ("fraction", "0.155", ""), ("hundredths", "15.5", "")],
)
def test_percentages(
    local: Connection, kind: str, percent: str, reads: str | None, rule: str
) -> None:
    row: list[Value] = ["1", "x", None, None, Number("0.155", 3)]
    rows, _, lost, _ = taken(local, book(kind, HEADER, row), percent=percent)
    assert rows[0][4] == reads
    assert lost == ({1: {"sum": (rule, "0.155")}} if rule else {})


def formula(text: str, value: str = "<v>5</v>", kind: str = "n", more: str = "") -> Raw:
    return Raw(f"<f{more}>{text}</f>{value}", kind)


@pytest.mark.parametrize(
    ("cell", "reads"),
    [
        (formula("A1*2"), "5"),
        (formula('A1&amp;"|[1]"', "<v>x</v>", "str"), "x"),
        (formula("A1*2", ""), None),
        (formula("A1*2", "<v></v>"), None),
        (formula("[1]Sheet1!A1"), None),
        (formula("'C:\\[a.xlsx]S'!A1"), None),
        (formula("cmd|'/C calc'!A0"), None),
        (formula("", more=' t="shared" si="0"'), "5"),
        (formula('T("x")', "<v>x</v>", "str"), "x"),
        (formula('IF(1,"")', "", "str"), None),
        (formula("1/0", "<v>#DIV/0!</v>", "e"), None),
    ],
)
def test_formulas(local: Connection, cell: Raw, reads: str | None) -> None:
    data = book("xlsx", HEADER, ["1", "x", None, None, cell], ["2", "y"])
    rows, _, lost, _ = taken(local, data)
    assert (rows[0][4], lost[1]["sum"][0]) == (None, "cell.formula")
    assert rows[1][0] == "2"
    rows, _, lost, _ = taken(local, data, formulas="cached")
    assert rows[0][4] == reads
    empty = 'IF(1,"")' in cell.xml
    assert (1 in lost) == (reads is None and not empty)


def test_a_shared_formula_that_asks_another_workbook(local: Connection) -> None:
    first = formula("[1]S!A1", more=' t="shared" ref="E2:E3" si="3"')
    row = ["1", "x", None, None]
    later = formula("", more=' t="shared" si="3"')
    data = book("xlsx", HEADER, [*row, first], [*row, later])
    _, _, lost, _ = taken(local, data, formulas="cached")
    assert {n: found["sum"][0] for n, found in lost.items()} == {
        1: "cell.formula",
        2: "cell.formula",
    }


def test_a_name_that_leads_to_another_workbook(local: Connection) -> None:
    """By the name itself, by one of its names, in whatever case; not by a text that is alike."""
    names = {"Rate": "[1]Sheet1!$A$1", "twice": "2*RATE", "own": "Sheet1!$A$1", "ring": "ring"}
    listed = "".join(f'<definedName name="{n}">{f}</definedName>' for n, f in names.items())
    cells = ["A1*rate", "TWICE", "own*2", 'T("rate")', "rates", "ring"]
    data = book(
        "xlsx", HEADER, *([str(n), "x", None, None, formula(c)] for n, c in enumerate(cells))
    )
    told = f"</sheets><definedNames>{listed}</definedNames>".encode()
    data = spoilt(data, "xl/workbook.xml", b"</sheets>", told)
    rows, _, lost, _ = taken(local, data, formulas="cached")
    assert sorted(lost) == [1, 2]
    assert [r[4] for r in rows] == [None, None, "5", "5", "5", "5"]


def test_cells_that_a_formula_of_another_cell_fills(local: Connection) -> None:
    """An array formula stands at its first cell; the others hold its values alone."""
    first = formula("F2:F4*2", more=' t="array" ref="D2:E3"')
    rows = [["1", "x", None, first, Number("7")], ["2", "y", None, Number("8"), Number("9")]]
    data = book("xlsx", HEADER, *rows, ["3", "z", None, None, Number("1")])
    found, _, lost, _ = taken(local, data)
    assert {n: sorted(fields) for n, fields in lost.items()} == {
        1: ["seen", "sum"],
        2: ["seen", "sum"],
    }
    assert found[2][4] == "1"
    assert taken(local, data, formulas="cached")[0][1][4] == "9"


def test_formulas_of_old_workbooks_are_found(local: Connection) -> None:
    data = xls(
        [HEADER, ["1", "x", None, None, Number("12.5")], ["2", "y", None, None, Number("3")]],
        formulas=frozenset({(1, 4)}),
    )
    rows, _, lost, _ = taken(local, data)
    assert [r[4] for r in rows] == [None, "3"]
    assert lost == {1: {"sum": ("cell.formula", "12.5")}}
    assert taken(local, data, formulas="cached")[0][0][4] == "12.5"


@pytest.mark.parametrize("kind", BOTH)
def test_errors_and_truths(local: Connection, kind: str) -> None:
    error = Raw("42") if kind == "xls" else Raw("<v>#N/A</v>", "e")
    rows, _, lost, _ = taken(local, book(kind, HEADER, ["1", error], ["2", True]))
    assert rows[0][:2] == ("1", None)
    assert lost[1]["name"][0] == "cell.error"
    assert rows[1][:2] == ("2", "true")


@pytest.mark.parametrize("kind", BOTH)
def test_titles_blank_rows_hidden_rows_and_a_total(local: Connection, kind: str) -> None:
    rows = [["民政补助发放名册"], ["共 1,002 条"], HEADER, ["1", "a"], [None], ["2", "b"]]
    data = book(kind, *rows, hidden=frozenset({3}))
    found, damaged, lost, remarks = taken(local, data, above=2)
    assert [r[0] for r in found] == ["1", "2"]
    assert (damaged, lost) == ({}, {})
    assert remarks == (
        "f.dat: 1 blank line(s) skipped",
        "f.dat: 2 line(s) above the header skipped",
        "f.dat: 1 hidden row(s) read like the others",
    )
    reading = start(local, data, above=2, total={"pattern": "共 ([0-9,]+) 条"})
    assert list(reading) == []
    assert reading.refused == (Refusal("f.dat", "file.total"),)
    right = book(kind, ["共 2 条"], HEADER, ["1", "a"], ["2", "b"])
    assert len(taken(local, right, above=1, total={"pattern": "共 ([0-9,]+) 条"})[0]) == 2
    with pytest.raises(SchemaMismatch, match="header row looks to be row 3: say `above: 2`"):
        taken(local, data)


@pytest.mark.parametrize("kind", BOTH)
def test_merged_cells_cost_their_rows(local: Connection, kind: str) -> None:
    rows: list[list[Value]] = [["title"], HEADER, ["1", "a"], ["2", "b"], [None, "c"], ["4", "d"]]
    merged: Any = [(0, 0, 0, 4), (3, 4, 0, 0)] if kind == "xls" else ["A1:E1", "A4:A5"]
    found, damaged, _, _ = taken(local, book(kind, *rows, merged=merged), above=1)
    assert [r[0] for r in found] == ["1", None, None, "4"]
    assert damaged == {2: "record.merged", 3: "record.merged"}


def test_merged_ranges_across_pieces(local: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [HEADER, *([str(n), "x"] for n in range(400))]
    data = book("xlsx", *rows, merged=[f"A{n}:A{n + 1}" for n in range(2, 300, 3)])
    whole = taken(local, data)
    for size in (64, 1000, 5000):
        monkeypatch.setattr("connectors.files.unzip.PIECE", size)
        monkeypatch.setattr(xlsx_merged, "_OVERLAP", 64)
        assert taken(local, data) == whole
    assert len(whole[1]) == 200


@pytest.mark.parametrize("kind", BOTH)
def test_values_below_no_name_and_headers_again(local: Connection, kind: str) -> None:
    note: list[Value] = ["1", "a", None, None, None, "note"]
    found, damaged, _, _ = taken(local, book(kind, HEADER, note, HEADER, ["2", "b"]))
    assert damaged == {1: "record.cells", 2: "record.header"}
    assert [r[0] for r in found] == [None, None, "2"]


def test_texts_of_every_form(local: Connection) -> None:
    rich = Raw(
        '<is><r><t>吴</t></r><r><rPr/><t xml:space="preserve"> 娜</t></r><rPh sb="0" eb="1"><t>wu</t></rPh></is>',
        "inlineStr",
    )
    rows = [HEADER, ["a_x000A_b", rich], [" x", "_x005F_x0041_"], ["_xD800_", "\u2028𠮷"]]
    found, _, _, _ = taken(local, book("xlsx", *rows))
    assert [r[:2] for r in found] == [("a\nb", "吴 娜"), (" x", "_x0041_"), ("_xD800_", "\u2028𠮷")]
    inline = xlsx(SheetMade(rows, inline=True))
    assert taken(local, inline)[0] == found


@pytest.mark.parametrize("prefix", ["", "x"])
@pytest.mark.parametrize("namespace", ["", "http://purl.oclc.org/ooxml/spreadsheetml/main"])
def test_workbooks_of_other_programs(local: Connection, prefix: str, namespace: str) -> None:
    more = {"namespace": namespace} if namespace else {}
    data = xlsx(SheetMade([HEADER, ROW], skip={0: 4, 1: 2}), prefix=prefix, **more)
    rows, _, _, remarks = taken(local, data)
    assert rows == [READ]
    assert remarks == ("f.dat: 6 blank line(s) skipped",)


def test_a_workbook_that_openpyxl_writes(local: Connection) -> None:
    made = openpyxl.Workbook()
    sheet = made.active
    assert sheet is not None
    sheet.append(HEADER)
    from datetime import date, datetime

    sheet.append(["410101199001011237", "吴娜", date(2026, 1, 5), datetime(2026, 1, 5, 12), 1234.5])
    out = BytesIO()
    made.save(out)
    assert taken(local, out.getvalue())[0] == [READ]


def test_the_list_of_a_check_is_no_data(local: Connection) -> None:
    full, listed = SheetMade([HEADER, ["1"]], "名册"), SheetMade([["x"]], "onecard校验结果")
    rows, _, _, remarks = taken(local, xlsx(full, listed))
    assert ([r[0] for r in rows], remarks) == (["1"], ())
    assert taken(
        local, xlsx(SheetMade([HEADER, ["2"]], "onecard校验结果")), sheet="onecard校验结果"
    )


def test_which_sheet(local: Connection) -> None:
    empty, full = SheetMade([], "Sheet2"), SheetMade([HEADER, ["1", "a"]], "名册")
    hidden = SheetMade([HEADER, ["9", "z"]], "旧", state="hidden")
    rows, _, _, remarks = taken(local, xlsx(empty, full, hidden))
    assert [r[0] for r in rows] == ["1"]
    assert remarks == ("f.dat: 1 hidden sheet(s) or other file(s) in it not read",)
    assert taken(local, xlsx(full, hidden), sheet="旧")[0][0][0] == "9"
    twin = SheetMade(full.rows, "名册 (2)")
    with pytest.raises(
        ProtocolError, match=r"2 sheets hold something: say `sheet`; its sheets: 名册, 名册 \(2\)"
    ):
        taken(local, xlsx(full, twin))
    with pytest.raises(ProtocolError, match="no sheet has the name 册"):
        taken(local, xlsx(full), sheet="册")
    with pytest.raises(ProtocolError, match="no visible sheet holds anything"):
        taken(local, xlsx(empty, SheetMade([], "Sheet3")))


def spoilt(data: bytes, part: str, old: bytes, new: bytes) -> bytes:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        parts = {n: archive.read(n) for n in archive.namelist()}
    assert old in parts[part]
    return zipped({**parts, part: parts[part].replace(old, new, 1)})


SOUND = book("xlsx", HEADER, ROW)
SHEET = "xl/worksheets/sheet1.xml"
LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><worksheet'
REFUSED = {
    "truncated": (SOUND[:-100], "not whole"),
    "cut in the middle": (SOUND[: len(SOUND) // 2], "not whole"),
    "empty": (b"", "no ZIP archive"),
    "text": (b"a,b\n1,2\n", "no ZIP archive"),
    "another archive": (zipped({"a.csv": b"x"}), "no Excel workbook"),
    "macros": (xlsx(SheetMade([HEADER]), more={"xl/vbaProject.bin": b"x"}), "has macros"),
    "macros by type": (xlsx(SheetMade([HEADER]), types="application/vnd.ms-excel.sheet.macroEnabled.main+xml"), "has macros"),
    "binary": (xlsx(SheetMade([HEADER]), more={"xl/workbook.bin": b"x"}), "xlsb"),
    "a password": (b"\xd0\xcf\x11\xe0" + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "has a password"),
    "macros of old": (xls([HEADER], streams=("Workbook", "_VBA_PROJECT_CUR")), "has macros"),
    "old, cut": (xls([HEADER, ["1"]])[:2500], "not whole"),
    "document type": (spoilt(SOUND, SHEET, b"<worksheet", LAUGHS), "document type"),
    "external entity": (spoilt(SOUND, SHEET, b"<worksheet", b'<!DOCTYPE x SYSTEM "x.dtd"><worksheet'), "document type"),
    "unknown entity": (spoilt(SOUND, SHEET, b"<sheetData>", b"<sheetData>&a;"), "no well-formed XML"),
    "deep": (spoilt(SOUND, SHEET, b"<sheetData>", b"<sheetData>" + b"<a>" * 100), "64 deep"),
    "not well formed": (spoilt(SOUND, SHEET, b"</sheetData>", b""), "no well-formed XML"),
    "rows downwards": (spoilt(SOUND, SHEET, b'<row r="2">', b'<row r="1">'), "not numbered upwards"),
    "row beyond all": (spoilt(SOUND, SHEET, b'<row r="2">', b'<row r="1048577">'), "not numbered upwards"),
    "cells backwards": (spoilt(SOUND, SHEET, b'r="B2"', b'r="A2"'), "order of their columns"),
    "column beyond all": (spoilt(SOUND, SHEET, b'r="E2"', b'r="XFE2"'), "order of their columns"),
    "merged, hidden from the search": (spoilt(SOUND, SHEET, b"</sheetData>", b'</sheetData><mergeCells><mergeCell  x="' + b"y" * 300 + b'" ref="A1:A2"/></mergeCells>'), "merged cells cannot be told"),
    "encoding": (spoilt(SOUND, SHEET, b'encoding="UTF-8"', b'encoding="GBK"'), "is not read"),
    "lacks its sheet": (spoilt(SOUND, "xl/_rels/workbook.xml.rels", b"worksheets/sheet1.xml", b"worksheets/sheet9.xml"), "lacks a part"),
}  # fmt: skip


@pytest.mark.fault("F33", "a workbook that is none, not whole, locked or a trap: a clear error")
@pytest.mark.parametrize("what", REFUSED)
def test_workbooks_that_are_refused(local: Connection, what: str) -> None:
    data, says = REFUSED[what]
    with pytest.raises(OnecardError, match=re.escape(says)) as refused:
        taken(local, data)
    assert "f.dat" in str(refused.value)
    assert "410101199001011237" not in str(refused.value)


@pytest.mark.fault("F33", "a workbook that unpacks to more than may be is given up in time")
def test_a_bomb(local: Connection) -> None:
    zeros = b"<row><c><v>" + b" " * 50_000_000
    data = spoilt(SOUND, SHEET, b"</sheetData>", zeros)
    assert len(data) < 200_000
    with pytest.raises(ProtocolError, match="unpacks to more than 9000000 bytes"):
        taken(local, data, max_bytes=9_000_000)
    with pytest.raises(
        ProtocolError, match=r"more than 16777216 characters|a tag in it has no end"
    ):
        taken(local, data)


def test_text_numbers_that_do_not_exist(local: Connection) -> None:
    data = spoilt(SOUND, SHEET, b'<c r="B2" t="s"><v>6', b'<c r="B2" t="s"><v>600')
    _, _, lost, _ = taken(local, data)
    assert lost == {1: {"name": ("cell.error", "600")}} or lost[1]["name"][0] == "cell.error"


def test_xls_needs_its_extra(local: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "xlrd", None)
    with pytest.raises(OnecardError, match="need xlrd"):
        taken(local, xls([HEADER, ["1"]]))
