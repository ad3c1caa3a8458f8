"""What files of offices say wrongly of themselves, or make large: never another value, never all memory."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from connectors.files import (
    dbf_read,
    describe,
    fixed_cells,
    sheet_chunks,
    unzip,
    xlsx_texts,
    xlsx_write,
)
from connectors.files.connector import FilesConnector
from connectors.files.read import FilesReading
from connectors.files.sheets import MOST_ROWS
from onecard.base.connections import Connection
from onecard.base.settings import Settings
from onecard.errors import ProtocolError
from onecard.operations.file_check import check_file
from onecard.ports.source import Chunk, Column, ReadRequest
from tests.connectors import type_runs
from tests.connectors.systems import conn
from tests.workbooks import DbfColumn, Number, Raw, SheetMade, dbf, xls, xlsx, zipped

COLUMNS = (Column("k", "k", key=True, type="string"), Column("v", "v", type="string"))
HEADER = ["k", "v"]
EXCEL = {"kind": "excel"}
STYLES, SHEET = "xl/styles.xml", "xl/worksheets/sheet1.xml"
Taken = Callable[..., tuple[list[Any], dict[str, Any]]]


@pytest.fixture
def local(tmp_path: Path) -> Connection:
    (tmp_path / "out").mkdir()
    return conn(conn_type="fs", extra={"path": str(tmp_path)})


def chunks_of(
    local: Connection, data: bytes, layout: dict[str, Any], column: Column = COLUMNS[1]
) -> list[Chunk]:
    """What a file's bytes are read as."""
    (Path(local.extra["path"]) / "out" / "f.dat").write_bytes(data)
    given = {"directory": "out", "pattern": "*.dat", "format": layout}
    options = FilesConnector.source_options.model_validate(given)
    return list(
        FilesReading(local, ReadRequest("a/b", (COLUMNS[0], column), options, batch_rows=9))
    )


@pytest.fixture
def taken(local: Connection) -> Taken:
    """Reads a file's bytes: the values of `v`, and the rules of those that cannot be read."""

    def run(data: bytes, layout: dict[str, Any], column: Column = COLUMNS[1]) -> Any:
        chunks = chunks_of(local, data, layout, column)
        values = [v for c in chunks for v in c.batch.column("v").to_pylist()]
        return values, {r: None for c in chunks for r in c.because.get("v", {}).values()}

    return run


