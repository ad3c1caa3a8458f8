"""The files connector on local folders and on a real SFTP server."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple

import asyncssh
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.files import csv_arrow, csv_careful, csv_header, csv_read
from connectors.files.connector import FilesConnector
from connectors.files.options import CsvSource
from connectors.files.skipped import Skipped
from onecard.base.connections import Connection
from onecard.errors import (
    ConfigError,
    ProtocolError,
    SchemaMismatch,
    SourceUnavailable,
    StorageError,
)
from onecard.ports.sink import Parcel
from onecard.ports.source import Chunk, Column, Reading, ReadRequest, Refusal
from tests.connectors.systems import conn, free, marked, sftp
from tests.waiting import until

COLUMNS = (Column("x", "X"), Column("y", "Y"))
CSV: dict[str, Any] = {"kind": "csv"}


def start(system: Connection, layout: dict[str, Any], **more: Any) -> Reading:
    """A reading of `out/*.dat`."""
    request = {k: more.pop(k) for k in ("checkpoint", "batch_rows") if k in more}
    given_ = {"directory": "out", "pattern": "*.dat", "format": layout, **more}
    options = FilesConnector.source_options.model_validate(given_)
    return FilesConnector().read(system, ReadRequest("a/b", COLUMNS, options, **request))


def rows(chunks: list[Chunk]) -> list[Any]:
    return [tuple(r.values()) for c in chunks for r in c.batch.to_pylist()]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def local(out: Path) -> Connection:
    return conn(conn_type="fs", extra={"path": str(out.parent)})


def note(file: Path, **promise: Any) -> None:
    found = {"rows": 1, "sha256": sha(file.read_bytes()), **promise}
    Path(f"{file}.manifest.json").write_text(json.dumps(found))


def read_csv(out: Path, local: Connection, data: bytes, **layout: Any) -> tuple[list[Any], Any]:
    (out / "f.dat").write_bytes(data)
    chunks = list(start(local, {**CSV, **layout}))
    damaged = {c.first_row + i: rule for c in chunks for i, rule in c.damaged.items()}
    return rows(chunks), damaged


@pytest.mark.fault("F26", "U+2028 and NEL are data, in both encodings")
@pytest.mark.fault("F27", "a rare character arrives in GB18030")
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_csv_of_both_encodings_and_line_ends(
    out: Path, local: Connection, encoding: str, end: str, last: bool
) -> None:
    lines = ["X,Y", "𠮷野,1", ',""', '"a,""b""",\u2028\x85']
    text = end.join(lines) + (end if last else "")
    found, damaged = read_csv(out, local, text.encode(encoding), encoding=encoding)
    assert found == [("𠮷野", "1"), (None, ""), ('a,"b"', "\u2028\x85")]
    assert damaged == {}


@pytest.mark.fault("F26", "a BOM is no part of the first column's name")
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_bom_is_no_data(out: Path, local: Connection, encoding: str) -> None:
    data = "\ufeffX,Y\n1,2\n".encode(encoding)
    assert read_csv(out, local, data, encoding=encoding) == ([("1", "2")], {})


def test_delimiter_and_order_of_columns(out: Path, local: Connection) -> None:
    found, _ = read_csv(
        out, local, "Y|X\n乗|丨\n".encode("gb18030"), encoding="gb18030", delimiter="|"
    )
    assert found == [("丨", "乗")]


