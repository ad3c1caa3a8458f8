"""DBF, XML, fixed widths, ZIP, marks instead of manifests, totals above the rows."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.files import dbf_read, fixed_read, unzip, xml_read
from connectors.files.connector import FilesConnector
from connectors.files.read import FilesReading
from onecard.base.connections import Connection
from onecard.errors import OnecardError, ProtocolError, SchemaMismatch
from onecard.ports.source import Column, ReadRequest, Refusal
from tests.connectors.systems import conn
from tests.workbooks import DbfColumn, SheetMade, dbf, xlsx, zipped

COLUMNS = (
    Column("id", "SFZH", key=True, type="string"),
    Column("name", "XM", required=False, type="string"),
    Column("born", "CSRQ", required=False, type="date", format="%Y/%m/%d"),
    Column("sum", "JE", required=False, type="number"),
)
PERSON = "410101199001011237"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def local(out: Path) -> Connection:
    return conn(conn_type="fs", extra={"path": str(out.parent)})


def start(
    local: Connection, layout: dict[str, Any], columns: tuple[Column, ...] = COLUMNS, **more: Any
) -> FilesReading:
    given = {"directory": "out", "pattern": "*.dat", "format": layout, **more}
    options = FilesConnector.source_options.model_validate(given)
    return FilesReading(local, ReadRequest("a/b", columns, options, batch_rows=3))


def taken(
    local: Connection,
    data: bytes,
    layout: dict[str, Any],
    columns: tuple[Column, ...] = COLUMNS,
    **more: Any,
) -> Any:
    """Rows, damaged rows by number, remarks."""
    (Path(local.extra["path"]) / "out" / "f.dat").write_bytes(data)
    reading = start(local, layout, columns, **more)
    chunks = list(reading)
    rows = [tuple(r.values()) for c in chunks for r in c.batch.to_pylist()]
    damaged = {c.first_row + i: rule for c in chunks for i, rule in c.damaged.items()}
    return rows, damaged, reading.remarks


# DBF

FIELDS = (
    DbfColumn("SFZH", "C", 18),
    DbfColumn("XM", "C", 10),
    DbfColumn("CSRQ", "D", 8),
    DbfColumn("JE", "N", 10, 2),
)
ROWS = [
    (PERSON.encode(), "吴娜".encode("gb18030"), b"19900101", b"   1234.50"),
    (b"2", "\U00020087".encode("gb18030"), b"", b"-1"),
    (b"3", b"", b"19901301", b"**********"),
]
READ = [
    (PERSON, "吴娜", "1990/01/01", "1234.50"),
    ("2", "\U00020087", None, "-1"),
    ("3", None, "19901301", "**********"),
]
DBF = {"kind": "dbf"}


@pytest.mark.parametrize("piece", [1, 60, 1 << 22])
def test_a_dbf(local: Connection, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(dbf_read, "PIECE", piece)
    rows, damaged, remarks = taken(local, dbf(FIELDS, ROWS), DBF)
    assert (rows, damaged, remarks) == (READ, {}, ())


def test_deleted_rows_are_left_out_and_counted(local: Connection, out: Path) -> None:
    data = dbf(FIELDS, ROWS, deleted=frozenset({0, 2}))
    rows, _, remarks = taken(local, data, DBF)
    assert rows == READ[1:2]
    assert remarks == ("f.dat: 2 row(s) marked as deleted skipped",)
    promised(out, data, 1)
    assert start(local, DBF, manifest={}).refused == ()
    reading = start(local, DBF, manifest={})
    assert (sum(c.batch.num_rows for c in reading), reading.refused) == (1, ())


def promised(out: Path, data: bytes, rows: int) -> None:
    import hashlib
    import json

    note = {"rows": rows, "sha256": hashlib.sha256(data).hexdigest()}
    (out / "f.dat.manifest.json").write_text(json.dumps(note))


def test_kinds_of_dbf_fields(local: Connection) -> None:
    fields = (
        DbfColumn("L", "L", 1),
        DbfColumn("I", "I", 4),
        DbfColumn("Y", "Y", 8),
        DbfColumn("T", "T", 8),
        DbfColumn("F", "F", 6, 1),
        DbfColumn("_NullFlags", "0", 1, flags=5),
    )
    columns = (
        Column("l", "L", type="string"),
        Column("i", "I", type="integer"),
        Column("y", "Y", type="number", decimal=","),
        Column("t", "T", type="timestamp"),
        Column("f", "F", type="number"),
    )
    day = struct.pack("<ii", 2461046, 43_200_000)
    rows = [
        (b"T", struct.pack("<i", -7), struct.pack("<q", 12345), day, b"1.5", b"\0"),
        (b"?", struct.pack("<i", 0), struct.pack("<q", -1), bytes(8), b"", b"\0"),
    ]
    found, damaged, _ = taken(local, dbf(fields, rows, version=0x30), DBF, columns)
    assert damaged == {}
    assert found == [
        ("true", "-7", "1,2345", "2026-01-05T12:00:00+08:00", "1.5"),
        (None, "0", "-0,0001", None, None),
    ]


@pytest.mark.parametrize(
    ("kind", "flags", "says"),
    [
        ("M", 0, "column X (x) is a memo"),
        ("B", 0, "a binary fraction"),
        ("G", 0, "an object"),
        ("V", 0, "text whose length"),
        ("Z", 0, "of a kind that is not read"),
        ("I", 2, "a number that may be NULL"),
    ],
)
def test_dbf_fields_that_are_refused(local: Connection, kind: str, flags: int, says: str) -> None:
    width = 4 if kind == "I" else 8
    data = dbf((DbfColumn("X", kind, width, flags=flags),), [(bytes(width),)], version=0x30)
    with pytest.raises(SchemaMismatch, match=re.escape(says)):
        taken(local, data, DBF, (Column("x", "X", type="string"),))


SOUND = dbf(FIELDS, ROWS)
BAD_DBF = {
    "cut": (SOUND[:-20], "it is not whole"),
    "longer": (SOUND + b"more rows than it says", "it is not whole"),
    "empty": (b"", "no DBF table"),
    "excel": (xlsx(SheetMade([["SFZH"]])), "it looks like an Excel workbook"),
    "Big5": (dbf(FIELDS, ROWS, page=0x78), "code page 950"),
    "dBASE 7": (b"\x04" + SOUND[1:], "no DBF table"),
    "header of nothing": (SOUND[:40], "has no end"),
    "lengths": (SOUND[:10] + b"\x99\0" + SOUND[12:], "not as long as its records"),
    "no end of fields": (SOUND.replace(b"\r", b"X", 1), "OnecardError"),
}


@pytest.mark.fault("F30", "a DBF that is none, not whole or of another code page: a clear error")
@pytest.mark.parametrize("what", BAD_DBF)
def test_dbf_files_that_are_refused(local: Connection, what: str) -> None:
    data, says = BAD_DBF[what]
    with pytest.raises(OnecardError) as refused:
        taken(local, data, DBF)
    assert says == "OnecardError" or says in str(refused.value)
    assert PERSON not in str(refused.value)


@pytest.mark.fault(
    "F27", "a DBF in UTF-8 is not read as GB 18030; a broken character costs its row"
)
def test_encodings_of_dbf(local: Connection) -> None:
    rows = [(b"1", "吴娜".encode(), b"", b""), (b"2", b"", b"", b"")]
    with pytest.raises(ProtocolError, match="the file is UTF-8"):
        taken(local, dbf(FIELDS, rows), DBF)
    assert taken(local, dbf(FIELDS, rows, page=0), {**DBF, "encoding": "utf-8"})[0][0][1] == "吴娜"
    broken = [(b"1", b"\xff\xff", b"", b""), (b"2", "娜".encode("gb18030"), b"", b"")]
    found, damaged, _ = taken(local, dbf(FIELDS, broken), DBF)
    assert damaged == {1: "record.encoding"}
    assert found[1][1] == "娜"


# Fixed widths

WIDTHS = [
    {"name": "SFZH", "width": 18},
    {"width": 1},
    {"name": "XM", "width": 10},
    {"name": "CSRQ", "width": 10},
    {"name": "JE", "width": 8},
]
FIXED = {"kind": "fixed", "columns": WIDTHS}


def line(sfzh: str, name: str, born: str = "", amount: str = "") -> bytes:
    cells = ((sfzh, 18), ("|", 1), (name, 10), (born, 10))
    return b"".join(t.encode("gb18030").ljust(w) for t, w in cells) + amount.encode().rjust(8)


@pytest.mark.parametrize("piece", [1, 50, 1 << 22])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_of_fixed_widths(
    local: Connection, monkeypatch: pytest.MonkeyPatch, piece: int, end: bytes
) -> None:
    monkeypatch.setattr(fixed_read, "PIECE", piece)
    lines = [
        line(PERSON, "吴娜", "1990/1/1", "1234.50"),
        b"",
        line("2", "𠂇"),
        b"too short",
        line("4", "x") + b"!",
    ]
    rows, damaged, remarks = taken(local, end.join(lines) + end + b"\x1a", FIXED)
    assert rows == [
        (PERSON, "吴娜", "1990/1/1", "1234.50"),
        ("2", "𠂇", None, None),
        (None,) * 4,
        (None,) * 4,
    ]
    assert damaged == {3: "record.cells", 4: "record.cells"}
    assert remarks == ("f.dat: 1 blank line(s) skipped",)


def test_short_lines_are_padded_where_the_contract_says_so(local: Connection) -> None:
    data = line("1", "吴", "", "").rstrip() + b"\n" + line("2", "x") + b"\n"
    rows, damaged, _ = taken(local, data, {**FIXED, "short_lines": "pad"})
    assert (rows, damaged) == ([("1", "吴", None, None), ("2", "x", None, None)], {})


def test_a_cut_character_costs_its_line(local: Connection) -> None:
    cut = b"1".ljust(18) + b"|" + b"x" * 9 + "吴".encode("gb18030") + b" " * 17
    rows, damaged, _ = taken(local, cut + b"\n" + line("2", "y") + b"\n", FIXED)
    assert damaged == {1: "record.encoding"}
    assert rows[1][:2] == ("2", "y")


def test_fixed_widths_with_titles_and_a_total(local: Connection) -> None:
    layout = {**FIXED, "above": 1, "total": {"pattern": "^HEAD(\\d+)$"}}
    data = b"HEAD000002\n" + line("1", "a") + b"\n" + line("2", "b") + b"\n"
    rows, _, remarks = taken(local, data, layout)
    assert [r[0] for r in rows] == ["1", "2"]
    assert remarks == ("f.dat: 1 line(s) above the header skipped",)
    (Path(local.extra["path"]) / "out" / "f.dat").write_bytes(data.replace(b"2\n", b"3\n", 1))
    reading = start(local, layout)
    assert (list(reading), reading.refused) == ([], (Refusal("f.dat", "file.total"),))


def test_fixed_widths_are_held_against_the_contract(local: Connection) -> None:
    with pytest.raises(SchemaMismatch, match="column JE \\(sum\\) is missing"):
        taken(local, b"1\n", {"kind": "fixed", "columns": WIDTHS[:4]})
    with pytest.raises(ProtocolError, match="the file is UTF-8"):
        taken(local, "吴娜".encode().ljust(47) + b"\n", FIXED)
    with pytest.raises(ProtocolError, match="looks like a ZIP archive"):
        taken(local, zipped({"a": b""}), FIXED)


# XML

XML = {"kind": "xml", "record": "/data/rows/row"}


def rows_of(*inner: str, head: str = "", around: str = "rows") -> bytes:
    rows = "".join(f"<row>{i}</row>\n" for i in inner)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<data>{head}<{around}>{rows}</{around}></data>'.encode()


FULL = f"<SFZH>{PERSON}</SFZH><XM>吴&amp;娜</XM><CSRQ>1990/1/1</CSRQ><JE>1.50</JE>"
ALL = "<SFZH>2</SFZH><XM/><CSRQ></CSRQ><JE>2</JE>"


@pytest.mark.parametrize("piece", [1, 7, 1 << 17])
def test_xml_rows(local: Connection, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(xml_read, "PIECE", piece)
    data = rows_of(FULL, ALL, "<SFZH>3</SFZH>", head="<total>3</total>")
    rows, damaged, remarks = taken(local, data, XML)
    assert rows == [
        (PERSON, "吴&娜", "1990/1/1", "1.50"),
        ("2", None, None, "2"),
        ("3", None, None, None),
    ]
    assert (damaged, remarks) == ({}, ())


def test_namespaces_attributes_and_paths(local: Connection) -> None:
    columns = (Column("id", "@id", type="string"), Column("n", "p:base/p:XM", type="string"))
    layout = {
        "kind": "xml",
        "record": "/d/p:row",
        "namespaces": {"p": "urn:p", "": "urn:d"},
    }
    data = (
        b'<d xmlns="urn:d" xmlns:q="urn:p"><q:row id="1"><q:base><q:XM>a</q:XM></q:base></q:row>'
        b'<row xmlns="urn:p" id="2"><base><XM><![CDATA[<b>]]></XM></base></row>'
        b"<other/></d>"
    )
    rows, _, remarks = taken(local, data, layout, columns)
    assert rows == [("1", "a"), ("2", "<b>")]
    assert remarks == ("f.dat: 1 element(s) of another name beside the rows not read",)
    foreign = data.replace(b"urn:p", b"urn:z")
    with pytest.raises(ProtocolError, match=r"but /d/urn:z}row does: are those the rows\?"):
        taken(local, foreign, layout, columns)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("<data><list><row/></list></data>", "no element /data/rows stands in the document"),
        ("<data><list><row/></list></data>", "it has /data, /data/list, /data/list/row"),
        (f"<data><rows><r{PERSON}>1</r{PERSON}></rows></data>", ""),
        ("<data><rows><item><XM>a</XM></item></rows></data>", "but /data/rows/item does"),
        ("<data><rows><item XM='a'/></rows></data>", "name them in `beside`"),
        ("<data><rows><Row><XM>a</XM></Row></rows></data>", "but /data/rows/Row does"),
        ("<data><rows><head><day>1</day></head></rows></data>", "but /data/rows/head does"),
        ("<data><rows><count>0</count></rows></data>", ""),
        ("<data><rows/></data>", ""),
    ],
)
def test_a_path_of_rows_that_fits_nothing(local: Connection, document: str, says: str) -> None:
    if not says:
        assert taken(local, document.encode(), XML)[0] == []
        return
    with pytest.raises(ProtocolError, match=re.escape(says)) as refused:
        taken(local, document.encode(), XML)
    assert PERSON not in str(refused.value)


def test_what_may_stand_beside_no_rows(local: Connection) -> None:
    data = b"<data><rows><head><day>1</day></head></rows></data>"
    rows, _, remarks = taken(local, data, {**XML, "beside": ["head"]})
    assert (rows, len(remarks)) == ([], 1)


def test_names_of_elements_are_no_place_for_values(local: Connection) -> None:
    data = f"<data><_{PERSON}><row/></_{PERSON}></data>".encode()
    with pytest.raises(ProtocolError, match="no element /data/rows") as refused:
        taken(local, data, XML)
    assert PERSON not in str(refused.value)


def test_xml_in_gb18030(local: Connection) -> None:
    data = rows_of(FULL).decode().replace("UTF-8", "GBK").encode("gb18030")
    assert taken(local, data, {**XML, "encoding": "gb18030"})[0][0][1] == "吴&娜"
    with pytest.raises(ProtocolError, match="the document declares gb18030; the contract utf-8"):
        taken(local, data, XML)
    with pytest.raises(ProtocolError, match="the document declares utf-8; the contract gb18030"):
        taken(local, rows_of(FULL), {**XML, "encoding": "gb18030"})


def test_rows_of_odd_shape_cost_themselves(local: Connection) -> None:
    twice = "<SFZH>1</SFZH><SFZH>2</SFZH>"
    mixed = "<SFZH>1</SFZH>text<XM>a</XM>"
    rows, damaged, _ = taken(local, rows_of(FULL, twice, mixed, ALL), XML)
    assert damaged == {2: "record.xml", 3: "record.xml"}
    assert [r[0] for r in rows] == [PERSON, None, None, "2"]


@pytest.mark.fault("F32", "XML: an unknown element, and one that no row has, are named")
def test_columns_of_xml(local: Connection) -> None:
    with pytest.raises(SchemaMismatch, match="column NEW is not in the contract"):
        taken(local, rows_of(FULL + "<NEW>1</NEW>"), XML)
    needed = (*COLUMNS[:3], Column("sum", "JE", required=True, type="number"))
    with pytest.raises(SchemaMismatch, match="column JE \\(sum\\) is missing"):
        taken(local, rows_of("<SFZH>1</SFZH><XM>a</XM>"), XML, needed)
    assert taken(local, rows_of(), XML, needed)[0] == []


LAUGHS = b'<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
BAD_XML = {
    "cut": (rows_of(FULL)[:-10], "no well-formed XML"),
    "empty": (b"", "no well-formed XML"),
    "laughs": (rows_of("&b;").replace(b"<data>", LAUGHS + b"<data>"), "document type"),
    "outside": (b'<!DOCTYPE d SYSTEM "x.dtd"><data/>', "document type"),
    "entity": (rows_of("&b;"), "no well-formed XML"),
    "deep": (b"<data>" + b"<a>" * 5000, "64 deep"),
    "no end": (b"<data " + b"a" * 20_000_000, "a tag in it has no end"),
    "text without end": (b"<data><rows><row><XM>" + b"a" * 20_000_000, "16777216 characters"),
    "no rows element": (rows_of(FULL, around="list"), "no element /data/rows stands"),
    "UTF-16": (rows_of(FULL).decode().encode("utf-16"), "UTF-16"),
    "bytes": (rows_of("<XM>\xff</XM>").decode().encode("latin-1"), "is not utf-8"),
    "encoding": (b'<?xml version="1.0" encoding="Shift_JIS"?><data/>', "an encoding not read"),
    "a workbook": (xlsx(SheetMade([["SFZH"]])), "an Excel workbook"),
}


@pytest.mark.fault("F33", "XML with entities, without end or of endless depth: a clear error")
@pytest.mark.parametrize("what", BAD_XML)
def test_xml_that_is_refused(local: Connection, what: str) -> None:
    data, says = BAD_XML[what]
    with pytest.raises(ProtocolError, match=re.escape(says)) as refused:
        taken(local, data, XML)
    assert PERSON not in str(refused.value)


# ZIP

CSV = "SFZH,XM,CSRQ,JE\n"
ZIP = {"kind": "zip", "members": "*.csv", "of": {"kind": "csv"}}


def test_an_archive_of_files(local: Connection) -> None:
    parts = {
        "b/2.csv": (CSV + "2,b,,\n").encode(),
        "a/1.csv": (CSV + "1,a,,\n\n").encode(),
        "说明.txt": b"x",
    }
    rows, _, remarks = taken(local, zipped(parts), ZIP)
    assert [r[0] for r in rows] == ["1", "2"]
    assert remarks == (
        "f.dat: 1 blank line(s) skipped",
        "f.dat: 1 hidden sheet(s) or other file(s) in it not read",
    )


def test_what_macos_puts_into_an_archive_is_left_out_by_name(local: Connection) -> None:
    row = (CSV + "1,a,,\n").encode()
    parts = {
        "名册.csv": row,
        "__MACOSX/._名册.csv": b"\0\5\x16\7\0\2\0\0Mac OS X",
        "a/.DS_Store": b"\0\0\0\1Bud1",
    }
    rows, _, remarks = taken(local, zipped(parts), {**ZIP, "members": "*"})
    assert len(rows) == 1
    assert remarks == ("f.dat: 2 file(s) that macOS has put into it not read",)
    other = zipped({"名册.csv": row, "a/__MACOSX/1.csv": row, "._2.csv": row})
    assert len(taken(local, other, ZIP)[0]) == 3, "what only looks like it is read"


def test_rows_of_an_archive_say_where_they_stood(local: Connection, out: Path) -> None:
    name = "名册410199194901010014.csv"
    (out / "f.dat").write_bytes(zipped({f"../../{name}": (CSV + "1,a,,\n").encode()}))
    (chunk,) = start(local, ZIP)
    assert chunk.origin.startswith("f.dat/名册")
    assert "4101991949" not in chunk.origin
    assert ".." not in chunk.origin
    assert not list(out.parent.parent.glob("名册*"))


def test_members_of_one_name_are_told_apart(local: Connection, out: Path) -> None:
    row = (CSV + "1,a,,\n").encode()
    twins = ("410199194901010014", "410102194503122003")
    names = ["a/1.csv", "b/1.csv", *(f"{n}.csv" for n in twins)]
    (out / "f.dat").write_bytes(zipped(dict.fromkeys(names, row)))
    origins = [c.origin for c in start(local, ZIP)]
    assert len(set(origins)) == len(names), origins
    assert not any(n in o for n in twins for o in origins)


def test_names_in_gbk(local: Connection) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("list.csv", CSV + "1,a,,\n")
    data = made.getvalue().replace(b"list.csv", "名册.csv".encode("gbk"))
    assert len(taken(local, data, {**ZIP, "members": "名册.csv"})[0]) == 1


@pytest.mark.parametrize(
    ("of", "data"),
    [
        ({"kind": "excel"}, xlsx(SheetMade([["SFZH", "XM", "CSRQ", "JE"], ["1", "a"]]))),
        ({"kind": "dbf"}, dbf(FIELDS, [(b"1", b"a", b"", b"")])),
        (XML, rows_of("<SFZH>1</SFZH><XM>a</XM>")),
        (FIXED, line("1", "a") + b"\n"),
        ({"kind": "jsonl"}, b'{"SFZH":"1","XM":"a","CSRQ":null,"JE":null}\n'),
        ({"kind": "json", "records": "$"}, b'[{"SFZH":"1","XM":"a","CSRQ":null,"JE":null}]'),
    ],
)
def test_an_archive_of_each_kind(
    local: Connection, out: Path, of: dict[str, Any], data: bytes
) -> None:
    packed = zipped({"x": data, "y": data})
    layout = {"kind": "zip", "of": of}
    assert [r[:2] for r in taken(local, packed, layout)[0]] == [("1", "a")] * 2
    promised(out, packed, 2)
    reading = start(local, layout, manifest={})
    assert (sum(c.batch.num_rows for c in reading), reading.refused) == (2, ())


def locked(data: bytes) -> bytes:
    """The flag of a password, set in the archive's directory and before the member."""
    found = bytearray(data)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        found[found.find(mark) + place] |= 1
    return bytes(found)


