"""The annotated copy of `onecard check`: each kind of file, the same values, marks where they belong."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from connectors.files.connector import FilesConnector
from connectors.files.read import FilesReading
from connectors.files.sheets import NOTES
from demo.calendar import Day
from onecard.base.settings import Settings
from onecard.cli.app import app
from onecard.collect import drift_policy
from onecard.errors import ConfigError, OnecardError, ProtocolError, UsageError
from onecard.operations import annotated_copy, check_reading, file_check
from onecard.operations.check_reading import GivenFile
from onecard.operations.upload_check import UploadedFile, check_upload
from onecard.ports.source import ReadRequest
from schemas.models.contract import Contract
from tests.connectors.systems import conn
from tests.connectors.type_runs import contract
from tests.workbooks import DbfColumn, Raw, SheetMade, dbf, xls, xlsx, zipped

pytestmark = pytest.mark.filterwarnings("ignore:Workbook contains no default style")
ID = "410101199001011237"
"""18 digits, which a spreadsheet would round."""
ROWS = [(ID, "1.5"), ("=1+1", "abc"), ("3", None), ("4", "12,5"), ("-5", "7")]
"""Keys and numbers; the second and the fourth are wrong."""
WRONG = {"B3", "B5"}
SAID = "不能解析为约定类型；应填：十进制数，如 1234.50"
LINES = "k,v\n" + "".join(f'{k},"{v or ""}"\n' for k, v in ROWS)
WIDTHS = [{"name": "k", "width": 18}, {"name": "v", "width": 6}]


def cells() -> list[tuple[bytes, bytes]]:
    return [(k.encode(), (v or "").encode()) for k, v in ROWS]


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"k": [k for k, _ in ROWS], "v": [v for _, v in ROWS]}), sink)
    return sink.getvalue()


OBJECTS = [{"k": k, "v": v} for k, v in ROWS]
XML_ROWS = "".join(f"<r><k>{k}</k>{f'<v>{v}</v>' if v else '<v/>'}</r>" for k, v in ROWS)
KINDS: dict[str, tuple[dict[str, Any], bytes]] = {
    "csv": ({"kind": "csv"}, LINES.replace('""', "").encode()),
    "jsonl": ({"kind": "jsonl"}, "".join(json.dumps(o) + "\n" for o in OBJECTS).encode()),
    "json": ({"kind": "json", "records": "$"}, json.dumps(OBJECTS).encode()),
    "parquet": ({"kind": "parquet"}, parquet()),
    "xls": ({"kind": "excel"}, xls([["k", "v"], *map(list, ROWS)])),
    "dbf": ({"kind": "dbf"}, dbf([DbfColumn("k", "C", 18), DbfColumn("v", "C", 6)], cells())),
    "xml": ({"kind": "xml", "record": "/d/r"}, f"<d>{XML_ROWS}</d>".encode()),
    "fixed": (
        {"kind": "fixed", "columns": WIDTHS},
        b"".join(k.ljust(18) + v.ljust(6) + b"\n" for k, v in cells()),
    ),
    "zip": (
        {"kind": "zip", "of": {"kind": "csv"}},
        zipped({"1.csv": LINES.replace('""', "").encode()}),
    ),
}


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.setenv("ONECARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ONECARD_NOW", Day(0).night.isoformat())
    return Settings.load()


def made(layout: dict[str, Any], pattern: str = "*.dat") -> Contract:
    options = {"directory": "out", "pattern": pattern, "format": layout}
    return contract("number", {"connector": "files", "connection": "made", "options": options})


def copy_of(
    settings: Settings, folder: Path, layout: dict[str, Any], data: bytes, name: str = "f.dat"
) -> tuple[file_check.FileCheck, annotated_copy.WrittenCopy]:
    file = folder / name
    file.write_bytes(data)
    agreed = made(layout)
    reading = check_reading.to_read(agreed, GivenFile(file, name), {})
    found = file_check.checked(settings, agreed, reading)
    return found, annotated_copy.write_beside(agreed, reading, found)


def comments(sheet: Any) -> dict[str, str]:
    return {c.coordinate: c.comment.text for row in sheet.iter_rows() for c in row if c.comment}


def read_back(file: Path, agreed: Contract) -> list[tuple[str | None, ...]]:
    """The copy as a list that is handed in, by a contract of workbooks that names no sheet."""
    layout = {"directory": ".", "pattern": file.name, "format": {"kind": "excel"}}
    options = FilesConnector.source_options.model_validate(layout)
    home = conn(conn_type="fs", extra={"path": str(file.parent)})
    request = ReadRequest("a/b", drift_policy.columns(agreed), options)
    return [tuple(r.values()) for c in FilesReading(home, request) for r in c.batch.to_pylist()]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_file(settings: Settings, tmp_path: Path, kind: str) -> None:
    layout, data = KINDS[kind]
    found, written = copy_of(settings, tmp_path, layout, data)
    assert (found.read, found.rejected) == (5, 2)
    assert written.path == tmp_path / "f.dat.checked.xlsx"
    assert written.remarks == ()
    assert written.path.stat().st_mode & 0o777 == 0o600
    book = openpyxl.load_workbook(written.path)
    sheet = book.worksheets[0]
    assert [[c.value for c in row] for row in sheet.iter_rows()] == [["k", "v"], *map(list, ROWS)]
    assert {c.data_type for row in sheet.iter_rows() for c in row if c.value} == {"s"}
    assert {str(p.sqref) for p in sheet.conditional_formatting} == {"B3 B5"}
    assert comments(sheet) == dict.fromkeys(WRONG, SAID)
    head, why, *lines = ([c.value for c in row] for row in book[NOTES].iter_rows())
    assert head == ["行号", "单元格", "字段", "列名", "问题", "规则", "应填", "原文件位置"]
    assert "先更正，再排序" in why[0]
    assert [line[:2] for line in lines] == [["3", "B3"], ["5", "B5"]]
    assert lines[0][2:7] == ["v", "v", "不能解析为约定类型", "type", "十进制数，如 1234.50"]
    origin = "f.dat/1.csv" if kind == "zip" else "f.dat"
    assert [line[7] for line in lines] == [f"{origin} 第 2 条", f"{origin} 第 4 条"]
    assert not any("abc" in str(value) for line in lines for value in line)
    handed_in = tmp_path / "mended.xlsx"
    written.path.rename(handed_in)
    assert read_back(handed_in, made(layout)) == ROWS, "the copy is a list that can be handed in"


def test_a_workbook_is_kept_as_it_is(settings: Settings, tmp_path: Path) -> None:
    """Marks stand at the sheet's own rows: a title above, blank rows between, columns turned round."""
    formula = Raw("<f>1+0</f><v>1</v>")
    rows = [["名册"], ["v", "k"], [formula, "1"], ["abc", "2"], [None, None, "x"]]
    data = xlsx(SheetMade(rows, "名册", skip={3: 2}), SheetMade([["说明"]], "说明"))
    layout = {"kind": "excel", "sheet": "名册", "above": 1, "formulas": "cached"}
    found, written = copy_of(settings, tmp_path, layout, data)
    assert (found.read, found.accepted, found.rejected) == (3, 1, 2)
    book = openpyxl.load_workbook(written.path)
    assert book.sheetnames == ["名册", "说明", NOTES]
    assert book["名册"]["A3"].value == "=1+0"
    kept = openpyxl.load_workbook(written.path, data_only=True)["名册"]
    assert kept["A3"].value == 1, "the value that the workbook keeps of it"
    told = comments(book["名册"])
    assert told["A6"] == SAID
    assert set(told) == {"A6", "A7", "B7"}, "a row that is wrong as a whole is marked as a whole"
    assert told["A7"] == "记录的列数不符"
    (*_, last) = ([c.value for c in row] for row in book[NOTES].iter_rows())
    assert last == [
        "7",
        None,
        "整行",
        None,
        "记录的列数不符",
        "record.cells",
        None,
        "f.dat 第 3 条",
    ]