@pytest.mark.fault("F25", "a broken record damages no other")
@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (b"1", "record.cells"),
        (b"1,2,3", "record.cells"),
        (b'"1,2', "record.cells"),
        (b'1,"2', "record.cells"),
        (b'"1"2,3', "record.cells"),
        (b"\xff\xff,2", "record.encoding"),
        (b'"\xff\xff,2', "record.encoding"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_damaged_record_damages_no_other(
    out: Path, local: Connection, bad: bytes, rule: str, encoding: str
) -> None:
    good = "张,1\r\n".encode(encoding)
    found, damaged = read_csv(
        out, local, b"X,Y\r\n" + good + bad + b"\r\n" + good * 3, encoding=encoding
    )
    assert found == [("张", "1"), (None, None), *[("张", "1")] * 3]
    assert damaged == {2: rule}


@pytest.mark.fault("F25", "an open quote takes in no rows up to the next one")
def test_an_open_quote_does_not_take_in_rows_up_to_another(out: Path, local: Connection) -> None:
    body = b'1,"open\n' + b"2,b\n" * 50 + b'3,"closed"\n'
    found, damaged = read_csv(out, local, b"X,Y\n" + body)
    assert len(found) == 52
    assert damaged == {1: "record.cells"}
    assert found[-1] == ("3", "closed")


def test_a_quoted_cell_may_hold_a_line_break(out: Path, local: Connection) -> None:
    found, damaged = read_csv(out, local, b'X,Y\r\n1,"a\r\nb"\r\n2,c\r\n')
    assert (found, damaged) == ([("1", "a\r\nb"), ("2", "c")], {})


def test_a_lone_carriage_return_is_data(out: Path, local: Connection) -> None:
    assert read_csv(out, local, b"X,Y\n1,a\rb\n") == ([("1", "a\rb")], {})


@pytest.mark.parametrize("data", [b"X,Y", b"X,Y\n", b"X,Y\r\n"])
def test_a_header_alone_is_no_rows(out: Path, local: Connection, data: bytes) -> None:
    assert read_csv(out, local, data) == ([], {})


PIECES = [*'a",\n\r ', "\r\n", "𠮷", "1,2\n", '"p","q"\n', ",\n", " \t,\r\n", "X,Y\n", '"X",Y\r\n']


@pytest.mark.case("file-2", "fast or careful, the same lines are blank")
@pytest.mark.case("people-22", "fast or careful, the same lines are header rows again")
@settings(deadline=timedelta(seconds=5))
@given(
    st.lists(st.sampled_from(PIECES), max_size=14),
    st.sampled_from([1, 3, 8, 1000]),
    st.sampled_from(["reject", "skip"]),
    st.sampled_from(["utf-8", "gb18030"]),
    st.sampled_from([b"", b"", b"\xff", b"\x81", b"\x810\x810", b"\xfeQ", b"\xe5\xbc"]),
    st.integers(0, 40),
)
def test_every_way_of_reading_gives_the_same_rows(
    pieces: list[str],
    size: int,
    repeated: Literal["reject", "skip"],
    encoding: Literal["utf-8", "gb18030"],
    spoilt: bytes,
    place: int,
) -> None:
    """Record by record, by Arrow or by the scanner, at once or in pieces cut anywhere."""
    header = ["X", "Y"]
    options = CsvSource(kind="csv", repeated_header=repeated, encoding=encoding)
    data = "".join(pieces).encode(encoding)
    data = data[:place] + spoilt + data[place:]
    counted, quick = Skipped(), Skipped()
    (batch, damaged), tail = csv_careful.careful(data, header, options, counted, final=True)
    if not data:
        counted = Skipped()
    wanted = [(*r.values(), damaged.get(n, "")) for n, r in enumerate(batch.to_pylist()) if data]
    assert tail == b""
    fast = csv_arrow.fast(data, header, options, quick) if data else None
    if fast is not None:
        parts = [csv_arrow.sifted(b, header, options, quick) for b in fast.to_batches()]
        assert rows_of(parts) == wanted
        assert quick == counted
    for native in ("on", "off"):
        cut = Skipped()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ONECARD_NATIVE", native)
            patch.setattr(csv_read, "PIECE", size)
            patch.setattr(csv_read, "ODD_LINES", 1 + size % 7 + csv_careful.LONGEST)
            records = csv_read._Records(header, options, cut)
            parts = list(csv_read._parts(io.BytesIO(data), "f", records))
        assert rows_of(parts) == wanted
        assert cut == counted


def rows_of(parts: Iterable[tuple[pa.RecordBatch, Mapping[int, str]]]) -> list[Any]:
    """The cells of each row, and the rule that it breaks."""
    return [
        (*row.values(), spoilt.get(place, ""))
        for batch, spoilt in parts
        for place, row in enumerate(batch.to_pylist())
    ]


@pytest.mark.fault("F27", "UTF-8 that is declared GB18030 is refused")
def test_utf8_that_is_declared_gb18030_is_found(out: Path, local: Connection) -> None:
    data = "X,Y\n郑州市居民,一卡通服务\n".encode()
    with pytest.raises(ProtocolError, match="is UTF-8"):
        read_csv(out, local, data, encoding="gb18030")
    assert read_csv(out, local, data)[0] == [("郑州市居民", "一卡通服务")]


@pytest.mark.fault("F33", "a line without end is refused by its bytes")
def test_an_endless_line_is_refused(
    out: Path, local: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_read, "PIECE", 100)
    monkeypatch.setattr(csv_header, "LONGEST_LINE", 1000)
    with pytest.raises(ProtocolError, match="longer than 1000 bytes"):
        read_csv(out, local, b"X,Y\n" + b"a" * 5000)


def test_damage_is_told_at_its_own_row_in_every_piece(
    out: Path, local: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_read, "PIECE", 64)
    body = "".join(f"{i},b\n" if i % 10 else f"{i}\n" for i in range(100))
    (out / "f.dat").write_text("X,Y\n" + body)
    chunks = list(start(local, CSV, batch_rows=7))
    assert [c.first_row for c in chunks] == list(range(1, 101, 7))
    damaged = {c.first_row + i for c in chunks for i in c.damaged}
    assert damaged == {i + 1 for i in range(0, 100, 10)}


@pytest.mark.fault("F32", "unknown, missing and repeated columns are refused by name")
@pytest.mark.parametrize(
    ("header", "says"),
    [("X,Y,Z", "Z"), ("X", "Y"), ("X,Y,Y", "twice"), ("4101,张三", "no column of the contract")],
)
def test_wrong_columns_are_refused(out: Path, local: Connection, header: str, says: str) -> None:
    with pytest.raises(SchemaMismatch, match=says) as error:
        read_csv(out, local, f"{header}\n1,2,3\n".encode())
    assert "张三" not in str(error.value)


@pytest.mark.parametrize("data", [b"", b"\n", b"\xff\xfe,Y\n"])
def test_a_file_without_a_header_is_refused(out: Path, local: Connection, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_csv(out, local, data)


@pytest.mark.parametrize("kind", ["csv", "damaged", "jsonl", "json", "parquet"])
@pytest.mark.parametrize(("count", "batch"), [(0, 2), (1, 2), (2, 2), (5, 2), (5, 100)])
def test_chunks_are_bounded_and_number_their_rows(
    out: Path, local: Connection, kind: str, count: int, batch: int
) -> None:
    items = [{"X": str(i), "Y": "𠮷"} for i in range(count)]
    layout = {"kind": {"damaged": "csv"}.get(kind, kind)}
    if kind == "parquet":
        schema = pa.schema([("X", pa.string()), ("Y", pa.string())])
        pq.write_table(pa.Table.from_pylist(items, schema), out / "f.dat")
    elif kind == "json":
        layout["records"] = "data.rows"
        (out / "f.dat").write_text(json.dumps({"data": {"rows": items}}))
    elif kind == "jsonl":
        (out / "f.dat").write_text("".join(json.dumps(i) + "\n" for i in items))
    else:
        body = "".join(f"{i['X']},𠮷\n" for i in items) + ("x\n" if kind == "damaged" else "")
        (out / "f.dat").write_text("X,Y\n" + body)
    expected = count + (kind == "damaged")
    note(out / "f.dat", rows=expected)
    reading = start(local, layout, batch_rows=batch, manifest={})
    chunks = list(reading)
    assert reading.refused == ()
    assert [r[0] for r in rows(chunks)][:count] == [i["X"] for i in items]
    assert [c.first_row for c in chunks] == list(range(1, expected + 1, batch))
    assert {c.origin for c in chunks} <= {"f.dat"}


@pytest.mark.fault("F30", "repeated keys, NaN and nesting cost one record")
@pytest.mark.fault("F31", "numbers keep their exact text")
@pytest.mark.parametrize("kind", ["json", "jsonl"])
def test_json_keeps_numbers_and_damages_only_bad_records(
    out: Path, local: Connection, kind: str
) -> None:
    records = ['{"X":0.10,"Y":null}', '{"X":1,"X":2,"Y":1}', '{"X":[1],"Y":1}', '{"X":NaN,"Y":1}']
    records.append('{"X":"b","Y":12345678901234567890}')
    text = "\n".join(records) if kind == "jsonl" else f'{{"r":[{",".join(records)}]}}'
    (out / "f.dat").write_text(text)
    (chunk,) = start(local, {"kind": kind, **({"records": "r"} if kind == "json" else {})})
    assert chunk.damaged == dict.fromkeys((1, 2, 3), "record.json")
    found = rows([chunk])
    assert (found[0], found[4]) == (("0.10", None), ("b", "12345678901234567890"))


def test_parquet_keeps_its_types(out: Path, local: Connection) -> None:
    table = pa.table({"Y": [Decimal("0.10")], "X": [datetime(2026, 1, 1, tzinfo=UTC)]})
    pq.write_table(table, out / "f.dat")
    (chunk,) = start(local, {"kind": "parquet"})
    assert chunk.batch.schema.types == [table.schema.field(n).type for n in ("X", "Y")]


@pytest.mark.fault("F30", "a corrupt file is refused by name, the worker lives")
def test_corrupt_parquet_is_named(out: Path, local: Connection) -> None:
    table = pa.table({"X": ["张三"] * 5000, "Y": [str(i) for i in range(5000)]})
    pq.write_table(table, out / "f.dat")
    data = bytearray((out / "f.dat").read_bytes())
    data[4:2000] = bytes(1996)
    (out / "f.dat").write_bytes(data)
    with pytest.raises(ProtocolError, match=r"f\.dat"):
        list(start(local, {"kind": "parquet"}))
    (out / "f.dat").write_bytes(b"no parquet")
    with pytest.raises(ProtocolError, match=r"f\.dat"):
        list(start(local, {"kind": "parquet"}))


@pytest.mark.fault("F30", "a hundred thousand brackets are refused, no crash")
@pytest.mark.parametrize("text", ["{", "7", '{"r":7}', "[" * 100_000])
def test_a_document_without_its_list_is_refused(out: Path, local: Connection, text: str) -> None:
    (out / "f.dat").write_text(text)
    with pytest.raises(ProtocolError, match=r"f\.dat"):
        list(start(local, {"kind": "json", "records": "r"}))


@pytest.fixture(params=["fs", "sftp"])
def system(request: pytest.FixtureRequest, out: Path, local: Connection) -> Iterator[Connection]:
    if request.param == "fs":
        yield local
    else:
        with sftp(out.parent) as found:
            yield found


@pytest.mark.fault("F13", "late, wrong digest, wrong count: waits or is refused")
def test_manifests_decide_what_is_taken(out: Path, system: Connection) -> None:
    for name in ("late", "digest", "rows", "good", "plain"):
        (out / f"{name}.dat").write_bytes(f"X,Y\n{name},1\n".encode())
    note(out / "digest.dat", sha256=sha(b"other"))
    note(out / "rows.dat", rows=2)
    note(out / "good.dat", sha256=sha((out / "good.dat").read_bytes()).upper())
    note(out / "plain.dat", rows=None)
    (out / "not.txt").write_bytes(b"X,Y\n")
    reading = start(system, CSV, manifest={}, pattern="*")
    chunks = [c for c in reading if c.origin != "not.txt"]
    assert rows(chunks) == [("good", "1"), ("plain", "1")]
    assert reading.waiting == ("late.dat", "not.txt")
    refused = (Refusal("digest.dat", "manifest.digest"), Refusal("rows.dat", "manifest.rows"))
    assert reading.refused == refused
    assert set(reading.checkpoint["files"]) == {"good.dat", "plain.dat"}


@pytest.mark.parametrize("manifest", [None, {}])
def test_a_checkpoint_skips_what_was_taken(
    out: Path, system: Connection, manifest: dict[str, Any] | None
) -> None:
    def put(name: str, value: str) -> None:
        (out / name).write_bytes(f"X,Y\n{value},1\n".encode())
        note(out / name)

    put("b.dat", "b")
    put("a.dat", "a")
    reading = start(system, CSV, manifest=manifest)
    assert [c.origin for c in reading] == ["a.dat", "b.dat"]
    checkpoint = json.loads(json.dumps(reading.checkpoint))
    assert checkpoint["files"]["a.dat"] == sha(b"X,Y\na,1\n")
    put("b.dat", "new")
    put("c.dat", "c")
    again = start(system, CSV, manifest=manifest, checkpoint=checkpoint)
    assert rows(list(again)) == [("new", "1"), ("c", "1")]
    done = start(system, CSV, manifest=manifest, checkpoint=again.checkpoint)
    assert list(done) == []
    assert done.checkpoint == again.checkpoint


def test_known_files_are_not_fetched_again(
    out: Path, local: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    (out / "f.dat").write_bytes(b"X,Y\n1,2\n")
    note(out / "f.dat")
    reading = start(local, CSV, manifest={})
    assert len(list(reading)) == 1
    (out / "f.dat").chmod(0)
    monkeypatch.setattr("connectors.files.manifest.file_digest", pytest.fail)
    assert list(start(local, CSV, manifest={}, checkpoint=reading.checkpoint)) == []


@pytest.mark.fault("F33", "a file above its limit is refused before it is fetched")
def test_too_large_files_are_not_taken(out: Path, system: Connection) -> None:
    (out / "f.dat").write_bytes(b"X,Y\n1,2\n")
    reading = start(system, CSV, max_bytes=7)
    assert list(reading) == []
    assert reading.refused == (Refusal("f.dat", "file.size"),)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_an_unreadable_manifest_is_refused(out: Path, local: Connection, text: str) -> None:
    (out / "f.dat").write_bytes(b"X,Y\n1,2\n")
    (out / "f.dat.manifest.json").write_text(text)
    with pytest.raises(ProtocolError, match="manifest"):
        list(start(local, CSV, manifest={}))


def test_a_missing_folder_is_named(system: Connection) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        list(start(system, CSV, directory="nowhere"))


@pytest.mark.fault("F33", "`../` and absolute folders are no valid options")
@pytest.mark.parametrize("directory", ["/etc", "../x", "a/../../b"])
def test_a_folder_outside_the_base_is_no_option(directory: str) -> None:
    given_ = {"directory": directory, "pattern": "*", "format": CSV}
    with pytest.raises(ValueError, match="below"):
        FilesConnector.source_options.model_validate(given_)


@pytest.fixture
def remote(out: Path) -> Iterator[Connection]:
    (out / "f.dat").write_bytes(b"X,Y\n1,2\n")
    with sftp(out.parent) as found:
        yield found


def changed(system: Connection, **extra: Any) -> Connection:
    return system.model_copy(update={"extra": {**system.extra, **extra}})


@pytest.mark.parametrize("key", [None, "", "ssh-ed25519", "nonsense", 7])
def test_a_host_key_must_be_pinned(remote: Connection, key: Any) -> None:
    with pytest.raises(ConfigError, match="host_key is required"):
        list(start(changed(remote, host_key=key), CSV))


def test_another_host_key_is_refused(remote: Connection) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with pytest.raises(ConfigError, match="pinned host key"):
        list(start(changed(remote, host_key=other), CSV))


def test_a_host_key_of_another_kind_is_refused(remote: Connection) -> None:
    """The two have no algorithm in common; either side may be the first to hang up."""
    other = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode()
    with pytest.raises((ConfigError, SourceUnavailable), match=r"pinned host key|ConnectionLost"):
        list(start(changed(remote, host_key=other), CSV))


def test_a_wrong_password_is_a_setting_to_mend(remote: Connection) -> None:
    wrong = Connection.model_validate(
        {**remote.model_dump(by_alias=True), "password": "not-the-secret"}
    )
    with pytest.raises(ConfigError, match="login refused") as error:
        list(start(wrong, CSV))
    assert "not-the-secret" not in str(error.value)


def test_a_key_file_that_is_not_there_is_named(remote: Connection, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="key_file"):
        list(start(changed(remote, key_file=str(tmp_path / "none")), CSV))


def test_a_server_that_is_down_is_unavailable(remote: Connection) -> None:
    down = remote.model_copy(update={"port": 1})
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        list(start(down, CSV))


@pytest.mark.fault("F34", "a fetched copy has no name, so that a killed process leaves none")
def test_fetched_files_have_no_name(
    remote: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spool))
    reading = iter(start(remote, CSV))
    next(reading)
    assert list(spool.iterdir()) == []
    held = [str(f.readlink()) for f in Path("/proc/self/fd").iterdir() if f.is_symlink()]
    assert [name for name in held if name.startswith(str(spool))], "a copy is there, and nameless"
    reading.close()  # type: ignore[attr-defined]
    (tmp_path / "out" / "f.dat").write_bytes(b"Z,Y\n1,2\n")
    with pytest.raises(SchemaMismatch):
        list(start(remote, CSV))
    assert list(spool.iterdir()) == []


SCHEMA = pa.schema(
    [
        ("x", pa.string()),
        ("n", pa.decimal128(6, 2)),
        ("d", pa.date32()),
        ("t", pa.timestamp("us", "UTC")),
    ]
)


def send(system: Connection, layout: dict[str, Any], count: int = 3) -> Any:
    row = {"n": Decimal("0.10"), "d": date(2000, 1, 2), "t": datetime(2026, 11, 1, 16, tzinfo=UTC)}
    items = [{"x": f"𠮷,{i}", **row} for i in range(count)]
    batches = pa.Table.from_pylist(items, SCHEMA).to_batches(max_chunksize=2)
    given_ = {"directory": "in", "format": layout}
    options = FilesConnector.sink_options.model_validate(given_)
    manifest = {"purpose": "p", "rows": "not these", "sha256": "nor this"}
    parcel = Parcel("d-1", "f00", SCHEMA, ("x",), iter(batches), manifest, free, marked)
    return FilesConnector().send(system, options, parcel)


LAYOUTS = [{"kind": "parquet"}, {"kind": "csv"}, {"kind": "csv", "encoding": "gb18030"}]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_delivery_is_one_file_and_its_manifest(
    tmp_path: Path, system: Connection, layout: dict[str, Any]
) -> None:
    sent = send(system, layout)
    folder = tmp_path / "in" / "f00"
    file = folder / f"d-1.{layout['kind']}"
    assert sorted(f.name for f in folder.iterdir()) == [file.name, f"{file.name}.manifest.json"]
    promise = json.loads(Path(f"{file}.manifest.json").read_text(encoding="utf-8"))
    assert (promise["rows"], promise["sha256"]) == (3, sha(file.read_bytes()))
    assert (promise["columns"], promise["purpose"]) == (SCHEMA.names, "p")
    assert (sent.rows, sent.parts, sent.already, sent.digest) == (3, 1, 0, promise["sha256"])
    if layout["kind"] == "csv":
        lines = file.read_bytes().decode(layout.get("encoding", "utf-8")).split("\r\n")
        assert lines[:1] + lines[4:] == ["x,n,d,t", ""]
        assert lines[1].startswith('"𠮷,0",0.10,2000-01-02,2026-11-02T00:00:00')
        assert lines[1].endswith("+08:00")
    else:
        assert pq.read_table(file).schema.equals(SCHEMA)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_repeated_delivery_writes_nothing(
    tmp_path: Path, system: Connection, layout: dict[str, Any]
) -> None:
    first = send(system, layout)
    folder = tmp_path / "in" / "f00"
    before = {f.name: f.stat().st_mtime_ns for f in folder.iterdir()}
    again = send(system, layout)
    assert (again.already, again.digest) == (1, first.digest)
    assert {f.name: f.stat().st_mtime_ns for f in folder.iterdir()} == before


def test_a_delivery_cut_before_its_manifest_is_finished(tmp_path: Path, system: Connection) -> None:
    send(system, LAYOUTS[0])
    (tmp_path / "in" / "f00" / "d-1.parquet.manifest.json").unlink()
    assert send(system, LAYOUTS[0]).already == 0
    assert send(system, LAYOUTS[0]).already == 1


@pytest.mark.parametrize("path", [None, "/no/such/folder"])
def test_a_base_that_is_not_there_is_a_setting_to_mend(path: str | None) -> None:
    with pytest.raises(ConfigError, match=r"extra\.path"):
        send(conn(conn_type="fs", extra={"path": path}), CSV)


def test_another_kind_of_store_is_named() -> None:
    with pytest.raises(ConfigError, match=r"known: fs, ftp, ftps, sftp|known: fs, sftp, ftps, ftp"):
        send(conn(conn_type="webdav"), CSV)


@pytest.mark.case("inbox-4", "a folder without room or right is named before anything is sent")
@pytest.mark.parametrize("trouble", ["full", "read-only", "a file"])
@pytest.mark.parametrize("kind", ["local", "sftp"])
def test_an_inbox_that_takes_nothing_is_named_before_sending(
    trouble: str, kind: str, out: Path, local: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = out.parent
    if trouble == "a file":
        (root / "in").write_text("")
    if trouble == "read-only":
        monkeypatch.setattr(tempfile, "NamedTemporaryFile", _denied)
        monkeypatch.setattr(asyncssh.SFTPServer, "open", _denied)
    if trouble == "full":
        monkeypatch.setattr("shutil.disk_usage", lambda _: _Room(10**9, 10**9, 5))
        monkeypatch.setattr(asyncssh.SFTPServer, "statvfs", lambda *_: _statvfs())
    left: list[bool] = []
    table = pa.table({"k": ["1"]})
    batches = iter(table.to_batches())
    parcel = Parcel(
        "d", "f00", table.schema, ("k",), batches, {}, lambda _rows=0: left.append(True), marked
    )
    options = FilesConnector.sink_options.model_validate({"directory": "in", "format": CSV})
    with contextlib.ExitStack() as stack:
        system = local if kind == "local" else stack.enter_context(sftp(root))
        with pytest.raises((ConfigError, StorageError, SourceUnavailable), match="in/f00"):
            FilesConnector().send(system, options, parcel)
    assert not left


class _Room(NamedTuple):
    total: int
    used: int
    free: int


def _denied(*_: object, **__: object) -> Any:
    raise PermissionError(13, "Permission denied")


def _statvfs() -> asyncssh.SFTPVFSAttrs:
    return asyncssh.SFTPVFSAttrs(bsize=1, frsize=1, blocks=10**9, bfree=5, bavail=5)


def test_parquet_lists_the_values_of_columns_that_repeat_and_no_others(
    tmp_path: Path, system: Connection
) -> None:
    """A dictionary of tokens would hold every one of them, and be given up half-way."""
    rows = 5_000
    columns = {
        "token": pa.array([f"{n:026d}" for n in range(rows)]),
        "status": pa.array([None if n % 7 == 0 else str(n % 3) for n in range(rows)]),
        "amount": pa.array([Decimal(n % 100) for n in range(rows)], pa.decimal128(8, 2)),
        "moved": pa.array([datetime(2026, 11, 1, tzinfo=UTC)] * rows, pa.timestamp("us", "UTC")),
        "nothing": pa.nulls(rows),
    }
    table = pa.table(columns)
    batches = iter(table.to_batches(max_chunksize=2_000))
    parcel = Parcel("d-1", "f00", table.schema, ("token",), batches, {}, free, marked)
    given_ = {"directory": "in", "format": {"kind": "parquet"}}
    FilesConnector().send(system, FilesConnector.sink_options.model_validate(given_), parcel)
    file = pq.ParquetFile(tmp_path / "in" / "f00" / "d-1.parquet")
    group = file.metadata.row_group(1)
    listed = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    listed = {n for n, c in listed.items() if "RLE_DICTIONARY" in c.encodings}
    assert listed - {"nothing"} == {"status", "amount", "moved"}
    assert file.read().equals(table)


def test_a_file_that_is_replaced_under_its_old_time_is_news(out: Path, local: Connection) -> None:
    options = FilesConnector.source_options.model_validate(
        {"directory": "out", "pattern": "*.dat", "format": CSV}
    )
    request = ReadRequest("a/b", COLUMNS, options)
    file, probe = out / "f.dat", out / "clock"
    file.write_text("X,Y\n1,a\n")
    before, state = file.stat(), FilesConnector().state(local, request)

    def ticked() -> bool:
        probe.touch()
        return probe.stat().st_ctime_ns > before.st_ctime_ns

    until(ticked, "the file system's clock")
    file.write_text("X,Y\n1,b\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = file.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert FilesConnector().state(local, request) != state