ONE = zipped({"1.csv": (CSV + "1,a,,\n").encode()})
BOMB = zipped({"1.csv": CSV.encode() + b"1,a,,\n" * 2_000_000})
BAD_ZIP = {
    "cut": (ONE[:-30], "not whole"),
    "empty": (b"", "no ZIP archive"),
    "text": (CSV.encode(), "no ZIP archive"),
    "password": (locked(ONE), "has a password"),
    "no such member": (zipped({"1.txt": b""}), "no file of the archive has a name like *.csv"),
    "archive in it": (zipped({"1.csv": ONE}), "a ZIP archive"),
    "bomb": (BOMB, "unpacks to more than 1000000 bytes"),
    "many": (
        zipped({f"{n}.csv": CSV.encode() + b"1,a,,\n" * 20_000 for n in range(9)}),
        "unpacks to more than",
    ),
    "damaged": (ONE[:40] + bytes([ONE[40] ^ 255]) + ONE[41:], "not whole"),
}


@pytest.mark.fault("F33", "an archive that is none, not whole, locked or a bomb: a clear error")
@pytest.mark.parametrize("what", BAD_ZIP)
def test_archives_that_are_refused(local: Connection, what: str) -> None:
    data, says = BAD_ZIP[what]
    with pytest.raises(OnecardError, match=re.escape(says)):
        taken(local, data, ZIP, max_bytes=1_000_000)