def test_a_workbook_that_cannot_be_changed_is_made_anew(settings: Settings, tmp_path: Path) -> None:
    parts = parts_of(xlsx(SheetMade([["k", "v"], *map(list, ROWS)])))
    listed = "xl/_rels/workbook.xml.rels"
    data = zipped(parts | {listed: parts[listed].replace(b"/styles", b"/other")})
    _, written = copy_of(settings, tmp_path, {"kind": "excel"}, data)
    assert written.remarks == (
        "the workbook cannot be kept (it has no formats): its rows stand in a new one",
    )
    assert read_back(written.path.rename(tmp_path / "x.xlsx"), made({"kind": "csv"})) == ROWS


def parts_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_lines_that_cannot_be_split_and_values_longer_than_a_cell(
    settings: Settings, tmp_path: Path
) -> None:
    data = f"k,v\n1,x\n2\n{'长' * 40_000},1\n".encode()
    found, written = copy_of(settings, tmp_path, {"kind": "csv"}, data)
    assert found.rejected == 2
    assert written.remarks == ("1 value(s) longer than a cell: their beginnings are kept",)
    sheet = openpyxl.load_workbook(written.path).worksheets[0]
    assert set(comments(sheet)) == {"B2", "A3", "B3"}
    assert sheet["A4"].value == "长" * 32_767


