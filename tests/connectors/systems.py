"""Real systems for the compliance suite: each holds a table of rows and can be delivered into."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import asyncssh
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    MetaData,
    Numeric,
    String,
    Table,
    create_engine,
    insert,
)

from connectors.push.spool import Spool
from connectors.sql.url import engine_url
from onecard.base.connections import Connection
from tests import soap_service
from tests.workbooks import DbfColumn, SheetMade, dbf, xlsx, zipped

ZONE = ZoneInfo("Asia/Shanghai")
Row = dict[str, Any]
COLUMNS = ("key", "name", "amount", "born", "at", "number")


def rows(count: int) -> list[Row]:
    """Rows of every type, some NULL, with four-byte characters."""
    return [
        {
            "key": f"k{i:05d}",
            "name": None if i % 7 == 3 else f"𠮷野{i}·\u2028张",
            "amount": None if i % 5 == 4 else Decimal(i).scaleb(-2),
            "born": date(1950 + i % 70, 1 + i % 12, 1),
            "at": datetime(2026, 11, 1, 8, i % 60, i // 60 % 60, tzinfo=ZONE),
            "number": i - 3,
        }
        for i in range(count)
    ]


def texts(row: Row) -> dict[str, str | None]:
    """A row as text, as CSV and JSON carry it."""
    return {
        k: None if v is None else v.isoformat() if isinstance(v, date | datetime) else str(v)
        for k, v in row.items()
    }


@dataclass
class System:
    """A running system.

    Attributes:
        kind: connector kind.
        options: the source's options; `sink` those of its inbox.
        fill: puts rows where the connector reads them.
        held: what the inbox holds, as rows of text.
        incremental: whether it understands `since`.
        script: for HTTP: statuses to answer with before the real reply.
        types: of columns, where the system gives texts for what they are.
    """

    kind: str
    connection: Connection
    options: dict[str, Any]
    sink: dict[str, Any]
    fill: Callable[[list[Row]], None]
    held: Callable[[], list[dict[str, Any]]]
    incremental: bool = True
    script: list[int] = field(default_factory=list)
    types: Mapping[str, Any] = field(default_factory=dict)


def conn(**values: Any) -> Connection:
    return Connection.model_validate({"id": "system", **values})


@contextmanager
def sql(connection: Connection, name: str) -> Iterator[System]:
    engine = create_engine(engine_url(connection))
    sqlite = engine.dialect.name == "sqlite"
    zone = engine.dialect.name == "postgresql"
    table = Table(
        name,
        MetaData(),
        Column("key", String(40)),
        Column("name", String(200)),
        Column("amount", String(40) if sqlite else Numeric(16, 2)),
        Column("born", String(40) if sqlite else Date),
        Column("at", String(40) if sqlite else DateTime(timezone=zone)),
        Column("number", BigInteger),
    )
    inbox = f"{name}_inbox"

    def fill(items: list[Row]) -> None:
        table.drop(engine, checkfirst=True)
        table.create(engine)
        with engine.begin() as connection_:
            if items:
                plain = [texts(r) | {"number": r["number"]} for r in items] if sqlite else items
                connection_.execute(insert(table), plain)

    def held() -> list[dict[str, Any]]:
        target = Table(inbox, MetaData(), autoload_with=engine)
        with engine.connect() as connection_:
            return [
                dict(r)
                for r in connection_.execute(target.select().order_by(target.c.key)).mappings()
            ]

    try:
        yield System("sql", connection, {"table": name}, {"table": inbox}, fill, held)
    finally:
        with engine.begin() as connection_:
            for leftover in (name, inbox):
                Table(leftover, MetaData()).drop(connection_, checkfirst=True)
        engine.dispose()


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _HttpHandler)
        self.rows: list[dict[str, str | None]] = []
        self.batches: dict[str, list[dict[str, Any]]] = {}
        self.script: list[int] = []
        self.raw: bytes | None = None
        self.kind = "application/json"


class _HttpHandler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        query = dict(parse_qsl(urlsplit(self.path).query))
        since = query.get("since")
        found = [
            r
            for r in self.server.rows
            if not since or datetime.fromisoformat(str(r["at"])) >= datetime.fromisoformat(since)
        ]
        size = int(query["size"])
        start = (int(query["page"]) - 1) * size if "page" in query else int(query.get("after", "0"))
        page = found[start : start + size]
        more = start + size < len(found)
        self._reply(
            {
                "list": page,
                "total": len(found),
                "next": str(start + size) if more else None,
                "more": more,
            }
        )

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = body.get("batchId") or f"manifest-{body['deliveryId']}"
        known = name in self.server.batches
        if not self.server.script:
            self.server.batches.setdefault(name, body.get("rows", []) if "batchId" in body else [])
        self._reply({"code": "01" if known else "00"})

    def log_message(self, *_: object) -> None:
        return

    def _reply(self, document: object) -> None:
        status = self.server.script.pop(0) if self.server.script else 200
        data = (
            json.dumps(document, ensure_ascii=False).encode()
            if self.server.raw is None
            else self.server.raw
        )
        self.send_response(status)
        self.send_header("Content-Type", self.server.kind)
        self.send_header("Content-Length", str(len(data)))
        if status in (429, 503):
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def http(paginator: dict[str, Any]) -> Iterator[System]:
    server = _Http()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    connection = conn(
        conn_type="http", host="127.0.0.1", port=server.server_address[1], password="secret"
    )

    def fill(items: list[Row]) -> None:
        server.rows = [texts(r) for r in items]

    def held() -> list[dict[str, Any]]:
        found = {r["key"]: r for batch in server.batches.values() for r in batch}
        return [found[k] for k in sorted(found)]

    options = {
        "path": "/rows",
        "records": "list",
        "since_param": "since",
        "paginator": paginator,
        "auth": {"kind": "bearer"},
        "attempts": 3,
        "timeout_s": 5,
        "max_wait_s": 0.1,
    }
    sink = {
        "path": "/inbox",
        "batch_rows": 10,
        "auth": {"kind": "bearer"},
        "attempts": 3,
        "max_wait_s": 0.1,
    }
    system = System("rest", connection, options, sink, fill, held, script=server.script)
    system.server = server  # type: ignore[attr-defined]
    try:
        yield system
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def soap(paginator: dict[str, Any] | None, version: str, login: str) -> Iterator[System]:
    """A web service whose calls bear that login."""
    with soap_service.service() as service:
        service.login = login
        connection = conn(
            conn_type="http",
            host="127.0.0.1",
            port=service.server_address[1],
            login=soap_service.LOGIN,
            password=soap_service.SECRET,
        )

        def fill(items: list[Row]) -> None:
            service.rows = [texts(r) for r in items]

        options = {
            **soap_service.OPTIONS,
            "version": version,
            "paginator": paginator,
            "since_param": "query.since",
        }
        if login == "signature":
            options["auth"] = {"kind": "platform_signature"}
        else:
            options["security"] = {"kind": "username_token", "password": login}
        yield System("soap", connection, options, {}, fill, list, script=service.script)  # type: ignore[arg-type]


class _Login(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("hub", "secret")


@contextmanager
def sftp(root: Path) -> Iterator[Connection]:
    import asyncio

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    key = asyncssh.generate_private_key("ssh-ed25519")

    async def start() -> Any:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=_Login,
            server_host_keys=[key],
            sftp_factory=lambda c: asyncssh.SFTPServer(c, chroot=str(root)),
        )

    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield conn(
            conn_type="sftp",
            host="127.0.0.1",
            port=server.get_port(),
            login="hub",
            password="secret",
            extra={"host_key": key.export_public_key().decode().strip()},
        )
    finally:

        async def stop() -> None:
            server.close()
            await server.wait_closed()

        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def put(folder: Path, name: str, data: bytes, count: int) -> None:
    """A file and its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    note = {"rows": count, "sha256": hashlib.sha256(data).hexdigest()}
    (folder / f"{name}.manifest.json").write_text(json.dumps(note))