def test_an_archive_with_a_name_twice(local: Connection) -> None:
    data = zipped({"1.csv": (CSV + "1,a,,\n").encode(), "2.csv": CSV.encode()}).replace(
        b"2.csv", b"1.csv"
    )
    with pytest.raises(ProtocolError, match="two files in the archive have the same name"):
        taken(local, data, ZIP)


def test_a_directory_of_endless_length(local: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unzip, "DIRECTORY_LIMIT", 40)
    with pytest.raises(ProtocolError, match="directory is larger than 40 bytes"):
        taken(local, ONE, ZIP)


# How files are handed over


def test_marks_instead_of_manifests(local: Connection, out: Path) -> None:
    (out / "1.dat").write_text(CSV + "1,a,,\n")
    (out / "2.dat").write_text(CSV + "2,b,,\n")
    (out / "1.ok").write_text("")
    layout = {"suffix": ".ok", "content": "none", "instead": True}
    reading = start(local, {"kind": "csv"}, manifest=layout)
    assert [c.origin for c in reading] == ["1.dat"]
    assert reading.waiting == ("2.dat",)
    (out / "2.dat.ok").write_text("anything")
    reading = start(local, {"kind": "csv"}, manifest={"suffix": ".ok", "content": "none"})
    assert [c.origin for c in reading] == ["2.dat"]


