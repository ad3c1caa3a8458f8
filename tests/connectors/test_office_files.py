"""Files as offices send them: blank lines, byte order marks, header rows, editions of GB 18030."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from connectors.files import csv_read, gb18030
from connectors.files.connector import FilesConnector
from connectors.files.read import FilesReading
from onecard.base.connections import Connection
from onecard.errors import OnecardError, ProtocolError, SchemaMismatch
from onecard.ports.source import Column, ReadRequest, Remarking
from tests.connectors.systems import conn

COLUMNS = (Column("card", "证件号码", key=True), Column("name", "姓名"))
HEADER = "证件号码,姓名\n"
PERSON = "410101199001011234"
BOM = b"\xef\xbb\xbf"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def local(out: Path) -> Connection:
    return conn(conn_type="fs", extra={"path": str(out.parent)})


def start(local: Connection, layout: dict[str, Any], **more: Any) -> FilesReading:
    checkpoint = more.pop("checkpoint", {})
    given = {"directory": "out", "pattern": "*.dat", "format": layout} | more
    options = FilesConnector.source_options.model_validate(given)
    request = ReadRequest("a/b", COLUMNS, options, checkpoint=checkpoint)
    return FilesReading(local, request)


def taken(local: Connection, layout: dict[str, Any]) -> tuple[list[Any], dict[int, str], Any]:
    """Rows, damaged rows by number, remarks."""
    reading = start(local, layout)
    chunks = list(reading)
    rows = [tuple(r.values()) for c in chunks for r in c.batch.to_pylist()]
    damaged = {c.first_row + i: rule for c in chunks for i, rule in c.damaged.items()}
    assert isinstance(reading, Remarking)
    return rows, damaged, reading.remarks


def csv(out: Path, local: Connection, data: bytes | str, **layout: Any) -> Any:
    (out / "f.dat").write_bytes(data.encode() if isinstance(data, str) else data)
    return taken(local, {"kind": "csv", **layout})


@pytest.mark.case("file-1", "a byte order mark is no data, between joined files neither")
@pytest.mark.parametrize("kind", ["csv", "jsonl", "json"])
def test_a_byte_order_mark_is_taken(out: Path, local: Connection, kind: str) -> None:
    row = json.dumps({"证件号码": "1", "姓名": "吴娜"}, ensure_ascii=False).encode()
    data, layout = {
        "csv": (BOM + HEADER.encode() + "1,吴娜\n".encode(), {}),
        "jsonl": (BOM + row + b"\n" + BOM + row, {}),
        "json": (BOM + b"[" + row + b"]", {"records": "$"}),
    }[kind]
    (out / "f.dat").write_bytes(data)
    rows, damaged, remarks = taken(local, {"kind": kind, **layout})
    assert rows == [("1", "吴娜")] * (2 if kind == "jsonl" else 1)
    assert (damaged, remarks) == ({}, ())


@pytest.mark.case("file-2", "blank lines of every make are no rows, and are counted")
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("last", ["", "\x1a", "\n", " \t\n", ",\n", "\n\n\n,,,"])
def test_blank_lines_of_csv(
    out: Path, local: Connection, end: str, quoted: bool, last: str
) -> None:
    mark = '"' if quoted else ""
    lines = ["", " ", HEADER.strip(), "1,吴娜", "", " \t", ",", " , ", f"2,{mark}王 伟{mark}"]
    text = end.join(lines) + end + last.replace("\n", end)
    rows, damaged, remarks = csv(out, local, text)
    assert rows == [("1", "吴娜"), ("2", "王 伟")]
    assert damaged == {}
    blank = 6 + {"": 0, "\x1a": 0, "\n\n\n,,,": 4}.get(last, 1)
    assert remarks == (f"f.dat: {blank} blank line(s) skipped",)


@pytest.mark.case("file-2", "a blank line inside quotes is data, an empty text no blank")
def test_what_only_looks_blank_is_data(out: Path, local: Connection) -> None:
    rows, damaged, remarks = csv(out, local, HEADER + '1,"a\n\nb"\n"",""\n,c\n')
    assert rows == [("1", "a\n\nb"), ("", ""), (None, "c")]
    assert (damaged, remarks) == ({}, ())


@pytest.mark.case("file-2", "blank lines across pieces are counted once")
def test_blank_lines_in_every_piece(
    out: Path, local: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = HEADER + "".join(f"{i},x\n" + "\n" * (i % 3) + ",\n" * (i % 2) for i in range(60))
    for size in (1, 5, 64, 1 << 20):
        monkeypatch.setattr(csv_read, "PIECE", size)
        rows, damaged, remarks = csv(out, local, text)
        assert [r[0] for r in rows] == [str(i) for i in range(60)]
        assert (damaged, remarks) == ({}, ("f.dat: 90 blank line(s) skipped",))


@pytest.mark.case("file-2", "blank lines of JSON Lines are no rows, and are counted")
def test_blank_lines_of_json_lines(out: Path, local: Connection) -> None:
    row = '{"证件号码":"1","姓名":"x"}'
    (out / "f.dat").write_text(f"\n{row}\r\n \t\r\n{row}\n\n\x1a")
    rows, damaged, remarks = taken(local, {"kind": "jsonl"})
    assert rows == [("1", "x")] * 2
    assert (damaged, remarks) == ({}, ("f.dat: 4 blank line(s) skipped",))


@pytest.mark.case("file-2", "a manifest counts rows, not blank lines")
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_manifest_counts_rows(out: Path, local: Connection, kind: str) -> None:
    row = '{"证件号码":"1","姓名":"x"}\n'
    data = (HEADER + "1,x\n\n2,y\n,\n" if kind == "csv" else row + "\n" + row).encode()
    (out / "f.dat").write_bytes(data)
    promise = {"rows": 2, "sha256": hashlib.sha256(data).hexdigest()}
    (out / "f.dat.manifest.json").write_text(json.dumps(promise))
    reading = start(local, {"kind": kind}, manifest={})
    assert sum(c.batch.num_rows for c in reading) == 2
    assert reading.refused == ()


@pytest.mark.case("file-5", "every code of GB 18030-2022 is read as its character and written back")
@pytest.mark.parametrize(("code", "character"), [*gb18030.TWO_BYTES.items()])
def test_codes_that_left_the_private_use_area(code: str, character: str) -> None:
    data = bytes.fromhex(code)
    assert data.decode(gb18030.NAME) == character
    assert character.encode("gb18030").decode(gb18030.NAME) == character, "as of 2005, four bytes"
    assert character.encode(gb18030.NAME) == data


@pytest.mark.case("file-5", "ideographs of extension B have four bytes, older two-byte codes read")
@pytest.mark.parametrize(("code", "character"), [*gb18030.FOUR_BYTES.items()])
def test_codes_that_have_four_bytes_now(code: str, character: str) -> None:
    assert bytes.fromhex(code).decode(gb18030.NAME) == character
    assert character.encode(gb18030.NAME).decode(gb18030.NAME) == character
    assert len(character.encode(gb18030.NAME)) == 4


def test_the_mapping_is_that_of_the_standard() -> None:
    """24 code points of 2022, and one of 2005; no character of the private use area is left."""
    assert len(gb18030.TWO_BYTES) + len(gb18030.FOUR_BYTES) == 24 + 1
    both = "".join([*gb18030.TWO_BYTES.values(), *gb18030.FOUR_BYTES.values()])
    assert not [c for c in both if "\ue000" <= c <= "\uf8ff"]
    assert bytes.fromhex("95329031 95329033 95329730 9536B937 9630BA35 9635B630").decode(
        gb18030.NAME
    ) == "".join(gb18030.FOUR_BYTES.values())
    assert bytes.fromhex("FE59FE61FE66FE67FE6DFE7EFE90FEA0").decode(gb18030.NAME) == "".join(
        map(chr, range(0x9FB4, 0x9FBC))
    )


@pytest.mark.case("file-5", "a character cut between two pieces of a file is read whole")
def test_gb18030_in_pieces(out: Path, local: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "".join([*gb18030.TWO_BYTES.values(), *gb18030.FOUR_BYTES.values(), "吴"])
    data = (HEADER + f"1,{name}\n" * 3).encode(gb18030.NAME)
    stream = io.TextIOWrapper(io.BytesIO(data), encoding=gb18030.NAME)
    stream._CHUNK_SIZE = 1  # type: ignore[attr-defined]
    assert stream.read() == HEADER + f"1,{name}\n" * 3
    for size in (1, 2, 3, 1 << 20):
        monkeypatch.setattr(csv_read, "PIECE", size)
        rows, damaged, _ = csv(out, local, data, encoding="gb18030")
        assert (rows, damaged) == ([("1", name)] * 3, {})


@pytest.mark.case(
    "file-7", "a padded header, a last delimiter, other separators: named, with a hint"
)
@pytest.mark.case("people-19", "Chinese names of columns are shown, what they look like is said")
@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("证件号码 ,姓名", "'证件号码 ' (looks like 证件号码 with blanks around it)"),
        ("\u3000证件号码,姓名", "looks like 证件号码 with blanks around it"),
        ("证件号码,姓名,", "column 3 has no name; it looks like a delimiter at the end"),
        ("证件号码,,姓名", "column 2 (without a name)"),
        ("证件号码,姓名,备用", "column 备用 is not in the contract"),
        ("证件号码,姓名,姓名", "column 姓名 stands twice"),
        ("证件号码,姓名,备\x07用\u202e", r"column '备\x07用\u202e' (with blanks around it) is not"),
        ("证件号码,姓名," + "长" * 500, "长…"),
        (f"证件号码,姓名,{PERSON}", "column 3 (name not shown)"),
        ("证件号码,姓名,４１０１０１１９", "column 3 (name not shown)"),
        ("证件号码;姓名", "semicolons instead of commas"),
        ("证件号码\t姓名", "tabs instead of commas"),
        ("证件号码，姓名", "full-width commas instead of commas"),
        (f"{PERSON},吴娜", "has the file a header row?"),
        ("居民名单,\n证件号码,姓名", "the header row looks to be line 2"),
        ("sep=,\n\n证件号码,姓名", "the header row looks to be line 3"),
    ],
)
def test_a_header_that_is_not_the_contracts(
    out: Path, local: Connection, header: str, says: str
) -> None:
    with pytest.raises(SchemaMismatch) as refused:
        csv(out, local, header + "\n1,2\n")
    told = str(refused.value)
    assert says in told
    assert "f.dat" in told
    assert len(told) < 400
    assert not any(secret in told for secret in (PERSON, "吴娜", "４１０", "\x07", "\u202e"))


def workbook() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return made.getvalue()


def archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("a.csv", HEADER)
    return made.getvalue()


TEXT = HEADER + "1,吴娜\n"


@pytest.mark.case("file-7", "a file of another kind is refused by what it looks like")
@pytest.mark.case("file-1", "UTF-16 is refused by its name")
@pytest.mark.parametrize(
    ("data", "encoding", "says"),
    [
        (b"", "utf-8", "the file is empty"),
        (b"\n \n,\n", "utf-8", "blank lines alone"),
        (workbook(), "utf-8", "Excel workbook (.xlsx)"),
        (workbook(), "gb18030", "Excel workbook (.xlsx)"),
        (archive(), "utf-8", "ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1" + bytes(600), "utf-8", "old Excel workbook"),
        (b"\x1f\x8b\x08" + bytes(range(256)), "utf-8", "gzip"),
        (TEXT.encode("utf-16"), "utf-8", "UTF-16"),
        (TEXT.encode("utf-16"), "gb18030", "UTF-16"),
        ("a,b\n1,2\n".encode("utf-16-le"), "utf-8", "UTF-16"),
        (TEXT.encode("gb18030"), "utf-8", "looks like gb18030"),
        (BOM + TEXT.encode(), "gb18030", "is UTF-8"),
        (TEXT.encode(), "gb18030", "looks like utf-8"),
        (b'{"a":1}\n', "utf-8", "looks like JSON"),
        (b"<html><table><tr><td>1", "utf-8", "HTML"),
        (TEXT.replace("\n", "\r").encode(), "utf-8", "CR alone"),
    ],
)
def test_a_file_of_another_kind(
    out: Path, local: Connection, data: bytes, encoding: str, says: str
) -> None:
    with pytest.raises((ProtocolError, SchemaMismatch)) as refused:
        csv(out, local, data, encoding=encoding)
    assert says in str(refused.value)
    assert "吴娜" not in str(refused.value)


@pytest.mark.case("file-6", "two ideographs tell that a small file is UTF-8, not GB 18030")
def test_a_small_file_of_the_other_encoding(out: Path, local: Connection) -> None:
    (out / "f.dat").write_bytes("a,b\n1,吴娜\n".encode())
    options = FilesConnector.source_options.model_validate(
        {"directory": "out", "pattern": "*.dat", "format": {"kind": "csv", "encoding": "gb18030"}}
    )
    request = ReadRequest("a/b", (Column("a", "a"), Column("b", "b")), options)
    with pytest.raises(ProtocolError, match="the file is UTF-8"):
        list(FilesReading(local, request))


@pytest.mark.case("file-7", "what is no JSON Lines, JSON or Parquet is told likewise")
@pytest.mark.parametrize(
    ("layout", "data", "says"),
    [
        ({"kind": "jsonl"}, b'[{"a":1}]', "one JSON list"),
        ({"kind": "jsonl"}, '{"证件号码":"1"}'.encode("utf-16"), "UTF-16"),
        ({"kind": "json", "records": "$"}, '[{"a":1}]'.encode("utf-16"), "UTF-16"),
        ({"kind": "parquet"}, workbook(), "Excel workbook"),
    ],
)
def test_other_formats_of_another_kind(
    out: Path, local: Connection, layout: dict[str, Any], data: bytes, says: str
) -> None:
    (out / "f.dat").write_bytes(data)
    with pytest.raises(ProtocolError, match=says):
        taken(local, layout)


@pytest.mark.case("people-22", "a header row among the rows is rejected as such, or skipped")
@pytest.mark.parametrize("again", [HEADER, "\ufeff" + HEADER, '"证件号码","姓名"\n'])
@pytest.mark.parametrize("spoilt", ["", '3,"open\n'])
def test_a_header_row_again(out: Path, local: Connection, again: str, spoilt: str) -> None:
    text = HEADER + "1,a\n" + again + "2,b\n" + spoilt
    rows, damaged, remarks = csv(out, local, text)
    assert rows[:3] == [("1", "a"), (None, None), ("2", "b")]
    assert damaged[2] == "record.header"
    assert remarks == ()
    rows, damaged, remarks = csv(out, local, text, repeated_header="skip")
    assert rows[:2] == [("1", "a"), ("2", "b")]
    assert "record.header" not in damaged.values()
    assert remarks == ("f.dat: 1 repeated header row(s) skipped",)


def test_line_ends_may_change_within_a_file(out: Path, local: Connection) -> None:
    rows, damaged, _ = csv(out, local, "证件号码,姓名\r\n1,a\n2,b\r\n3,c")
    assert (rows, damaged) == ([("1", "a"), ("2", "b"), ("3", "c")], {})


@pytest.mark.fault("F33", "JSON Lines: a line without end does not fill the memory")
@pytest.mark.parametrize("manifest", [None, {}])
def test_a_line_without_end(
    out: Path, local: Connection, monkeypatch: pytest.MonkeyPatch, manifest: dict[str, Any] | None
) -> None:
    monkeypatch.setattr("connectors.files.jsonl_read.LONGEST_LINE", 1000)
    monkeypatch.setattr("connectors.files.jsonl_read.PIECE", 1000)
    data = b'{"a":"' + b"x" * 3000
    (out / "f.dat").write_bytes(data)
    promise = {"rows": 1, "sha256": hashlib.sha256(data).hexdigest()}
    (out / "f.dat.manifest.json").write_text(json.dumps(promise))
    with pytest.raises(ProtocolError, match="a line is longer than 1000 bytes"):
        list(start(local, {"kind": "jsonl"}, manifest=manifest))


def test_a_copy_of_a_check_is_no_list(out: Path, local: Connection) -> None:
    (out / "f.dat").write_text(HEADER + "1,a\n")
    (out / "f.dat.checked.xlsx").write_bytes(b"PK")
    reading = start(local, {"kind": "csv"}, pattern="f.*")
    assert [r["card"] for c in reading for r in c.batch.to_pylist()] == ["1"]
    (remark,) = reading.remarks
    assert "f.dat.checked.xlsx: an annotated copy of `onecard check`, not read" in remark


def test_tabs_may_separate_cells(out: Path, local: Connection) -> None:
    rows, damaged, remarks = csv(out, local, "证件号码\t姓名\n1\ta\n\t\n", delimiter="\t")
    assert (rows, damaged) == ([("1", "a")], {})
    assert remarks == ("f.dat: 1 blank line(s) skipped",)


ID = "11010519491231002X"
"""Of GB 11643's own example."""


