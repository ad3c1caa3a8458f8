"""A city small enough to hold in one's head: its agencies' systems, its consumers, its hub.

Sources are real: tables in PostgreSQL, an HTTP API on loopback, a folder of files; so are the
inboxes, with a MariaDB (SQLite where none is running). What a source holds stands in `City.sources`
as well, from which the reference says what should come of it.
"""

from __future__ import annotations

import csv
import json
import os
import secrets
import shutil
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import psycopg
import pyarrow.parquet as pq
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import URL, Engine, make_url

from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.crypto import keys
from onecard.store import agreement_lives, database
from tests.cities import empty_hub
from tests.connectors import systems
from tests.forked import LIMIT_S, become, context
from tests.property import city_schemas
from tests.property.city_reference import AGREEMENT_KEYS, KEYS, ORDER, Key, Row

ZONE = ZoneInfo("Asia/Shanghai")
FIRST = datetime(2026, 1, 10, 2, tzinfo=ZONE)
"""The first night."""

Held = dict[Key, tuple[Row, str]]
"""What a consumer holds, by its agreement's key: the row as text, and what brought it."""

MARIADB = URL.create("mysql+pymysql", "root", host="127.0.0.1", port=3306)


class Consumers(ThreadingHTTPServer):
    """An API with the deaths, two a page, and inboxes that upsert by key and take deletes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.deaths: list[Row] = []
        self.boxes: dict[str, Held] = {a[:3]: {} for a in AGREEMENT_KEYS}
        self.batches: set[str] = set()

    def store(self, box: str, body: dict[str, Any]) -> str:
        """Take a batch: `00`, or `01` when it was taken already."""
        if body["batchId"] in self.batches:
            return "01"
        self.batches.add(body["batchId"])
        key = next(k for a, k in AGREEMENT_KEYS.items() if a.startswith(box))
        for gone in body.get("deleted", []):
            self.boxes[box].pop(tuple(gone[n] for n in key), None)
        for row in body["rows"]:
            self.boxes[box][tuple(row[n] for n in key)] = (_texts(row), body["batchId"])
        return "00"


class _Handler(BaseHTTPRequestHandler):
    server: Consumers
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        query = dict(parse_qsl(urlsplit(self.path).query))
        since, after = query.get("since"), int(query.get("after", 0))
        rows = [
            {n: v.isoformat() if hasattr(v, "isoformat") else v for n, v in r.items() if n != ORDER}
            for r in list(self.server.deaths)
            if not since or r["changed_at"] >= datetime.fromisoformat(since)
        ]
        end = after + int(query["size"])
        self._reply({"rows": rows[after:end], "next": str(end) if end < len(rows) else None})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        box = self.path.split("/")[2]
        self._reply({"code": self.server.store(box, body) if "batchId" in body else "00"})

    def log_message(self, *_: object) -> None:
        return

    def _reply(self, document: object) -> None:
        data = json.dumps(document, ensure_ascii=False).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class City:
    """The systems of one example, and its clock.

    Attributes:
        sources: the rows that each source holds now; of the folder: of files not yet collected.
        environment: of a process of the hub.
        wide: of the text of `f01` as it stands in its file.
    """

    def __init__(self, home: Path, server: str, templates: Path) -> None:
        self._open = ExitStack()
        self.home, self.now = home, FIRST
        self.schemas, self.files = home / "schemas", home / "files"
        (self.files / "out").mkdir(parents=True)
        (self.files / "in").mkdir()
        city_schemas.write(self.schemas)
        self.sources: dict[str, list[Row]] = {d: [] for d in KEYS}
        self.numbers = dict.fromkeys(("order", "file", "version", "epoch"), 1)
        self._moment = FIRST
        hub = self._open.enter_context(empty_hub(server, templates))
        name = f"tiny_{secrets.token_hex(6)}"
        self._agencies = database.create_database(server, name)
        self._open.callback(database.drop_database, server, name)
        self.table = self._open.enter_context(psycopg.connect(self._agencies, autocommit=True))
        self.registry = self._open.enter_context(psycopg.connect(hub, autocommit=True))
        self._make_tables()
        self._postgres = create_engine(_driver(self._agencies))
        self._mysql = self._mysql_engine()
        for engine in (self._postgres, self._mysql):
            self._open.callback(engine.dispose)
        self.consumers = Consumers()
        self._open.callback(self.consumers.server_close)
        threading.Thread(target=self.consumers.serve_forever, daemon=True).start()
        self._open.callback(self.consumers.shutdown)
        self.environment = {
            **os.environ,
            **self._connections(),
            "ONECARD_HOME": str(home / "hub"),
            "ONECARD_DATABASE_URL": hub,
            "ONECARD_SCHEMAS": str(self.schemas),
        }
        (home / "hub").mkdir(mode=0o700)
        self.keys_file = home / "hub" / "keys.json"
        keys.create(self.keys_file, self.hub().catalogue.agencies, "e1", self.now.date())

    def close(self) -> None:
        """Take everything down."""
        self._open.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def hub(self) -> Hub:
        """A hub in this process, at this moment."""
        environment = self.environment | {"ONECARD_NOW": self.now.isoformat()}
        return Hub(Settings.load(environment), EnvironmentConnections(environment))

    def killed(self, step: str, subject: str, point: str) -> None:
        """Run a step in a process of its own that is killed when it reaches a failpoint."""
        more = {"ONECARD_NOW": self.now.isoformat(), "ONECARD_KILL_AT": point}
        process = context.Process(target=_run, args=(self.environment | more, step, subject))
        process.start()
        process.join(LIMIT_S)
        assert process.exitcode is not None, "the step hangs"

    def tick(self) -> datetime:
        """A moment of the sources' clock, later than all before and a little before the hub's."""
        self._moment = max(self._moment, self.now - timedelta(hours=1)) + timedelta(seconds=1)
        return self._moment

    # What the agencies do

    def put(self, dataset: str, row: Row, *, again: bool = False) -> None:
        """Write a row with the newest order; `again`: beside what the source has of its key."""
        self.numbers["order"] += 1
        number, moment = self.numbers["order"], self.tick()
        row = {**row, "changed_at": moment, "seq": number, ORDER: number}
        row = {n: row[n] for n in (*city_schemas.FIELDS[dataset], ORDER)}
        if not again:
            self._take_out(dataset, row)
        self.sources[dataset].append(row)
        self._publish(dataset)

    def put_back(self, dataset: str, row: Row) -> None:
        """Write a row as it was once, as after a restore."""
        self._take_out(dataset, row)
        self.sources[dataset].append(row)
        self._publish(dataset)

    def drop(self, dataset: str, row: Row) -> None:
        """Delete all rows of a row's key."""
        self._take_out(dataset, row)
        self._publish(dataset)

    def put_file(self, rows: list[Row]) -> None:
        """Issue a file of events."""
        number = self.numbers["file"]
        self.numbers["file"] += 1
        names = city_schemas.FIELDS["transport/event"]
        lines = [",".join(names)]
        for line, row in enumerate(rows, start=1):
            cells = [row[n].isoformat() if n == "happened_at" else row[n] for n in names]
            lines.append(",".join(str(c) for c in cells))
            self.sources["transport/event"].append({**row, ORDER: (number, line)})
        data = ("\r\n".join(lines) + "\r\n").encode("gb18030")
        systems.put(self.files / "out", f"{number:04d}.csv", data, len(rows))

    def read(self, dataset: str) -> list[Row]:
        """What a collect finds now; a file is taken once."""
        found = list(self.sources[dataset])
        if dataset == "transport/event":
            self.sources[dataset].clear()
        return found

    def _take_out(self, dataset: str, row: Row) -> None:
        key = KEYS[dataset]
        kept = [r for r in self.sources[dataset] if any(r[n] != row[n] for n in key)]
        self.sources[dataset] = kept

    def _publish(self, dataset: str) -> None:
        """Write what a source holds into its system."""
        if dataset == "health/death":
            self.consumers.deaths = list(self.sources[dataset])
            return
        names, table = city_schemas.FIELDS[dataset], dataset.split("/")[1]
        with self.table.transaction(), self.table.cursor() as cursor:
            cursor.execute(f"DELETE FROM source.{table}".encode())
            places = ", ".join(["%s"] * len(names))
            cursor.executemany(
                f"INSERT INTO source.{table} ({', '.join(names)}) VALUES ({places})".encode(),
                [[r[n] for n in names] for r in self.sources[dataset]],
            )

    # What people at the bureau do

    def approve(self, agreement: str) -> None:
        """Approve the text as it stands in its file."""
        hub = self.hub()
        with database.connect(hub.address, autocommit=True) as connection:
            text_ = hub.catalogue.agreement(agreement)
            agreement_lives.approve(connection, text_, "official", "document")

    def suspend(self, agreement: str) -> None:
        """Suspend an agreement; only an approval ends it."""
        hub = self.hub()
        with database.connect(hub.address, autocommit=True) as connection:
            text_ = hub.catalogue.agreement(agreement)
            agreement_lives.suspend(connection, text_, "official", "reason")

    def rewrite(self, agreement: str, wide: tuple[int, bool]) -> None:
        """Give an agreement another text, under a new version; its consumer has made room."""
        self.numbers["version"] += 1
        city_schemas.write_agreement(self.schemas, agreement, self.numbers["version"], wide)
        self.table.execute("ALTER TABLE inbox.f01 ADD COLUMN IF NOT EXISTS changed_on text")

    def rotate(self, purpose: str) -> None:
        """Begin a new epoch of a key; the old one is good no more for delivery."""
        self.numbers["epoch"] += 1
        epoch, today = f"e{self.numbers['epoch']}", self.now.date()
        keys.rotate(self.keys_file, purpose, epoch, timedelta(0), today)

    def token_key(self, consumer: str) -> bytes:
        """The secret of a consumer's tokens."""
        return keys.KeyStore(self.keys_file).token(consumer).secret

    # What is where

    def published(self, dataset: str) -> dict[Key, Row]:
        """The registry's rows that are not deleted, by key."""
        names = city_schemas.FIELDS[dataset]
        table = f"registry.{dataset.replace('/', '__')}"
        statement = f"SELECT {', '.join(names)} FROM {table} WHERE _deleted_at IS NULL"
        found = self.registry.execute(statement.encode()).fetchall()
        rows = [dict(zip(names, map(_local, row), strict=True)) for row in found]
        return {tuple(r[n] for n in KEYS[dataset]): r for r in rows}

    def held(self, agreement: str) -> Held:
        """What a consumer holds now."""
        box = agreement[:3]
        if box in ("f01", "f05"):
            return self._table(self._postgres, box, "inbox", agreement)
        if box == "f04":
            return self._table(self._mysql, box, None, agreement)
        if box in ("f03", "f07"):
            return self._folder(agreement)
        return dict(self.consumers.boxes[box])

    def _table(self, engine: Engine, name: str, schema: str | None, agreement: str) -> Held:
        if not inspect(engine).has_table(name, schema=schema):
            return {}
        place = f"{schema}.{name}" if schema else name
        with engine.connect() as connection:
            rows = [dict(r) for r in connection.execute(text(f"SELECT * FROM {place}")).mappings()]
        found: Held = {}
        for row in rows:
            mark = row.pop("delivery_id")
            row.pop("received_at")
            key = tuple(str(row[n]) for n in AGREEMENT_KEYS[agreement])
            assert key not in found, "two rows of one key"
            found[key] = (_texts(row), mark)
        return found

    def _folder(self, agreement: str) -> Held:
        """The files of an inbox in the order in which they were completed: drop, then take."""
        found: Held = {}
        notes = (self.files / "in" / agreement).glob("*.manifest.json")
        for note in sorted(notes, key=lambda f: f.stat().st_mtime_ns):
            told = json.loads(note.read_text(encoding="utf-8"))
            if told.get("deletes", {}).get("rows"):
                for row in _lines(note.with_name(told["deletes"]["file"])):
                    found.pop(tuple(row[n] for n in AGREEMENT_KEYS[agreement]), None)
            for row in _lines(note.with_name(told["file"])):
                key = tuple(row[n] for n in AGREEMENT_KEYS[agreement])
                found[key] = (_texts(row), told["deliveryId"])
        return found

    def damage(self) -> None:
        """What a restore does to a consumer's table: a row less, and others as they were once."""
        first = "(SELECT person_id18 FROM inbox.f01 ORDER BY 1 {})"
        for statement in (
            f"DELETE FROM inbox.f01 WHERE person_id18 = {first.format('LIMIT 1')}",
            f"UPDATE inbox.f01 SET status = '3' WHERE person_id18 = {first.format('DESC LIMIT 1')}",
        ):
            self.table.execute(statement.encode())

    def _make_tables(self) -> None:
        types = {"seq": "bigint", "amount": "numeric(12,2)"}
        types |= dict.fromkeys(("changed_at", "given_at", "withdrawn_at"), "timestamptz")
        self.table.execute("CREATE SCHEMA source")
        for dataset in city_schemas.SQL_TABLES:
            names = city_schemas.FIELDS[dataset]
            columns = ", ".join(f"{n} {types.get(n, 'text')}" for n in names)
            self.table.execute(f"CREATE TABLE source.{dataset.split('/')[1]} ({columns})".encode())

    def _mysql_engine(self) -> Engine:
        """A database of our own in a MariaDB, else an SQLite file."""
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((str(MARIADB.host), int(MARIADB.port or 0))):
                return create_engine(f"sqlite:///{self.home / 'inbox.sqlite'}")
        name = f"tiny_{secrets.token_hex(6)}"
        server = create_engine(MARIADB)
        self._open.callback(server.dispose)
        self._open.callback(self._say, server, f"DROP DATABASE {name}")
        self._say(server, f"CREATE DATABASE {name}")
        return create_engine(MARIADB.set(database=name))

    @staticmethod
    def _say(server: Engine, statement: str) -> None:
        with server.begin() as connection:
            connection.execute(text(statement))

    def _connections(self) -> dict[str, str]:
        postgres, mysql = make_url(self._agencies), self._mysql.url
        found: dict[str, dict[str, Any]] = {
            "postgres": _address("postgres", postgres),
            "mariadb": {"conn_type": "sqlite", "schema": mysql.database}
            if mysql.drivername == "sqlite"
            else _address("mysql", mysql),
            "http": {
                "conn_type": "http",
                "host": "127.0.0.1",
                "port": self.consumers.server_address[1],
            },
            "files": {"conn_type": "fs", "extra": {"path": str(self.files)}},
        }
        return {f"AIRFLOW_CONN_CITY_{n.upper()}": json.dumps(c) for n, c in found.items()}