def with_part(data: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """A workbook with something else in one of its parts; without the part where `old` is empty."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        parts = {n: archive.read(n) for n in archive.namelist()}
    if not old:
        del parts[part]
        return zipped(parts)
    assert old in parts[part]
    return zipped({**parts, part: parts[part].replace(old, new, 1)})


def test_formats_of_conditions_and_tables_are_no_cells(taken: Taken) -> None:
    made = xlsx(SheetMade([HEADER, ["1", Number("46027", 1)]]))
    dxfs = b'<dxfs><dxf><numFmt numFmtId="165" formatCode="0.00%"/></dxf></dxfs></styleSheet>'
    data = with_part(made, STYLES, b"</styleSheet>", dxfs)
    assert taken(data, {**EXCEL, "percent": "fraction"}) == (["2026-01-05"], {})


def test_a_workbook_without_its_formats_is_not_whole(taken: Taken) -> None:
    made = xlsx(SheetMade([HEADER, ["1", Number("0.15", 3)]]))
    assert taken(made, EXCEL) == ([None], {"cell.percent": None})
    with pytest.raises(ProtocolError, match="lacks a part that it names"):
        taken(with_part(made, STYLES, b"", b""), EXCEL)


@pytest.mark.parametrize("make", [lambda rows: xlsx(SheetMade(rows)), xls])
@pytest.mark.parametrize(("serial", "reads"), [("0.25", "06:00:00"), ("1.5", None)])
def test_hours_beyond_a_day_are_no_day_of_1900(
    taken: Taken, monkeypatch: pytest.MonkeyPatch, make: Any, serial: str, reads: str | None
) -> None:
    monkeypatch.setattr("tests.workbooks.FORMATS", ("General", "[h]:mm"))
    values, rules = taken(make([HEADER, ["1", Number(serial, 1)]]), EXCEL)
    assert values == [reads]
    assert list(rules) == ([] if reads else ["cell.error"])


@pytest.mark.fault("F33", "formats and formulas that a pattern would look through for hours")
def test_patterns_do_not_look_for_hours(taken: Taken) -> None:
    made = xlsx(SheetMade([HEADER, ["1", "a"]]))
    code = b'<numFmts><numFmt numFmtId="900" formatCode="' + b"[" * 1_000_000 + b'"/></numFmts>'
    with pytest.raises(ProtocolError, match="a format of more than"):
        taken(with_part(made, STYLES, b"<cellXfs>", code + b"<cellXfs>"), EXCEL)
    cell = Raw(f"<f>{'[' * 8192}</f><v>1</v>")
    rows: list[Any] = [HEADER, *([["1", cell]] * 2000)]
    values, rules = taken(xlsx(SheetMade(rows)), EXCEL)
    assert (len(values), list(rules)) == (2000, ["cell.formula"])


@pytest.mark.fault("F33", "one long text that many cells name does not fill the memory")
def test_a_text_that_many_cells_name(
    local: Connection, taken: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet_chunks, "LONGEST_ROWS", 100_000)
    made = xlsx(SheetMade([HEADER, *([["1", "长" * 30_000]] * 9)]))
    for way in ("on", "off"):
        monkeypatch.setenv("ONECARD_NATIVE", way)
        parts = [c.batch.column("v").to_pylist() for c in chunks_of(local, made, EXCEL)]
        assert list(chain.from_iterable(parts)) == ["长" * 30_000] * 9
        assert max(map(len, parts)) <= 4
    with pytest.raises(ProtocolError, match="longer than 65536 characters"):
        taken(xlsx(SheetMade([HEADER, ["1", "x" * 70_000]])), EXCEL)
    monkeypatch.setattr(xlsx_texts, "MOST_TEXTS", 3)
    with pytest.raises(ProtocolError, match="more than 3 texts"):
        taken(xlsx(SheetMade([HEADER, ["1", "a"], ["2", "b"]])), EXCEL)


XML = b'<?xml version="1.0" encoding="GBK"?><d>%s</d>'
IN_GB = {"kind": "xml", "record": "/d/r", "encoding": "gb18030"}


@pytest.mark.fault("F27", "XML that says GBK and is UTF-8 is not read as other characters")
@pytest.mark.parametrize("piece", [1, 5, 1 << 17])
def test_xml_that_declares_another_encoding_than_it_has(
    taken: Taken, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr("connectors.files.xml_read.PIECE", piece)
    row = "<r><k>1</k><v>吴娜，金水区</v></r>"
    assert taken(XML % row.encode("gb18030"), IN_GB)[0] == ["吴娜，金水区"]
    with pytest.raises(ProtocolError, match="the file is UTF-8; the contract declares gb18030"):
        taken(XML % row.encode(), IN_GB)


def test_how_blanks_are_kept_is_no_column(taken: Taken) -> None:
    row = b'<r xml:space="preserve"><k>1</k><v xml:space="preserve"> a </v></r>'
    assert taken(XML % row, IN_GB) == ([" a "], {})


def test_a_table_that_becomes_shorter_while_it_is_read(
    taken: Taken, local: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbf_read, "PIECE", 1)
    place = Path(local.extra["path"]) / "out" / "f.dat"
    whole = fixed_cells.records

    def cut(data: bytes, length: int) -> Any:
        place.write_bytes(b"")
        return whole(data, length)

    monkeypatch.setattr(dbf_read, "records", cut)
    fields = (DbfColumn("k", "C", 4), DbfColumn("v", "C", 60_000 % 256))
    with pytest.raises(ProtocolError, match="became shorter while it was read"):
        taken(dbf(fields, [(b"1", b"a")] * 2_000), {"kind": "dbf"})


@pytest.mark.parametrize("short_lines", ["reject", "pad"])
def test_the_end_mark_of_old_systems_is_no_part_of_a_line(taken: Taken, short_lines: str) -> None:
    columns = [{"name": "k", "width": 2}, {"name": "v", "width": 3}]
    layout = {"kind": "fixed", "columns": columns, "short_lines": short_lines}
    assert taken(b"1 abc\r\n2 xyz\x1a", layout)[0] == ["abc", "xyz"]
    assert taken(b"1 abc\r\n\x1a", layout)[0] == ["abc"]
    if short_lines == "pad":
        assert taken(b"1 abc\n2 a\x1a", layout)[0] == ["abc", "a"]


def test_an_encrypted_table(taken: Taken) -> None:
    plain = dbf((DbfColumn("k", "C", 4), DbfColumn("v", "C", 4)), [(b"1", b"a")])
    assert taken(plain, {"kind": "dbf"})[0] == ["a"]
    with pytest.raises(ProtocolError, match="the table is encrypted"):
        taken(plain[:15] + b"\1" + plain[16:], {"kind": "dbf"})


LIKE_FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|'/c calc'!A0", "\tx"]


@pytest.mark.parametrize("kind", ["xlsx", "xls", "dbf", "xml", "fixed"])
def test_a_text_that_looks_like_a_formula_is_that_text(taken: Taken, kind: str) -> None:
    rows = [[str(n), text] for n, text in enumerate(LIKE_FORMULAS)]
    if kind in ("xlsx", "xls"):
        table = [HEADER, *rows]
        found = taken(xlsx(SheetMade(table)) if kind == "xlsx" else xls(table), EXCEL)
    elif kind == "dbf":
        cells = [[cell.encode() for cell in row] for row in rows]
        found = taken(dbf((DbfColumn("k", "C", 4), DbfColumn("v", "C", 30)), cells), {"kind": kind})
    elif kind == "xml":
        inner = "".join(f"<r><k>{k}</k><v>{v}</v></r>" for k, v in rows)
        found = taken(f"<d>{inner}</d>".encode(), {"kind": kind, "record": "/d/r"})
    else:
        columns = [{"name": "k", "width": 4}, {"name": "v", "width": 30}]
        lines = "".join(f"{k:<4}{v:<30}\n" for k, v in rows)
        found = taken(lines.encode(), {"kind": kind, "columns": columns})
    assert found == (LIKE_FORMULAS, {})


def peak_megabytes() -> float:
    """Of this process since it started."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.fault("F33", "a sheet of all the rows that a sheet has is read in bounded memory")
def test_a_sheet_of_all_rows(taken: Taken, local: Connection) -> None:
    """1,048,576 of them (ECMA-376); the parts of a sheet that stand in memory do not grow."""
    made = BytesIO()
    xlsx_write.workbook(made, "名册", HEADER, ((str(n), "a") for n in range(MOST_ROWS - 1)))
    (Path(local.extra["path"]) / "out" / "f.dat").write_bytes(made.getvalue())
    options = FilesConnector.source_options.model_validate(
        {"directory": "out", "pattern": "*.dat", "format": EXCEL}
    )
    before = peak_megabytes()
    rows = sum(
        chunk.batch.num_rows for chunk in FilesReading(local, ReadRequest("a/b", COLUMNS, options))
    )
    assert rows == MOST_ROWS - 1
    assert peak_megabytes() - before < 100


def test_numbers_of_narrow_fields_have_their_zero(taken: Taken) -> None:
    fields = (DbfColumn("k", "C", 4), DbfColumn("v", "N", 4, 2))
    said = [b" .50", b"-.50", b"  7.", b"7.50", b"****", b"   .", b"1.E2"]
    values, _ = taken(dbf(fields, [(b"1", s) for s in said]), {"kind": "dbf"})
    assert values == ["0.50", "-0.50", "7", "7.50", "****", ".", "1.E2"]


def test_times_that_nobody_entered(taken: Taken) -> None:
    fields = (DbfColumn("k", "C", 4), DbfColumn("v", "T", 8))
    day = struct.pack("<ii", 2461046, 0)
    rows = [(b"1", b" " * 8), (b"2", bytes(8)), (b"3", day)]
    values, _ = taken(dbf(fields, rows, version=0x30), {"kind": "dbf"})
    assert values == [None, None, "2026-01-05"]


def test_the_columns_of_a_packed_file_are_described(local: Connection) -> None:
    (Path(local.extra["path"]) / "out" / "f.zip").write_bytes(zipped({"1.csv": b"k,v\n1,a\n"}))
    packed = {"kind": "zip", "members": "*.csv", "of": {"kind": "csv"}}
    options = {"directory": "out", "pattern": "*.zip", "format": packed}
    source = {"connector": "files", "connection": "made", "options": options}
    found = describe.describe(type_runs.contract("string", source), local)
    assert found is not None
    assert [c.name for c in found.columns] == HEADER


def zip64(data: bytes, length: int) -> bytes:
    """An archive whose end tells its sizes twice, as of large ones; `length` of its directory."""
    end = data.rfind(b"PK\x05\x06")
    count, size, begin = struct.unpack_from("<HLL", data, end + 10)
    large = struct.pack(
        "<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length or size, begin
    )
    return data[:end] + large + struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1) + data[end:]


