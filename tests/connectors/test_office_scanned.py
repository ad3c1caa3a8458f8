"""Workbooks and XML by the compiled scanner and by expat alone: the same rows, losses, refusals."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.common import xml_cut, xml_stream
from connectors.files.connector import FilesConnector
from onecard import native
from onecard.base.connections import Connection
from onecard.errors import OnecardError, ProtocolError, SchemaMismatch
from onecard.native import sheet_scan, xml_scan
from onecard.ports.source import Column, ReadRequest
from tests.workbooks import MAIN, SheetMade, xlsx

COLUMNS = (
    Column("id", "证件号码", key=True, type="string"),
    Column("name", "姓名", type="string"),
    Column("born", "出生日期", required=False, type="date", format="%Y/%m/%d"),
    Column("sum", "金额", required=False, required_to_read=False, type="number"),
    Column("euro", "欧元", required=False, required_to_read=False, type="number", decimal=","),
)
EXAMPLES = int(os.environ.get("ONECARD_FUZZ_CASES", "40"))
PIECES = [40, 300, 5_000, 1 << 22]
hostile = settings(
    max_examples=EXAMPLES,
    deadline=timedelta(seconds=10),
    derandomize="ONECARD_FUZZ_CASES" not in os.environ,
)


@pytest.fixture(autouse=True)
def _built() -> None:
    if native.library() is None:
        pytest.skip(f"needs the compiled library: {native.absence()}")


def read(path: Path, rows: int, **layout: Any) -> Any:
    """Rows, damaged ones, values that cannot be taken, remarks."""
    given_ = {"directory": ".", "pattern": path.name, "format": layout}
    options = FilesConnector.source_options.model_validate(given_)
    folder = Connection(id="c", conn_type="fs", extra={"path": str(path.parent)})
    reading = FilesConnector().read(folder, ReadRequest("a/b", COLUMNS, options, batch_rows=rows))
    found: list[Any] = []
    damaged: dict[int, str] = {}
    lost: dict[tuple[int, str], tuple[str, str]] = {}
    for chunk in reading:
        assert chunk.first_row == len(found) + 1
        assert chunk.batch.num_rows <= rows
        chunk.batch.validate(full=True)
        found += chunk.batch.to_pylist()
        damaged |= {chunk.first_row + i: rule for i, rule in chunk.damaged.items()}
        for name, texts in chunk.unread.items():
            assert texts.keys() == chunk.because[name].keys()
            for i, text in texts.items():
                lost[chunk.first_row + i, name] = (text, chunk.because[name][i])
    return found, damaged, lost, sorted(reading.remarks)


def both(read_: Callable[[], Any], size: int = 1 << 22) -> Any:
    """What a reading gives, or its error, with the scanner and without it: the same."""
    found: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xml_cut, "PIECE", size)
        patch.setattr("connectors.files.unzip.PIECE", min(size, 1 << 20))
        for way in ("on", "off"):
            patch.setenv("ONECARD_NATIVE", way)
            try:
                found.append(read_())
            except OnecardError as error:
                found.append((type(error), str(error)))
    refused = [isinstance(f[0], type) for f in found]
    kinds = {f[0] for f in found} if all(refused) else set()
    if kinds == {SchemaMismatch, ProtocolError} or (kinds and size < 1 << 22):
        return found[0]  # of two defects either may come first
    assert found[0] == found[1]
    return found[0]


HEAD = (
    f'<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="{MAIN}"'
    ' xmlns:x14ac="http://schemas.microsoft.com/office/spreadsheetml/2009/9/ac">'
    "<sheetFormatPr defaultRowHeight='15'/><sheetData>"
)
HEADS = [
    *[HEAD] * 8,
    HEAD.replace("<sheetData>", "<sheetData >\n"),
    HEAD.replace("<sheetData>", '<sheetData><!-- <row r="1"> -->'),
    HEAD.replace("<sheetData>", "<!-- <sheetData> --><sheetData>"),
    HEAD.replace("xmlns:x14ac", "xmlns:other"),
    HEAD.replace("UTF-8", "utf-8").replace("\"15'", '"15"'),
    HEAD.replace("UTF-8", "ISO-8859-1"),
    HEAD.replace("UTF-8", "GBK"),
    HEAD.partition("?>")[2],
    "\ufeff" + HEAD,
    HEAD.replace("?>", "?>\n\n"),
    HEAD.replace("<sheetData>", '<x:sheetData xmlns:x="' + MAIN + '">'),
    HEAD.replace("<worksheet", "<!DOCTYPE worksheet><worksheet"),
]
TAILS = [
    *["</sheetData></worksheet>"] * 8,
    '</sheetData><mergeCells><mergeCell ref="A3:B4"/></mergeCells></worksheet>',
    '</sheetData><mergeCells><mergeCell ref="A2:A2"/><mergeCell ref="B4:C9"/></mergeCells></worksheet>',
    "</sheetData><!-- </row> --></worksheet>",
    "</sheetData>",
    "</sheetData></worksheet></worksheet>",
    "</sheetData></worksheet> x",
    "</worksheet>",
    "",
]
ROW_TAGS = [
    *['<row r="{n}">'] * 6,
    "<row>",
    '<row r="{n}" spans="1:5" s="1" customFormat="1" ht="15.5" customHeight="1" x14ac:dyDescent="0.2">',
    '<row r="{n}" x14ac:dyDescent="0.2" x14ac:dyDescent="0.2">',
    "<row r='{n}'>",
    '<row r="{n}" hidden="1">',
    '<row r="{n}" hidden="true" >',
    '<row  r="{n}"  hidden="0">',
    '<row r="{n}" more="1">',
    '<row r="{n}" more:less="1">',
    '<row r="{n}"spans="1:5">',
    '<row r="{n}" r="{n}">',
    '<row r="0">',
    '<row r="x">',
    '<row r="1048577">',
    '<row r="{n}" spans="&lt;">',
    '<row r="{n}" spans="a\tb">',
    '<row r="{n}" spans="<">',
    '<row r="{n}" xmlns:x14ac="urn:x" x14ac:dyDescent="1">',
]
BETWEEN = [
    *[""] * 12,
    "\n",
    "\r\n  ",
    "\r",
    "<!-- </row> -->",
    '<!-- <row r="7"><c><v>1</v></c></row> -->',
    "<![CDATA[</row>]]>",
    "text",
    "&amp;",
    "<other/>",
    "<other></row></other>",
    '<row r="{n}"/>',
    '<row r="{n}" more="1"/>',
    "<?pi </row>?>",
    "]]>",
]
NUMBERS = [
    *["0", "1", "46027", "46027.5", "60", "-1", "1234.5", "0.10", "-0", "-0.0", "007", "007.50"],
    *["1.", ".5", "-", "", "1e3", "4.1010119900101123E+17", "123456789012345"],
    *["1234567890123456", "0.1234567890123456", "0.30000000000000004", "12345678901234.5"],
    *["1234567890.123456", " 5", "5 ", "5\n", "５", "+5", "1_000", "NaN", "--1", "1.2.3", "0.5"],
    *["2958466", "1.25", "&#53;", "<!-- -->5", "<![CDATA[5]]>", "5&amp;", "9" * 40, "0" * 20],
]
CELLS = [
    *['<c r="{a}" t="s"><v>{i}</v></c>'] * 10,
    *['<c r="{a}" s="{s}"><v>{v}</v></c>'] * 10,
    '<c r="{a}"><v>{v}</v></c>',
    '<c r="{a}" t="n" s="{s}"><v>{v}</v></c>',
    '<c s="{s}"><v>{v}</v></c>',
    '<c r="{a}" s="99"><v>{v}</v></c>',
    '<c r="{a}" s="x"><v>{v}</v></c>',
    '<c r="{a}" s="1234567"><v>{v}</v></c>',
    '<c r="{a}" t="b"><v>1</v></c>',
    '<c r="{a}" t="b"><v>2</v></c>',
    '<c r="{a}" t="e"><v>#N/A</v></c>',
    '<c r="{a}" t="d"><v>2026-01-05</v></c>',
    '<c r="{a}" t="d" s="1"><v>2026-01-05T10:00:00Z</v></c>',
    '<c r="{a}" t="x"><v>1</v></c>',
    '<c r="{a}" t="s"><v>{v}</v></c>',
    '<c r="{a}" t="s"><v>999</v></c>',
    '<c r="{a}" t="str"><v>{t}</v></c>',
    '<c r="{a}" t="inlineStr"><is><t>{t}</t></is></c>',
    '<c r="{a}" t="inlineStr"><is><t xml:space="preserve">{t}</t></is></c>',
    '<c r="{a}" t="inlineStr"><is><r><t>{t}</t></r></is></c>',
    '<c r="{a}" t="inlineStr"><v>{t}</v></c>',
    '<c r="{a}"><is><t>{v}</t></is></c>',
    '<c r="{a}" s="{s}"><f>A1</f><v>{v}</v></c>',
    '<c r="{a}" t="str"><f>[1]A!B1</f><v>{t}</v></c>',
    '<c r="{a}"><f t="array" ref="A3:C5">A1</f><v>1</v></c>',
    '<c r="{a}"><f t="shared" si="0"/><v>1</v></c>',
    '<c r="{a}" s="1"/>',
    '<c r="{a}" s="1"></c>',
    '<c r="{a}"><v></v></c>',
    '<c r="{a}"><v/></c>',
    '<c r="{a}" cm="1" vm="2" ph="1"> <v>7</v>\n</c>',
    '<c r="{a}"><v>7</v><v>8</v></c>',
    '<c r="{a}" t="s" t="n"><v>0</v></c>',
    '<c r="{a}" x="1"><v>7</v></c>',
    '<c  t="s"  r="{a}" ><v>1</v></c >',
    '<c r="a{n}"><v>7</v></c>',
    '<c r="ZZZ{n}"><v>7</v></c>',
    '<c r="F{n}"><v>7</v></c>',
    '<c r="F{n}"><v></v></c>',
    '<c r="{n}"><v>7</v></c>',
    "<c r='{a}'><v>7</v></c>",
    '<c r="{a}"><v>7</v></d>',
    '<c r="{a}"><v>7</c>',
    '<cell r="{a}"><v>7</v></cell>',
    "text",
    "<!-- x -->",
]
TEXTS = [
    *[
        "410101199001011237",
        "吴娜",
        "𠮷",
        "a&amp;b&lt;&gt;&quot;&apos;",
        "&#65;",
        "&other;",
        "_x0041_",
    ],
    *["a_xb", "a_b", " x ", "a\nb", "a\tb", "a\r\nb", "a]]>b", "a]b>", "a\x01b", "\x7f", "\ufffe"],
    *["", "\ufffd", "\U0010ffff", "证件号码", "x" * 1_100, "&", "<x/>", "\u2028"],
]
ITEMS = [
    *["<si><t>{t}</t></si>"] * 10,
    '<si><t xml:space="preserve">{t}</t></si>',
    "<si><r><t>{t}</t></r><r><rPr/><t>b</t></r><rPh><t>c</t></rPh></si>",
    "<si><t/></si>",
    "<si/>",
    "<si> <t>{t}</t></si>",
    "<!-- </si> --><si><t>{t}</t></si>",
    "\n<si><t>{t}</t></si>\r\n",
    "<si><t>{t}</t></si ><!-- </si>",
    "<si><t>{t}</t>",
    "text",
]


def _any_bytes(draw: Any, text: str) -> bytes:
    """Now and then one of them is another."""
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    if data and draw(st.integers(0, 9)) == 0:
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


@st.composite
def sheets(draw: Any) -> dict[str, bytes]:
    """The parts of a workbook: its rows, and its texts behind those of the header."""
    odd = draw(st.sampled_from([0, 0, 1, 3, 10]))

    def one(some: list[str], plain: int) -> str:
        return draw(st.sampled_from(some if draw(st.integers(0, 9)) < odd else some[:plain]))

    rows = [one(HEADS, 8)]
    rows.append(draw(st.sampled_from(['<row r="1">', '<row r="1" x14ac:dyDescent="0.2">'])))
    rows += [f'<c r="{"ABCDE"[n]}1" t="s"><v>{n}</v></c>' for n in range(5)] + ["</row>"]
    for n in range(2, 2 + draw(st.integers(0, 9))):
        rows.append(one(BETWEEN, 12).replace("{n}", str(n)))
        rows.append(one(ROW_TAGS, 6).replace("{n}", str(n)))
        for letter in draw(st.sampled_from(["ABCDE", "ABCDE", "AB", "CE", "", "BA"])):
            words = {"a": f"{letter}{n}", "n": str(n), "s": draw(st.sampled_from("0001234567"))}
            words["v"] = draw(st.sampled_from(NUMBERS[:12] if odd < 3 else NUMBERS))
            words["i"] = str(draw(st.integers(0, 9)))
            words["t"] = draw(st.sampled_from(TEXTS[:4] if odd < 3 else TEXTS))
            cell = one(CELLS, 20)
            for key, text in words.items():
                cell = cell.replace("{" + key + "}", text)
            rows.append(cell)
        rows.append("</row>")
    header = "".join(f"<si><t>{c.native}</t></si>" for c in COLUMNS)
    items = [
        one(ITEMS, 12).replace("{t}", draw(st.sampled_from(TEXTS if odd else TEXTS[:3])))
        for _ in range(draw(st.integers(0, 8)))
    ]
    listed = f'<sst xmlns="{MAIN}" count="9">{header}{"".join(items)}</sst>'
    return {
        "xl/worksheets/sheet1.xml": _any_bytes(draw, "".join(rows) + one(TAILS, 8)),
        "xl/sharedStrings.xml": _any_bytes(draw, listed),
    }


@hostile
@given(
    parts=sheets(),
    size=st.sampled_from(PIECES),
    rows=st.sampled_from([1, 3, 100]),
    formulas=st.sampled_from(["reject", "cached"]),
)
def test_workbooks(
    parts: dict[str, bytes],
    size: int,
    rows: int,
    formulas: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.getbasetemp() / "scanned.xlsx"
    path.write_bytes(xlsx(SheetMade([]), more=parts))
    both(lambda: read(path, rows, kind="excel", formulas=formulas), size)


PARTS = [
    *[
        "<证件号码>{t}</证件号码>",
        "<姓名>{t}</姓名>",
        "<出生日期>{t}</出生日期>",
        "<金额>{t}</金额>",
    ]
    * 3,
    *["<姓名/>", "<姓名></姓名>", "<姓名 />", "<姓名>{t}</姓名 >", '<姓名 x="1">{t}</姓名>'],
    *[
        "<other>1</other>",
        "<姓名><b>1</b></姓名>",
        "<姓名>{t}<!-- x --></姓名>",
        "<姓名>{t}</金额>",
    ],
    *[
        "<!-- x -->",
        "text",
        "<![CDATA[ ]]>",
        "\n ",
        "\r",
        "<证件号码>{t}",
        "<证件号码x>1</证件号码x>",
    ],
]
ROWS = [
    *[("<r>", "</r>")] * 10,
    *[("<r >", "</r>"), ("<r>", "</r >"), ('<r x="1">', "</r>"), ("<r>\n", "\r\n</r>\n")],
    *[("<r/>", ""), ("<!-- <r> --><r>", "</r><!-- </r> -->"), ("<![CDATA[</r>]]><r>", "</r>")],
    *[("<q>", "</q>"), ("<r><r>", "</r></r>"), ("</d><d><r>", "</r>"), ("<r>", ""), ("", "</r>")],
    *[("<d><r>", "</r></d>"), ('<r xmlns="urn:a">', "</r>"), ("<a:r>", "</a:r>")],
]
DOCUMENTS = [
    *[("<d>", "</d>")] * 8,
    *[('<d xmlns="urn:a">', "</d>"), ('<d xmlns="urn:b">', "</d>"), ('<d x=">">', "</d>")],
    *[('<a:d xmlns:a="urn:a">', "</a:d>"), ("<d><!-- <r> -->", "</d>"), ("<d>", "</d><d/>")],
    *[
        ("<d>", ""),
        ("<e><d>", "</d></e>"),
        ("\ufeff<d>\n\n", "\n</d>\n"),
        ("<!DOCTYPE d><d>", "</d>"),
    ],
    *[('<?xml version="1.0" encoding="GBK"?><d>', "</d>"), ('<d xmlns:a="urn:a">', "</d>")],
]


@st.composite
def documents(draw: Any) -> bytes:
    odd = draw(st.sampled_from([0, 0, 1, 3]))

    def one(some: list[Any], plain: int) -> Any:
        return draw(st.sampled_from(some if draw(st.integers(0, 9)) < odd else some[:plain]))

    begin, end = draw(st.sampled_from(DOCUMENTS)) if odd else DOCUMENTS[0]
    made = [begin]
    for _ in range(draw(st.integers(0, 9))):
        row, row_end = one(ROWS, 10)
        parts = list(draw(st.permutations(PARTS[:4])))[: draw(st.integers(1, 4))]
        parts += [one(PARTS, 12)] if draw(st.integers(0, 5)) < odd else []
        texts = TEXTS if odd else TEXTS[:4]
        inner = "".join(p.replace("{t}", draw(st.sampled_from(texts))) for p in parts)
        made.append(row + inner + row_end)
    return _any_bytes(draw, "".join(made) + end)


@hostile
@given(
    data=documents(),
    size=st.sampled_from(PIECES),
    rows=st.sampled_from([1, 3, 100]),
    namespaces=st.sampled_from([{}, {}, {"": "urn:a"}]),
)
def test_documents(
    data: bytes,
    size: int,
    rows: int,
    namespaces: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.getbasetemp() / "scanned.xml"
    path.write_bytes(data)
    both(lambda: read(path, rows, kind="xml", record="/d/r", namespaces=namespaces), size)


@pytest.mark.parametrize(
    ("prefix", "namespaces", "record"),
    [("", {}, "/d/r"), ("", {"": "urn:a"}, "/d/r"), ("g:", {"g": "urn:a"}, "/g:d/g:r")],
)
def test_a_default_namespace_is_scanned_under_any_prefix_of_the_contract(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    prefix: str,
    namespaces: dict[str, str],
    record: str,
) -> None:
    columns = tuple(Column(c.name, prefix + c.native, required=False) for c in COLUMNS)
    monkeypatch.setattr(f"{__name__}.COLUMNS", columns)
    uri = ' xmlns="urn:a"' if namespaces else ""
    row = "<r><证件号码>1</证件号码><姓名>吴&amp;娜</姓名></r>"
    (tmp_path / "f.xml").write_text(f"<d{uri}>{row * 5}</d>", encoding="utf-8")
    taken = scanned_rows(monkeypatch, xml_scan.XmlTable)
    kind = {"kind": "xml", "record": record, "namespaces": namespaces}
    found, *_ = both(lambda: read(tmp_path / "f.xml", 100, **kind))
    assert [(r["id"], r["name"], r["born"]) for r in found] == [("1", "吴&娜", None)] * 5
    assert sum(taken) == 5


def scanned_rows(monkeypatch: pytest.MonkeyPatch, table: type[Any]) -> list[int]:
    """How many rows each scan takes."""
    taken: list[int] = []
    scan = table.scan

    def noted(self: Any, *given_: Any, **more: Any) -> int:
        before = self.rows
        lines = scan(self, *given_, **more)
        taken.append(self.rows - before)
        return lines

    monkeypatch.setattr(table, "scan", noted)
    return taken


def test_rows_as_office_programs_write_them_are_scanned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the header; else the quick way is there and nothing takes it."""
    taken = scanned_rows(monkeypatch, sheet_scan.SheetTable)
    row = (
        '<row r="{n}" spans="1:5" ht="15" x14ac:dyDescent="0.25"><c r="A{n}" s="4" t="s"><v>5</v></c>'
        '<c r="B{n}" t="inlineStr"><is><t>吴</t></is></c><c r="C{n}" s="1"><v>46027</v></c>'
        '<c r="D{n}"><v>12.50</v></c><c r="E{n}"><v>0.30000000000000004</v></c></row>'
    )
    header = "".join(f'<c r="{"ABCDE"[n]}1" t="s"><v>{n}</v></c>' for n in range(5))
    rows = [row.replace("{n}", str(n)) for n in range(2, 102)]
    rows[50] = rows[50].replace("<v>46027</v>", "<f>A1</f><v>46027</v>")
    head = '<row r="1" spans="1:5" x14ac:dyDescent="0.25">' + header + "</row>"
    texts = [*(c.native for c in COLUMNS), "410101199001011237"]
    listed = "".join(f"<si><t>{t}</t></si>" for t in texts)
    parts = {
        "xl/worksheets/sheet1.xml": (HEAD + head + "".join(rows) + TAILS[0]).encode(),
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{listed}</sst>'.encode(),
    }
    (tmp_path / "f.xlsx").write_bytes(xlsx(SheetMade([]), more=parts))
    found, damaged, lost, _ = both(lambda: read(tmp_path / "f.xlsx", 1_000, kind="excel"))
    sound = ("410101199001011237", "吴", "2026/01/05", "12.5", "0,3")
    assert [tuple(r.values()) for r in found if r["born"]] == [sound] * 99
    assert (damaged, lost) == ({}, {(51, "born"): ("46027", "cell.formula")})
    assert sum(taken) == 99