def files(connection: Connection, root: Path, layout: dict[str, Any]) -> System:
    """A folder of files in one format."""
    source, inbox = root / "out", root / "in"
    inbox.mkdir(parents=True, exist_ok=True)
    source.mkdir(parents=True, exist_ok=True)

    def fill(items: list[Row]) -> None:
        for old in source.iterdir():
            old.unlink()
        put(source, f"rows.{layout['kind']}", encoded(items, layout), len(items))

    def held() -> list[dict[str, Any]]:
        return [r for f in sorted(inbox.glob("*/*.parquet")) for r in pq.read_table(f).to_pylist()]

    options = {"directory": "out", "pattern": "rows.*", "format": layout, "manifest": {}}
    options["pattern"] = f"rows.{layout['kind']}"
    sink = {"directory": "in", "format": {"kind": "parquet"}}
    return System("files", connection, options, sink, fill, held, incremental=False)


def push(connection: Connection) -> System:
    """A spool with one upload of all rows, which another takes the place of."""
    spool = Spool(connection, "agency/dataset")
    spool.make()
    layout = {"kind": "jsonl"}

    def fill(items: list[Row]) -> None:
        number = spool.newest() + 1
        for old in spool.lying():
            old.path.unlink()
        upload = str(uuid.uuid4())
        spool.part(upload).write_bytes(encoded(items, layout))
        spool.promote(upload, number)

    return System("push", connection, {"format": layout}, {}, fill, list, incremental=False)