def _address(kind: str, url: URL) -> dict[str, Any]:
    return {
        "conn_type": kind,
        "host": url.host,
        "port": url.port,
        "login": url.username,
        "schema": url.database,
    }


def _driver(url: str) -> str:
    return "postgresql+psycopg://" + url.split("://", 1)[1]


def _lines(file: Path) -> Iterable[Row]:
    if file.suffix == ".parquet":
        rows: list[Row] = pq.read_table(file).to_pylist()
        return rows
    content = file.read_text(encoding="utf-8")
    return list(csv.DictReader(content.splitlines()))


def _local(value: object) -> object:
    """A moment in the city's time; anything else as it is."""
    return value.astimezone(ZONE) if isinstance(value, datetime) else value


def _texts(row: Row) -> Row:
    return {n: "" if v is None else str(v) for n, v in row.items()}


def _run(environment: dict[str, str], step: str, subject: str) -> None:
    """A collect or a delivery, in a process of its own."""
    become(environment)
    hub = Hub(Settings.load(), EnvironmentConnections())
    if step == "collect":
        hub.collect(subject).run()
    else:
        hub.deliver(subject).run()
    os._exit(0)


def numbers() -> Iterator[str]:
    """ID numbers of residents: children who come of age, adults, elders to be."""
    births = ("20120229", "20120615", "19800101", "19900505", "19640229", "19640405", "19640820")
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    for index, birth in enumerate(births):
        head = f"410102{birth}{index + 1:03d}"
        total = sum(int(d) * w for d, w in zip(head, weights, strict=True))
        yield head + "10X98765432"[total % 11]


def accounts(count: int) -> Iterator[str]:
    """Bank accounts of 19 digits with their check digit (Luhn)."""
    for index in range(count):
        head = f"62220217020{index:07d}"
        total = 0
        for place, digit in enumerate(reversed(head)):
            value = int(digit) * (2 if place % 2 == 0 else 1)
            total += value - 9 if value > 9 else value
        yield head + str(-total % 10)