@pytest.mark.case("screen-2", "a file name with an ID number is masked wherever it leaves")
@pytest.mark.parametrize("manifest", [None, {}])
def test_personal_data_in_the_name_of_a_file(
    out: Path, local: Connection, manifest: dict[str, Any] | None, caplog: pytest.LogCaptureFixture
) -> None:
    def put(data: str) -> str:
        file = out / f"卡_{ID}.dat"
        file.write_text(data)
        digest = hashlib.sha256(data.encode()).hexdigest()
        (out / f"{file.name}.manifest.json").write_text(json.dumps({"sha256": digest}))
        return f"卡_[id_number]~{digest[:10]}.dat"

    def read(checkpoint: Any) -> Any:
        return start(local, {"kind": "csv"}, manifest=manifest, checkpoint=checkpoint)

    name = put(HEADER + "1,a\n\n")
    reading = read({})
    assert [c.origin for c in reading] == [name]
    assert set(reading.checkpoint["files"]) == {name}
    assert reading.remarks == (f"{name}: 1 blank line(s) skipped",)
    again = read(reading.checkpoint)
    assert list(again) == [], "known again"
    (digest,) = reading.checkpoint["files"].values()
    earlier = read({"files": {f"卡_{ID}.dat": digest}})
    assert list(earlier) == [], "a checkpoint of earlier, with the name as it is, is known too"
    assert set(earlier.checkpoint["files"]) == {name}
    put(HEADER + "2,b\n")
    assert len(list(read(reading.checkpoint))) == 1, "other content is read"
    put("no header\n")
    with pytest.raises(OnecardError) as refused:
        list(read({}))
    assert ID not in str(refused.value) + caplog.text


@pytest.mark.case("screen-2", "waiting and refused files are masked too")
def test_personal_data_in_the_name_of_a_file_that_is_not_taken(
    out: Path, local: Connection
) -> None:
    (out / f"{ID}.dat").write_text(HEADER)
    reading = start(local, {"kind": "csv"}, manifest={})
    assert list(reading) == []
    assert reading.waiting == ("[id_number].dat",)
    (out / f"{ID}.dat.manifest.json").write_text("no JSON")
    with pytest.raises(ProtocolError) as refused:
        list(start(local, {"kind": "csv"}, manifest={}))
    (out / f"{ID}.dat.manifest.json").write_text('{"sha256": "other"}')
    large = start(local, {"kind": "csv"}, manifest={}, max_bytes=3)
    assert list(large) == []
    told = f"{refused.value} {[r.origin for r in large.refused]}"
    assert ID not in told
    assert "[id_number].dat" in told
