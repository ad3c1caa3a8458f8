"""F33: what unpacks to too much, and names that lead elsewhere: refused by the bytes that come."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import itertools
import json
import os
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import asyncssh
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import connectors
from connectors.files import folder as folder_port
from connectors.files import parquet_read, sftp, sftp_session
from connectors.http import body as http_body
from onecard.base import timeouts
from onecard.base.connections import Connection
from onecard.errors import ConfigError, ProtocolError, SourceUnavailable
from onecard.ports.source import Column, Reading, ReadRequest
from tests.connectors import systems
from tests.faults.proxy import STALL_S, tcp_proxy
from tests.waiting import until

COLUMNS = (Column("x", "X", required=True),)


def reading(connection: Connection, layout: dict[str, Any], **more: Any) -> Reading:
    files = connectors.connector("files")
    options = {"directory": "out", "pattern": "*", "format": layout, **more}
    return files.read(
        connection,
        ReadRequest("a/b", COLUMNS, files.source_options.model_validate(options)),
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "home" / "out").mkdir(parents=True)
    return tmp_path / "home" / "out"


@pytest.fixture
def local(out: Path) -> Connection:
    return systems.conn(conn_type="fs", extra={"path": str(out.parent)})


@pytest.mark.fault("F33", "a text repeated by a dictionary is counted before it is unpacked")
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_parquet_bomb_of_one_text_is_refused_before_it_is_unpacked(
    out: Path, local: Connection, kind: pa.DataType
) -> None:
    """Some kilobytes that are 200 GB as rows; the file's own metadata promises little."""
    rows, text = 200_000, "卡" * 350_000
    array = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text]))
    stored = base64.b64encode(pa.schema([("X", kind)]).serialize())
    table = pa.table({"X": array})
    file = pq.ParquetWriter(out / "f.parquet", table.schema, compression="zstd", store_schema=False)
    with file:
        file.write_table(table)
        file.add_key_value_metadata({"ARROW:schema": stored})
    assert pq.ParquetFile(out / "f.parquet").schema_arrow.types == [kind]
    assert (out / "f.parquet").stat().st_size < 200_000
    started = time.monotonic()
    with pytest.raises(ProtocolError, match=r"f\.parquet: unpacks to \d+ bytes"):
        list(reading(local, {"kind": "parquet"}))
    assert time.monotonic() - started < 30