def test_titles_and_totals_of_csv(local: Connection, out: Path) -> None:
    layout = {"kind": "csv", "encoding": "gb18030", "above": 2, "total": {"pattern": "共(\\d+)条"}}
    text = f"民政名册\n共2条\n{CSV}1,a,,\n\n2,b,,\n"
    rows, _, remarks = taken(local, text.encode("gb18030"), layout)
    assert [r[0] for r in rows] == ["1", "2"]
    assert remarks == (
        "f.dat: 1 blank line(s) skipped",
        "f.dat: 2 line(s) above the header skipped",
    )
    for wrong in ("共3条", "共条", "共２条"):
        (out / "f.dat").write_bytes(text.replace("共2条", wrong).encode("gb18030"))
        reading = start(local, layout)
        assert (list(reading), reading.refused) == ([], (Refusal("f.dat", "file.total"),))


@pytest.mark.parametrize(
    ("layout", "says"),
    [
        ({"kind": "csv", "total": {"pattern": "(1)"}}, "say `above`"),
        ({"kind": "csv", "above": 1, "total": {"pattern": "1"}}, "one group"),
        ({"kind": "csv", "above": 1, "total": {"pattern": "("}}, "one group"),
        ({"kind": "xml", "record": "rows/row"}, "from the root on"),
        ({"kind": "xml", "record": "//row"}, "from the root on"),
        ({"kind": "fixed", "columns": [{"width": 3}]}, "at least one has a name"),
        ({"kind": "fixed", "columns": [{"name": "a", "width": 3}] * 2}, "each name stands once"),
        ({"kind": "zip", "of": {"kind": "zip", "of": {"kind": "csv"}}}, "zip"),
    ],
)
def test_options_that_are_refused(layout: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(says)):
        FilesConnector.source_options.model_validate(
            {"directory": "out", "pattern": "*", "format": layout}
        )