@pytest.mark.parametrize("data", [b"", b"\xc2", b"<d>\xe5", b"<d/>", b" ", b"\xef\xbb\xbf"])
def test_documents_that_hardly_begin(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f.xml").write_bytes(data)
    both(lambda: read(tmp_path / "f.xml", 100, kind="xml", record="/d/r"))


def test_is_name() -> None:
    assert [xml_stream.is_name(t) for t in ("a", "姓名", "a.b-c")] == [True] * 3
    for text in ("", "a b", "1a", "a:b", "a/b", "@a", "a='1'", "a/><b", "a><!--", "\x00"):
        assert not xml_stream.is_name(text), text


@pytest.mark.parametrize(
    "rest", ["<{a}", "<{a}>text", "<!-- <{a}> -->", "<![CDATA[<{a}>]]>", "<{a} b='1' ", " {b}"]
)
def test_what_stands_before_the_first_row_may_have_any_length(tmp_path: Path, rest: str) -> None:
    long = rest.replace("{a}", "a" * (1 << 20)).replace("{b}", " " * (1 << 20))
    (tmp_path / "f.xml").write_text(f"<d>{long}", encoding="utf-8")
    sheet = HEAD.removesuffix("<sheetData>") + long
    assert sheet != HEAD + long
    parts = {
        "xl/worksheets/sheet1.xml": sheet.encode(),
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{long}'.encode(),
    }
    (tmp_path / "f.xlsx").write_bytes(xlsx(SheetMade([]), more=parts))
    for name, kind in (("f.xml", {"kind": "xml", "record": "/d/r"}), ("f.xlsx", {"kind": "excel"})):
        refused = both(partial(read, tmp_path / name, 100, **kind))
        assert refused[0] is ProtocolError


def test_line_feeds_of_rows_that_were_cut_out_are_no_text_of_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than a row may have characters; the refusal behind them names its line."""
    monkeypatch.setattr(xml_stream, "LONGEST_ROW", 1_000)
    taken = scanned_rows(monkeypatch, xml_scan.XmlTable)
    row = "<r>\n<证件号码>1</证件号码>" + "\n" * 30 + "<姓名>吴</姓名></r>"
    kind = {"kind": "xml", "record": "/d/r"}
    (tmp_path / "f.xml").write_text(f"<d>{row * 200}</d>", encoding="utf-8")
    found, *_ = both(lambda: read(tmp_path / "f.xml", 100, **kind), 300)
    assert len(found) == sum(taken) == 200
    (tmp_path / "f.xml").write_text(f"<d>{row * 200}</e>", encoding="utf-8")
    _, said = both(lambda: read(tmp_path / "f.xml", 100, **kind), 300)
    assert "line 6201 " in said