def test_members_of_an_archive_stand_behind_one_another(settings: Settings, tmp_path: Path) -> None:
    data = zipped({"1.csv": b"k,v\n1,1\n2,x\n", "2.csv": b"k,v\n3,y\n4,2\n"})
    found, written = copy_of(settings, tmp_path, KINDS["zip"][0], data)
    assert [(r["file"], r["row"]) for r in found.rows] == [("f.dat/1.csv", 2), ("f.dat/2.csv", 1)]
    book = openpyxl.load_workbook(written.path)
    assert set(comments(book.worksheets[0])) == {"B3", "B4"}
    assert [row[7].value for row in book[NOTES].iter_rows(min_row=3)] == [
        "f.dat/1.csv 第 2 条",
        "f.dat/2.csv 第 1 条",
    ]


def test_reasons_are_bounded_and_the_others_counted(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_check, "MOST_REASONS", 3)
    data = ("k,v\n" + "1,x\n" * 9).encode()
    found, written = copy_of(settings, tmp_path, {"kind": "csv"}, data)
    assert (found.rejected, len(found.rows), found.more) == (9, 3, 6)
    assert found.as_json()["more"] == 6
    lines = [row[0].value for row in openpyxl.load_workbook(written.path)[NOTES].iter_rows()]
    assert lines[2:] == ["另有 6 个问题未列出。", "2", "3", "4"]


def test_more_rows_than_a_sheet_has(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotated_copy, "MOST_ROWS", 5)
    with pytest.raises(UsageError, match="more rows than a sheet has"):
        copy_of(settings, tmp_path, *KINDS["csv"])
    assert not list(tmp_path.glob("*.checked.xlsx"))
    assert not list(tmp_path.glob(".*.part"))


def test_a_file_that_changes_meanwhile_gets_no_copy(settings: Settings, tmp_path: Path) -> None:
    file, agreed = tmp_path / "f.dat", made({"kind": "csv"})
    file.write_bytes(KINDS["csv"][1])
    reading = check_reading.to_read(agreed, GivenFile(file, file.name), {})
    found = file_check.checked(settings, agreed, reading)
    file.write_bytes(KINDS["csv"][1] + b"6,x\n")
    with pytest.raises(ProtocolError, match="changed while it was checked"):
        annotated_copy.write_beside(agreed, reading, found)
    assert [p.name for p in tmp_path.iterdir() if p.name != "home"] == ["f.dat"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Settings) -> Callable[..., Any]:
    agreed = made({"kind": "csv"})
    known = SimpleNamespace(settings=settings, catalogue=SimpleNamespace(contract=lambda _: agreed))
    monkeypatch.setattr("onecard.cli.check.Hub", lambda: known)
    return lambda *words: CliRunner().invoke(app, ["check", "hrss/made", *map(str, words)])