def encoded(items: list[Row], layout: dict[str, Any]) -> bytes:
    """Rows as a file of that format."""
    if layout["kind"] == "csv":
        lines = [
            ",".join(COLUMNS),
            *(",".join("" if v is None else str(v) for v in texts(r).values()) for r in items),
        ]
        return ("\r\n".join(lines) + "\r\n").encode(layout.get("encoding", "utf-8"))
    if layout["kind"] == "jsonl":
        return "".join(json.dumps(texts(r), ensure_ascii=False) + "\n" for r in items).encode()
    if layout["kind"] != "parquet":
        return _office(items, layout)
    sink = pa.BufferOutputStream()
    schema = pa.schema(
        [
            ("key", pa.string()),
            ("name", pa.string()),
            ("amount", pa.decimal128(16, 2)),
            ("born", pa.date32()),
            ("at", pa.timestamp("us", "Asia/Shanghai")),
            ("number", pa.int64()),
        ]
    )
    pq.write_table(pa.Table.from_pylist(items, schema=schema), sink)
    return sink.getvalue().to_pybytes()


WIDTHS = {"key": 10, "name": 60, "amount": 12, "born": 10, "at": 25, "number": 6}
"""Bytes of the columns where they are fixed."""
FIXED = {"kind": "fixed", "columns": [{"name": n, "width": w} for n, w in WIDTHS.items()]}
XML = {"kind": "xml", "record": "/rows/row"}
ZIP = {"kind": "zip", "of": {"kind": "csv"}}


def _office(items: list[Row], layout: dict[str, Any]) -> bytes:
    """Rows as files of office programs and old systems."""
    some = [texts(r) for r in items]
    if layout["kind"] == "excel":
        return xlsx(SheetMade([list(COLUMNS), *(list(r.values()) for r in some)]))
    if layout["kind"] == "xml":
        rows = "".join(
            "<row>" + "".join(f"<{k}>{escape(v)}</{k}>" for k, v in r.items() if v) + "</row>"
            for r in some
        )
        return f"<rows>{rows}</rows>".encode()
    if layout["kind"] == "zip":
        return zipped({"a.csv": encoded(items, layout["of"])})
    cells = [[(v or "").encode("gb18030") for v in r.values()] for r in some]
    if layout["kind"] == "dbf":
        return dbf([DbfColumn(n, "C", w) for n, w in WIDTHS.items()], cells)
    lines = (b"".join(map(bytes.ljust, row, WIDTHS.values())) for row in cells)
    return b"".join(line + b"\n" for line in lines)


def free(_rows: int = 0) -> None:
    """A delivery that nobody stops."""


def marked(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with a signature that tests recognise."""
    return {**manifest, "signature": "signed"}
