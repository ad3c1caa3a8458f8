"""Samples of real systems of every kind: names, types, keys and comments as they declare them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine

from connectors.files import sample
from connectors.inspect.sample import listed, sampled
from connectors.sql.sample import LONGEST
from connectors.sql.url import engine_url
from onecard.base.connections import Connection
from onecard.errors import ConfigError, OnecardError, ProtocolError, SchemaMismatch, UsageError
from onecard.model.discovered import SAMPLE_ROWS
from tests.connectors.systems import COLUMNS, FIXED, System, conn, rows, texts
from tests.connectors.test_compliance import VARIANTS, opened
from tests.workbooks import DbfColumn, Number, SheetMade, dbf, xlsx, zipped

SIZED = {"params": {"size": "10"}}
TYPED = ("postgres", "kingbase", "opengauss", "mariadb", "tidb")


SAMPLED_VARIANTS = tuple(v for v in VARIANTS if v.partition("-")[0] not in ("push", "soap"))
"""Nothing tells of a web service but its WSDL, and nothing lies in a spool before its contract."""


@pytest.fixture(params=SAMPLED_VARIANTS)
def named(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: str
) -> Iterator[tuple[str, System]]:
    with opened(request.param, tmp_path, postgres) as found:
        yield request.param, found


def asked(variant: str, system: System) -> tuple[str, dict[str, Any]]:
    """Target and options, as far as the source does not tell them itself."""
    if system.kind == "sql":
        return str(system.options["table"]), {}
    if system.kind == "rest":
        return "/rows", {k: system.options[k] for k in ("auth", "paginator")}
    return "out", {"format": FIXED} if variant == "fixed" else {}


def test_a_sample_has_names_and_texts(named: tuple[str, System]) -> None:
    variant, system = named
    system.fill(rows(60))
    if variant == "rest-keyset":
        system.fill(rows(10))
    found = sampled(system.connection, *asked(variant, system))
    assert tuple(c.source.name for c in found.columns) == COLUMNS
    assert found.connector == system.kind
    plain = {r["key"]: texts(r) for r in rows(60)}
    names = [c.source.name for c in found.columns]
    assert len(found.rows) == (10 if system.kind == "rest" else 60)
    for row in found.rows:
        said = dict(zip(names, row, strict=True))
        wanted = plain[str(said["key"])]
        assert said["name"] == wanted["name"]
        assert str(said["born"])[:10] == wanted["born"]
        assert int(str(said["number"])) == int(str(wanted["number"]))
    assert "k00001" not in repr(found)
    families = {c.source.name: c.source.family for c in found.columns}
    if variant in TYPED:
        assert families == {
            "key": "text",
            "name": "text",
            "amount": "number",
            "born": "date",
            "at": "timestamp",
            "number": "integer",
        }


BOUNDED = ("postgres", "mariadb", "sqlite", "csv", "jsonl", "parquet", "excel", "xml", "fixed")
"""A page is as large as its API makes it."""


@pytest.mark.parametrize("variant", BOUNDED)
def test_a_sample_is_bounded(variant: str, tmp_path: Path, postgres: str) -> None:
    with opened(variant, tmp_path, postgres) as system:
        system.fill(rows(SAMPLE_ROWS + 5))
        found = sampled(system.connection, *asked(variant, system))
        assert len(found.rows) == SAMPLE_ROWS
        assert not found.whole


@contextmanager
def table(variant: str, folder: Path, postgres: str) -> Iterator[tuple[Connection, str]]:
    """A table with a primary key, a unique one, an index and comments, which goes with the test."""
    with opened(variant, folder, postgres) as system:
        engine = create_engine(engine_url(system.connection))
        name = f"d_{os.urandom(5).hex()}"
        columns = (
            "id BIGINT NOT NULL, code VARCHAR(9) NOT NULL, at TIMESTAMP NULL, note VARCHAR(50)"
        )
        mysql = engine.dialect.name == "mysql"
        if mysql:
            columns = columns.replace("9) NOT NULL", "9) NOT NULL COMMENT '社保卡号'")
        more = ["PRIMARY KEY (id)", "UNIQUE (code)"]
        end = " COMMENT '人员名册'" if mysql else ""
        with engine.begin() as database:
            database.exec_driver_sql(f"CREATE TABLE {name} ({columns}, {', '.join(more)}){end}")
            database.exec_driver_sql(f"CREATE INDEX {name}_at ON {name} (at)")
            database.exec_driver_sql(f"INSERT INTO {name} (id, code) VALUES (1, 'A'), (2, 'B')")
            if engine.dialect.name == "postgresql":
                database.exec_driver_sql(f"COMMENT ON TABLE {name} IS '人员名册'")
                database.exec_driver_sql(f"COMMENT ON COLUMN {name}.code IS '社保卡号'")
        try:
            yield system.connection, name
        finally:
            with engine.begin() as database:
                database.exec_driver_sql(f"DROP TABLE {name}")
            engine.dispose()


@pytest.mark.parametrize("variant", [*TYPED, "sqlite"])
def test_a_table_tells_keys_indexes_and_comments(
    variant: str, tmp_path: Path, postgres: str
) -> None:
    with table(variant, tmp_path, postgres) as (connection, name):
        found = sampled(connection, name, {})
        assert found.remarks == () or variant == "sqlite", found.remarks
        assert found.keys[0] == ("id",)
        assert ("code",) in found.keys
        assert {c.source.name for c in found.columns if c.indexed} == {"id", "code", "at"}
        titles = {c.source.name: c.title for c in found.columns}
        if variant != "sqlite":
            assert found.title == "人员名册"
            assert titles == {"id": "", "code": "社保卡号", "at": "", "note": ""}
        nullable = {c.source.name: c.source.nullable for c in found.columns}
        assert (nullable["code"], nullable["note"]) == (False, True)
        shown = {t.name.rpartition(".")[2]: t for t in listed(connection, "")}
        assert (shown[name].kind, shown[name].rows) == ("table", 2)


@pytest.mark.parametrize("variant", [*TYPED, "sqlite"])
def test_a_table_that_is_not_there_is_named(variant: str, tmp_path: Path, postgres: str) -> None:
    with table(variant, tmp_path, postgres) as (connection, name):
        with pytest.raises(UsageError, match="no table or view 'nowhere'"):
            sampled(connection, "nowhere", {})
        with pytest.raises(UsageError, match="timezone cannot be"):
            sampled(connection, name, {"timezone": "Mars"})


@pytest.mark.parametrize("variant", ["postgres", "mariadb", "sqlite"])
def test_nothing_can_be_changed_by_looking(variant: str, tmp_path: Path, postgres: str) -> None:
    """The session itself refuses to write."""
    from connectors.sql import dialects
    from connectors.sql.sample import _reading

    with (
        table(variant, tmp_path, postgres) as (connection, name),
        pytest.raises(OnecardError),
        _reading(connection, dialects.of(connection), "a write") as database,
    ):
        database.exec_driver_sql(f"DELETE FROM {name}")


def test_odd_values_of_a_database_break_no_sample(tmp_path: Path, postgres: str) -> None:
    with opened("postgres", tmp_path, postgres) as system:
        engine = create_engine(engine_url(system.connection))
        name = f"d_{os.urandom(5).hex()}"
        with engine.begin() as database:
            database.exec_driver_sql(
                f"CREATE TABLE {name} (d date, t timestamptz, j json, f real, n text)"
            )
            database.exec_driver_sql(
                f"INSERT INTO {name} VALUES ('infinity', '0044-03-15 BC', '{{}}', 'NaN',"
                " repeat('n', 100000))"
            )
        try:
            found = sampled(system.connection, name, {})
        finally:
            with engine.begin() as database:
                database.exec_driver_sql(f"DROP TABLE {name}")
            engine.dispose()
        assert len(found.rows) == 1
        assert found.rows[0][2:] == (None, None, "n" * LONGEST), "no more than is looked at"
        refused = [
            c.source.name
            for c in found.columns
            if c.source.accepts and not c.source.accepts.accepts
        ]
        assert refused == ["j", "f"]


HEADER = ["流水", "证件号码", "金额"]
LINES = [["A1", "1", "1,234.50"], ["A2", "2", "800.00"], ["A3", "3", "7.00"]]
TITLED = [["民政救助金发放名册"], ["2026年11月 共3条"], HEADER, *LINES]


def text(lines: list[list[str]], mark: str = ",") -> bytes:
    quoted = [[f'"{c}"' if mark in c else c for c in line] for line in lines]
    return "".join(mark.join(line) + "\r\n" for line in quoted).encode("gb18030")


def sheet(lines: list[list[str]]) -> bytes:
    cells = [[Number(c) if c.isdigit() else c for c in line] for line in lines]
    return xlsx(SheetMade(cells, "名册"))


XML = (
    '<?xml version="1.0" encoding="GBK"?><m:data xmlns:m="urn:mz"><m:head><m:n>3</m:n></m:head><m:rows>'
    + "".join(f'<m:row no="{a}"><m:base><m:XM>{b}</m:XM></m:base></m:row>' for a, b, _ in LINES)
    + "</m:rows></m:data>"
)
FILES: dict[str, tuple[bytes, dict[str, Any], list[str]]] = {
    "202611.csv": (
        text(TITLED),
        {
            "kind": "csv",
            "encoding": "gb18030",
            "above": 2,
            "total": {"pattern": r"共\s*([0-9,]+)\s*条"},
        },
        HEADER,
    ),
    "tabs_20261101.txt": (
        text([HEADER, *LINES], "\t"),
        {"kind": "csv", "encoding": "gb18030", "delimiter": "\t"},
        HEADER,
    ),
    "book.xlsx": (
        sheet(TITLED),
        {"kind": "excel", "above": 2, "total": {"pattern": r"共\s*([0-9,]+)\s*条"}},
        HEADER,
    ),
    "list.xml": (
        XML.encode("gbk"),
        {
            "kind": "xml",
            "record": "/n1:data/n1:rows/n1:row",
            "encoding": "gb18030",
            "namespaces": {"n1": "urn:mz"},
        },
        ["@no", "n1:base/n1:XM"],
    ),
    "page.json": (
        b'{"code": "00", "data": {"rows": [{"a": 1, "b": [1]}, {"a": 2}]}}',
        {"kind": "json", "records": "data.rows"},
        ["a"],
    ),
    "list.json": (b'[{"a": 1}, {"a": 2}]', {"kind": "json", "records": "$"}, ["a"]),
    "lines.json": (b'{"a": 1}\n{"a": 2}\n', {"kind": "jsonl"}, ["a"]),
    "T.DBF": (
        dbf([DbfColumn("XM", "C", 10), DbfColumn("RQ", "D", 8)], [[b"a", b"20260105"]]),
        {"kind": "dbf", "encoding": "gb18030"},
        ["XM", "RQ"],
    ),
    "all.zip": (
        zipped({"a.csv": text([HEADER, *LINES])}),
        {"kind": "zip", "members": "*.csv", "of": {"kind": "csv", "encoding": "gb18030"}},
        HEADER,
    ),
}


def folder(home: Path, name: str, data: bytes) -> Connection:
    (home / name).write_bytes(data)
    return conn(conn_type="fs", extra={"path": str(home)})


@pytest.mark.parametrize("name", FILES)
def test_a_file_tells_what_it_is(tmp_path: Path, name: str) -> None:
    data, layout, header = FILES[name]
    found = sampled(folder(tmp_path, name, data), name, {})
    assert found.options["format"] == layout
    assert [c.source.name for c in found.columns] == header
    assert len(found.rows) == {"T.DBF": 1}.get(name, 2 if "json" in name else 3)


def test_a_folder_tells_its_files_and_how_they_are_handed_over(tmp_path: Path) -> None:
    data = FILES["202611.csv"][0]
    for name in ("202610.csv", "202611.csv"):
        connection = folder(tmp_path, name, data)
        (tmp_path / name).with_suffix(".ok").touch()
    found = sampled(connection, "", {})
    assert (found.origin, found.options["pattern"]) == ("202611.csv", "*.csv")
    assert found.options["manifest"] == {"suffix": ".ok", "content": "none", "instead": True}
    assert [(t.name, t.rows) for t in listed(connection, "")] == [
        *(("202610.csv", 3), ("202610.ok", None)),
        *(("202611.csv", 3), ("202611.ok", None)),
    ]


def test_a_list_fetches_no_more_than_so_many_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = FILES["202611.csv"][0]
    for name in ("1.csv", "2.csv", "3.csv"):
        connection = folder(tmp_path, name, data)
    (tmp_path / "4.csv").write_bytes(data[:-1])
    monkeypatch.setattr(sample, "COUNTED_IN_ALL", 3 * len(data) - 1)
    assert [t.rows for t in listed(connection, "")] == [3, 3, None, 3]


def test_a_copy_that_a_check_has_written_is_no_list_of_the_office(tmp_path: Path) -> None:
    connection = folder(tmp_path, "list.csv", FILES["202611.csv"][0])
    (tmp_path / "list.csv.checked.xlsx").write_bytes(xlsx(SheetMade([["x"], ["1"]])))
    found = sampled(connection, "", {})
    assert (found.origin, found.options["pattern"]) == ("list.csv", "list.csv")
    assert [(t.name, t.rows) for t in listed(connection, "")][1:] == [
        ("list.csv.checked.xlsx", None)
    ]


def test_names_of_files_and_their_keys_show_nobodys_number(tmp_path: Path) -> None:
    number = "11010519491231002X"
    name = f"list_{number}_13800138000_new.jsonl"
    data = json.dumps({"a": "1", number: {"b": "1"}}).encode() + b"\n"
    found = sampled(folder(tmp_path, name, data), name, {})
    assert found.name == "list_new"
    assert [c.source.name for c in found.columns] == ["a"]
    said = f"{found!r}{found.options}{found.remarks}"
    assert number not in said
    assert "13800138000" not in said


def test_parquet_says_its_types_and_what_of_it_cannot_be_taken(tmp_path: Path) -> None:
    made = pa.table({"k": ["a"], "f": [1.5], "t": [pa.scalar(0, pa.timestamp("us"))]})
    pq.write_table(made, tmp_path / "x.parquet")
    found = sampled(conn(conn_type="fs", extra={"path": str(tmp_path)}), "x.parquet", {})
    assert found.options["format"] == {"kind": "parquet", "timezone": "Asia/Shanghai"}
    assert [c.source.family for c in found.columns] == ["text", "other", "timestamp"]
    assert found.rows[0][:2] == ("a", None)


@pytest.mark.parametrize(
    ("name", "data", "error", "words"),
    [
        ("a.csv", b"", ProtocolError, "no header row"),
        ("a.csv", b"nothing separates these\nand these\n", UsageError, "kind: fixed"),
        ("a.pdf", b"%PDF-1.4", ProtocolError, "it looks like a PDF"),
        ("a.xml", b"<?xml version='1.0'?><!DOCTYPE a><a/>", ProtocolError, "document type"),
        ("a.xml", b"<?xml version='1.0'?><a><b>1</b></a>", ProtocolError, "no element"),
        ("a.json", b'{"a": 1}', ProtocolError, "no list of records"),
        ("a.zip", b"PK\x03\x04broken", ProtocolError, "a.zip"),
        ("a.dbf", b"\x03", ProtocolError, "no DBF table"),
        ("a.csv", b"410102194503122030,x\n410102194503122030,y\n", SchemaMismatch, "may be a row"),
    ],
)
def test_what_cannot_be_taken_is_named(
    tmp_path: Path, name: str, data: bytes, error: type[OnecardError], words: str
) -> None:
    with pytest.raises(error, match=words) as said:
        sampled(folder(tmp_path, name, data), name, {})
    assert "410102194503122030" not in str(said.value)


def test_options_that_are_none_are_named(tmp_path: Path) -> None:
    connection = folder(tmp_path, "a.csv", FILES["202611.csv"][0])
    with pytest.raises(UsageError, match="options of a file"):
        sampled(connection, "a.csv", {"format": {"kind": "csv", "colour": "red"}})
    with pytest.raises(UsageError, match=r"no file 'b\.csv'"):
        sampled(connection, "b.csv", {})
    with pytest.raises(ConfigError, match="does not say what it holds"):
        listed(conn(conn_type="http", host="127.0.0.1", port=9), "")
    with pytest.raises(ConfigError, match="unknown type of connection"):
        sampled(conn(conn_type="carrier_pigeon"), "x", {})


def test_names_of_an_api_that_may_be_values_are_not_shown(tmp_path: Path, postgres: str) -> None:
    number = "410102194503122030"
    with opened("rest-keyset", tmp_path, postgres) as system:
        row = {"a": "1", number: "x", "deep": {}, f"{number[:-1]}1": {"b": "1"}}
        reply = {
            "people": {number: [{"a": "1"}]},
            "list": [row],
            number: {"next": "a", "total": "1", "code": "0"},
        }
        system.server.raw = json.dumps(reply).encode()  # type: ignore[attr-defined]
        found = sampled(system.connection, "/rows", {"auth": {"kind": "bearer"}, **SIZED})
        assert found.options["records"] == "list"
        assert [c.source.name for c in found.columns] == ["a"]
        assert any("2 name(s) that may be values" in remark for remark in found.remarks)
        assert any("deep: lists or objects" in remark for remark in found.remarks)
        assert number[:-1] not in f"{found!r}{found.options}{found.remarks}"


def test_an_api_tells_where_its_rows_stand(tmp_path: Path, postgres: str) -> None:
    with opened("rest-numbered", tmp_path, postgres) as system:
        system.fill(rows(25))
        auth = {"auth": {"kind": "bearer"}, **SIZED}
        found = sampled(system.connection, "rows", auth)
        assert (found.origin, found.options["records"]) == ("/rows", "list")
        assert found.options["paginator"]["kind"] == "keyset"
        assert found.options["paginator"]["next"] == "next"
        assert any("paginator" in remark for remark in found.remarks)