@pytest.mark.fault(
    "F33", "the directory of an archive is as long as its end says, not its first end"
)
def test_a_large_archive_tells_its_directory_elsewhere(taken: Taken) -> None:
    packed = zipped({"1.csv": b"k,v\n1,a\n"})
    layout = {"kind": "zip", "of": {"kind": "csv"}}
    assert taken(zip64(packed, 0), layout)[0] == ["a"]
    with pytest.raises(ProtocolError, match="directory is larger than"):
        taken(zip64(packed, unzip.DIRECTORY_LIMIT + 1), layout)


@pytest.mark.parametrize("kind", ["csv", "excel", "zip"])
def test_a_file_that_is_refused_does_not_pass_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("ONECARD_HOME", str(tmp_path / "home"))
    csv = {"kind": "csv", "above": 1, "total": {"pattern": "共(\\d+)条"}}
    layouts = {"csv": csv, "excel": {**csv, "kind": "excel"}, "zip": {"kind": "zip", "of": csv}}
    options = {"directory": "out", "pattern": "*.dat", "format": layouts[kind]}
    source = {"connector": "files", "connection": "made", "options": options}
    made = type_runs.contract("string", source)
    file = tmp_path / "f.dat"

    def given(told: str) -> bytes:
        lines = f"{told}\nk,v\n1,a\n".encode()
        book = xlsx(SheetMade([[told], HEADER, ["1", "a"]]))
        return {"csv": lines, "excel": book, "zip": zipped({"1.csv": lines})}[kind]

    file.write_bytes(given("共1条"))
    assert check_file(Settings.load(), made, file, {}).accepted == 1
    for told in ("共2条", "名册"):
        file.write_bytes(given(told))
        with pytest.raises(ProtocolError, match=r"refused as a whole: file\.total"):
            check_file(Settings.load(), made, file, {})