@pytest.mark.fault("F33", "the sum over all batches is counted, not only the promise")
def test_a_parquet_that_unpacks_to_too_much_in_all_is_refused(
    out: Path, local: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(pa.table({"X": ["卡" * 100] * 100_000}), out / "f.parquet", store_schema=False)
    monkeypatch.setattr(parquet_read, "UNPACKED_LIMIT", 20_000_000)
    with pytest.raises(ProtocolError, match="unpacks to"):
        list(reading(local, {"kind": "parquet"}))
    monkeypatch.setattr(parquet_read, "UNPACKED_LIMIT", 40_000_000)
    chunks = list(reading(local, {"kind": "parquet"}))
    assert [c.first_row for c in chunks] == [*range(1, 100_001, parquet_read.MOST_ROWS)]
    assert sum(c.batch.num_rows for c in chunks) == 100_000
    assert chunks[0].batch.schema.types == [pa.string()]


@pytest.mark.fault("F33", "a zip, nested or not, is no format: refused, never unpacked")
@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "parquet"])
def test_a_zip_is_never_unpacked(out: Path, local: Connection, kind: str) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../evil.csv", b"X\n" + b"1\n" * 5_000_000)
    with zipfile.ZipFile(out / "f.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("/abs/inner.zip", inner.getvalue())
    layout = {"kind": kind, **({"records": "r"} if kind == "json" else {})}
    with pytest.raises(Exception, match=r"f\.zip"):
        list(reading(local, layout))
    assert sorted(p.name for p in out.parent.rglob("*")) == ["f.zip", "out"]


@contextmanager
def server(body: bytes, *, encoding: str = "", drip: bool = False) -> Iterator[Connection]:
    """An API that answers one body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            if encoding:
                self.send_header("Content-Encoding", encoding)
            if not drip:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                while drip:
                    self.wfile.write(b" ")
                    time.sleep(0.05)
                self.wfile.write(body)
            except OSError:
                return

        def log_message(self, *_: object) -> None:
            return

    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    try:
        yield systems.conn(conn_type="http", host="127.0.0.1", port=found.server_address[1])
    finally:
        found.shutdown()
        found.server_close()


def pages(connection: Connection, timeout_s: float = 10.0) -> Reading:
    rest = connectors.connector("rest")
    options = rest.source_options.model_validate(
        {
            "path": "/x",
            "records": "r",
            "paginator": {"kind": "keyset", "cursor_param": "c", "next": "n", "size_param": "s"},
            "attempts": 2,
            "timeout_s": timeout_s,
            "max_wait_s": 0.05,
        }
    )
    return rest.read(connection, ReadRequest("a/b", COLUMNS, options))


@pytest.mark.fault("F33", "a gzip body is counted as it is unpacked and given up at the limit")
def test_a_gzip_bomb_is_given_up_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_body, "LIMIT", 1_000_000)
    bomb = gzip.compress(b'{"r":[{"X":"' + b"a" * 300_000_000 + b'"}]}', 9)
    assert len(bomb) < 400_000
    with server(bomb, encoding="gzip") as connection:
        tracemalloc.start()
        try:
            with pytest.raises(ProtocolError, match="unpacks to more than 1000000 bytes"):
                list(pages(connection))
            assert tracemalloc.get_traced_memory()[1] < 150_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.fault("F07", "a body that drips for ever ends at its time, as unavailable")
def test_a_body_that_drips_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_body, "PATIENCE", 2)
    started = time.monotonic()
    with server(b"", drip=True) as connection, pytest.raises(SourceUnavailable):
        list(pages(connection, timeout_s=0.3))
    assert time.monotonic() - started < 60


@pytest.mark.fault("F33", "links to files and folders elsewhere are not followed")
@pytest.mark.parametrize("kind", ["fs", "sftp"])
def test_links_are_not_followed(out: Path, local: Connection, tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("X\nsecret\n")
    (out / "link.csv").symlink_to(secret)
    (out / "folder").symlink_to(tmp_path)
    os.mkfifo(out / "pipe.csv")
    (out / "real.csv").write_text("X\n1\n")
    if kind == "fs":
        found = list(reading(local, {"kind": "csv"}))
    else:
        with systems.sftp(out.parent) as remote:
            found = list(reading(remote, {"kind": "csv"}))
    assert [(c.origin, c.batch.to_pylist()) for c in found] == [("real.csv", [{"x": "1"}])]


@pytest.mark.fault("F33", "a link in a manifest's place is no manifest")
def test_a_link_is_no_manifest(out: Path, local: Connection, tmp_path: Path) -> None:
    (out / "f.csv").write_text("X\n1\n")
    (tmp_path / "note").write_text("{}")
    (out / "f.csv.manifest.json").symlink_to(tmp_path / "note")
    found = reading(local, {"kind": "csv"}, manifest={}, pattern="*.csv")
    assert list(found) == []
    assert found.waiting == ("f.csv",)


@pytest.mark.fault("F33", "a manifest of many megabytes is refused unread")
@pytest.mark.parametrize("kind", ["fs", "sftp"])
def test_a_huge_manifest_is_refused(out: Path, local: Connection, kind: str) -> None:
    (out / "f.csv").write_text("X\n1\n")
    (out / "f.csv.manifest.json").write_bytes(b" " * (folder_port.NOTE_LIMIT + 1) + b"{}")
    note = {"manifest": {}, "pattern": "*.csv"}
    with pytest.raises(ProtocolError, match="too large"):
        if kind == "fs":
            list(reading(local, {"kind": "csv"}, **note))
        else:
            with systems.sftp(out.parent) as remote:
                list(reading(remote, {"kind": "csv"}, **note))


class _Liar(asyncssh.SFTPServer):
    """Lists names that lead elsewhere, and sizes that are not so."""

    async def scandir(self, path: bytes) -> Any:
        attrs = asyncssh.SFTPAttrs(size=1, permissions=0o100644)
        for name in (b"../evil.csv", b"/etc/passwd", b"big.csv"):
            yield asyncssh.SFTPName(name, attrs=attrs)


@contextmanager
def liar(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setattr(asyncssh, "SFTPServer", _Liar)
    with systems.sftp(root) as found:
        yield found


@pytest.mark.fault("F33", "`../`, absolute names and understated sizes of a server are refused")
def test_a_server_that_lies(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (out.parent / "evil.csv").write_text("X\nevil\n")
    (out / "big.csv").write_text("X\n" + "1\n" * 500_000)
    with liar(out.parent, monkeypatch) as remote:
        found = reading(remote, {"kind": "csv"}, max_bytes=100_000)
        assert list(found) == []
    assert [(r.origin, r.rule) for r in found.refused] == [("big.csv", "file.size")]


@pytest.mark.fault("F07", "an SFTP server that stalls is given up, and is unavailable")
def test_an_sftp_server_that_stalls_is_given_up(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (out / "f.csv").write_text("X\n" + "1\n" * 200_000)
    with systems.sftp(out.parent) as remote, tcp_proxy("127.0.0.1", remote.port or 0) as proxy:
        behind = remote.model_copy(update={"port": proxy.port})
        with monkeypatch.context() as hasty:
            hasty.setattr(sftp_session, "KEEPALIVE_S", 0.5)
            hasty.setattr(sftp_session, "LOGIN_S", 2.0)
            for limit in (0, 1_000, 60_000):
                proxy.cut(limit, "stalled")
                started = time.monotonic()
                with pytest.raises(SourceUnavailable):
                    list(reading(behind, {"kind": "csv"}))
                assert time.monotonic() - started < STALL_S / 2, limit
        proxy.clean()
        assert sum(c.batch.num_rows for c in reading(behind, {"kind": "csv"})) == 200_000


class _Mute(asyncssh.SFTPServer):
    """Answers keepalives and, in some methods, nothing else."""

    silent = ""
    pauses: Iterator[float] = itertools.repeat(3_600.0)
    over = threading.Event()
    waiting: ClassVar[set[object]] = set()

    async def _perhaps(self, method: str) -> None:
        if method == self.silent:
            end, one = time.monotonic() + next(self.pauses), object()
            self.waiting.add(one)
            try:
                while time.monotonic() < end and not self.over.is_set():
                    await asyncio.sleep(0.02)
            finally:
                self.waiting.discard(one)

    async def scandir(self, path: bytes) -> Any:
        await self._perhaps("scandir")
        async for found in super().scandir(path):
            yield found

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        await self._perhaps("read")
        return bytes(super().read(file_obj, offset, size))

    async def write(self, file_obj: object, offset: int, data: bytes) -> int:
        await self._perhaps("write")
        return int(super().write(file_obj, offset, data))

    async def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        await self._perhaps("posix_rename")
        super().posix_rename(oldpath, newpath)


@pytest.fixture
def mute(out: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A server that keeps alive, and a hub that waits two seconds for a word."""
    monkeypatch.setenv(timeouts.VARIABLE, "1")
    monkeypatch.setattr(asyncssh, "SFTPServer", _Mute)
    (out / "f.csv").write_text("X\n" + "1\n" * 200_000)
    with systems.sftp(out.parent) as remote:
        yield remote
        _Mute.over.set()
        until(lambda: not _Mute.waiting, "the server's own tasks end")
        _Mute.over.clear()


@pytest.mark.fault("F07", "an SFTP server that answers keepalives only is given up too")
@pytest.mark.parametrize("method", ["scandir", "read", "write", "posix_rename"])
def test_an_sftp_server_that_only_keeps_alive_is_given_up(
    mute: Connection, out: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(_Mute, "silent", method)
    started = time.monotonic()
    with pytest.raises(SourceUnavailable, match="has said nothing for 2 s"):
        if method in ("write", "posix_rename"):
            with sftp.connected(mute) as folder:
                folder.write("out/sent.csv", out / "f.csv", lambda: None)
        else:
            list(reading(mute, {"kind": "csv"}))
    assert time.monotonic() - started < 60
    assert not (out / "sent.csv").exists()


def test_a_slow_sftp_server_that_moves_is_not_given_up(
    mute: Connection, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncssh.sftp, "MAX_SFTP_WRITE_LEN", 1_000)
    monkeypatch.setattr(_Mute, "silent", "write")
    source = tmp_path / "large"
    source.write_bytes(b"x" * 100_000)
    started = time.monotonic()
    monkeypatch.setattr(_Mute, "pauses", itertools.repeat(0.03))
    with sftp.connected(mute) as folder:
        folder.write("out/sent.csv", source, lambda: None)
    assert time.monotonic() - started > 2
    assert (out / "sent.csv").read_bytes() == source.read_bytes()


def test_a_file_that_is_not_there_is_still_named(local: Connection) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        list(reading(local, {"kind": "csv"}, directory="nowhere"))


def test_no_manifest_is_json_of_another_kind(out: Path, local: Connection) -> None:
    (out / "f.csv").write_text("X\n1\n")
    (out / "f.csv.manifest.json").write_text(json.dumps(["rows", 1]))
    with pytest.raises(ProtocolError, match="not a JSON object"):
        list(reading(local, {"kind": "csv"}, manifest={}, pattern="*.csv"))