def test_the_option_decides(run: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "名册.csv"
    file.write_bytes(KINDS["csv"][1])
    copy = tmp_path / "名册.csv.checked.xlsx"
    plain = run(file)
    assert plain.exit_code == 1
    assert not copy.exists()
    done = run(file, "--copy")
    assert done.exit_code == 1
    assert "annotated copy, for the file's office alone: " in done.output
    assert {p.name for p in tmp_path.iterdir()} - {"home"} == {file.name, copy.name}
    told = json.loads(run(file, "--copy", "--json").stdout)
    assert (told["copy"], told["copy_remarks"]) == (str(copy), [])
    assert not any(value in done.output + json.dumps(told) for value in (ID, "abc", "12,5"))
    copy.unlink()
    file.write_text("k,v\n1,2\n")
    good = run(file, "--copy")
    assert (good.exit_code, copy.exists()) == (0, False)


def test_a_copy_that_cannot_be_written_costs_no_report(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        msg = "no room"
        raise ConfigError(msg)

    file = tmp_path / "a.csv"
    file.write_bytes(KINDS["csv"][1])
    monkeypatch.setattr(annotated_copy, "write_beside", full)
    done = run(file, "--copy")
    assert done.exit_code == 1
    assert "rejected 2" in done.output
    assert "no room" in done.output


def test_a_link_is_checked_as_the_file_that_it_leads_to(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_bytes(KINDS["csv"][1])
    (tmp_path / "b.csv").symlink_to(tmp_path / "a.csv")
    assert json.loads(run(tmp_path / "b.csv", "--json").stdout)["read"] == 5


def test_a_file_that_may_not_be_read(run: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(KINDS["csv"][1])
    file.chmod(0)
    if os.geteuid():
        done = run(file)
        assert (done.exit_code, "cannot be read (PermissionError)" in done.output) == (1, True)


@pytest.mark.parametrize("kind", [*KINDS, "xlsx"])
def test_a_stream_gives_report_and_copy_and_nothing_stays(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    book = ({"kind": "excel"}, xlsx(SheetMade([["k", "v"], *map(list, ROWS)])))
    layout, data = {**KINDS, "xlsx": book}[kind]
    target = io.BytesIO()
    upload = UploadedFile("../../f.dat", io.BytesIO(data))
    found = check_upload(settings, made(layout, "*f.dat"), upload, target)
    assert (found.read, found.rejected) == (5, 2)
    sheet = openpyxl.load_workbook(io.BytesIO(target.getvalue())).worksheets[0]
    assert set(comments(sheet)) == WRONG
    assert list(tmp_path.iterdir()) == []
    nothing = io.BytesIO()
    good = UploadedFile("a.csv", io.BytesIO(b"k,v\n1,2\n"))
    assert check_upload(settings, made({"kind": "csv"}), good, nothing).rejected == 0
    assert nothing.getvalue() == b""


def test_a_stream_has_bounds(settings: Settings) -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return b"1,1\n" * (size // 4)

    def checked(stream: Any, layout: dict[str, Any], most: int) -> None:
        check_upload(settings, made(layout), UploadedFile("f.dat", stream, most), None)

    with pytest.raises(UsageError, match="more than 5000000 bytes"):
        checked(Endless(), {"kind": "csv"}, 5_000_000)
    bomb = io.BytesIO(zipped({"1.csv": b"k,v\n" + b"1,1\n" * 1_000_000}))
    with pytest.raises(ProtocolError, match="unpacks to more than 100000 bytes"):
        checked(bomb, KINDS["zip"][0], 100_000)
    with pytest.raises(OnecardError, match=r"\.exe"):
        check_upload(settings, contract("number"), UploadedFile("f.exe", io.BytesIO(b"x")), None)
