"""What every connector must do, against a real system of every registered kind."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import pyarrow as pa
import pytest
from sqlalchemy.engine import make_url

import connectors
from onecard.errors import (
    ConfigError,
    FatalError,
    OnecardError,
    PolicyError,
    ProtocolError,
    SchemaMismatch,
    SourceUnavailable,
)
from onecard.ports.connector import Sealing
from onecard.ports.inbox import Arrivals, Readable, Sending
from onecard.ports.news import News, SourceState
from onecard.ports.sink import Parcel
from onecard.ports.source import Chunk, Column, Reading, ReadRequest
from onecard.reconcile.canonical_text import canonical_text
from tests import soap_service
from tests.connectors.systems import (
    COLUMNS,
    FIXED,
    XML,
    ZIP,
    ZONE,
    System,
    conn,
    files,
    free,
    http,
    marked,
    push,
    rows,
    sftp,
    soap,
    sql,
    texts,
)
from tests.ftp_server import ftp_server

KEYSET = {
    "kind": "keyset",
    "cursor_param": "after",
    "next": "next",
    "has_more": "more",
    "size_param": "size",
    "size": 10,
}
NUMBERED = {
    "kind": "page_number",
    "page_param": "page",
    "size_param": "size",
    "size": 10,
    "total": "total",
}
TIMED = ("postgres", "kingbase", "opengauss", "mysql", "tidb", "oracle", "dm", "mssql")
"""Databases whose cursors are instants; SQLite keeps texts."""
DATABASES = ("postgres", "kingbase", "opengauss", "mariadb", "tidb", "sqlite")
"""KingbaseES by its driver, openGauss and TiDB by their protocols, on the servers that are here."""
VARIANTS = (
    *DATABASES,
    "rest-keyset",
    "rest-numbered",
    "soap-keyset",
    "soap-numbered",
    "soap-whole",
    "csv",
    "csv-sftp-gb18030",
    "jsonl",
    "parquet",
    "excel",
    "dbf",
    "xml",
    "fixed",
    "zip",
    "csv-ftp",
    "push",
)
RECEIVING = tuple(v for v in VARIANTS if v.partition("-")[0] not in connectors.READ_ONLY)
"""Those that can be delivered into."""
SERVICES: dict[str, tuple[dict[str, Any] | None, str, str]] = {
    "soap-keyset": (soap_service.KEYSET, "1.1", "digest"),
    "soap-numbered": (soap_service.NUMBERED, "1.2", "text"),
    "soap-whole": (None, "1.1", "signature"),
}
"""Of web services their pages, version of SOAP and login."""


@contextmanager
def opened(variant: str, folder: Path, postgres: str) -> Iterator[System]:
    name = f"t_{os.urandom(5).hex()}"
    if variant in ("postgres", "kingbase", "opengauss"):
        url = make_url(postgres)
        with sql(
            conn(
                conn_type=variant,
                host=url.host,
                port=url.port,
                login=url.username,
                password=url.password,
                schema=url.database,
                extra=dict(url.query),
            ),
            name,
        ) as system:
            yield system
    elif variant in ("mariadb", "tidb"):
        url = make_url(os.environ.get("ONECARD_TEST_MARIADB", "mysql://root@127.0.0.1:3306/test"))
        from tests.conftest import listening

        if not listening(url.port or 3306):
            pytest.skip("MariaDB is not running on 127.0.0.1:3306 (ONECARD_TEST_MARIADB)")
        with sql(
            conn(
                conn_type="tidb" if variant == "tidb" else "mysql",
                host=url.host,
                port=url.port,
                login=url.username,
                password=url.password or "",
                schema=url.database,
            ),
            name,
        ) as system:
            yield system
    elif variant == "sqlite":
        with sql(conn(conn_type="sqlite", host=str(folder / "db.sqlite")), name) as system:
            yield system
    elif variant.startswith("rest"):
        with http(KEYSET if variant == "rest-keyset" else NUMBERED) as system:
            yield system
    elif variant in SERVICES:
        with soap(*SERVICES[variant]) as system:
            yield system
    elif variant == "csv-sftp-gb18030":
        with sftp(folder) as connection:
            yield files(connection, folder, {"kind": "csv", "encoding": "gb18030"})
    elif variant == "csv-ftp":
        with ftp_server(folder) as port:
            login = {"login": "hub", "password": "secret", "extra": {"clear_text": True}}
            connection = conn(conn_type="ftp", host="127.0.0.1", port=port, **login)
            yield files(connection, folder, {"kind": "csv"})
    elif variant == "push":
        yield push(conn(conn_type="fs", extra={"path": str(folder)}))
    else:
        local = conn(conn_type="fs", extra={"path": str(folder)})
        layout = {"fixed": FIXED, "xml": XML, "zip": ZIP}.get(variant, {"kind": variant})
        yield files(local, folder, layout)


@pytest.fixture(params=VARIANTS)
def system(request: pytest.FixtureRequest, tmp_path: Path, postgres: str) -> Iterator[System]:
    with opened(request.param, tmp_path, postgres) as found:
        yield found


@pytest.fixture(params=RECEIVING)
def inbox(request: pytest.FixtureRequest, tmp_path: Path, postgres: str) -> Iterator[System]:
    with opened(request.param, tmp_path, postgres) as found:
        yield found


def request_of(system: System, **more: Any) -> ReadRequest:
    options = connectors.connector(system.kind).source_options.model_validate(system.options)
    columns = tuple(Column(f"f_{name}", name, type=system.types.get(name)) for name in COLUMNS)
    return ReadRequest("agency/dataset", columns, options, cursor="f_at", **more)


def reading(system: System, **more: Any) -> Reading:
    return connectors.connector(system.kind).read(system.connection, request_of(system, **more))


def read(system: System, **more: Any) -> list[dict[str, Any]]:
    found = []
    for chunk in reading(system, **more):
        assert chunk.batch.schema.names == [f"f_{name}" for name in COLUMNS]
        assert not chunk.damaged
        found += chunk.batch.to_pylist()
    return found


def normal(row: dict[str, Any]) -> tuple[Any, ...]:
    """A row with its values as the contract's types see them."""
    value = {k.removeprefix("f_"): v for k, v in row.items()}
    at, born = value["at"], value["born"]
    if isinstance(born, datetime):  # a DATE that has hours
        born = born.astimezone(ZONE).date()
    return (
        value["key"],
        value["name"],
        None if value["amount"] is None else Decimal(str(value["amount"])),
        str(born),
        (datetime.fromisoformat(at) if isinstance(at, str) else at).timestamp(),
        int(value["number"]),
    )


@pytest.mark.fault("F12", "page sizes at and around the boundary: every row arrives once")
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20, 95])
def test_every_row_arrives_once_at_every_page_boundary(system: System, count: int) -> None:
    system.fill(rows(count))
    assert sorted(map(normal, read(system))) == sorted(map(normal, rows(count)))


def test_two_reads_are_equal(system: System) -> None:
    system.fill(rows(25))
    assert read(system) == read(system)


def test_small_batches_hold_the_same_rows(system: System) -> None:
    system.fill(rows(25))
    assert sorted(map(normal, read(system, batch_rows=7))) == sorted(map(normal, rows(25)))


@pytest.mark.fault("F16", "rows at the bound are read again, none is missed")
def test_reading_goes_on_from_a_bound_or_a_checkpoint(system: System) -> None:
    everything = rows(40)
    system.fill(everything)
    if system.incremental:
        bound = everything[20]["at"]
        wanted = [r for r in everything if r["at"] >= bound]
        assert sorted(map(normal, read(system, since=bound.isoformat()))) == sorted(
            map(normal, wanted)
        )
        assert read(system, since=(everything[-1]["at"] + timedelta(days=1)).isoformat()) == []
    else:
        first = reading(system)
        assert sum(c.batch.num_rows for c in first) == 40
        assert list(reading(system, checkpoint=first.checkpoint)) == []


def test_a_state_tells_whether_anything_came_and_shows_no_value(system: System) -> None:
    connector, some = connectors.connector(system.kind), rows(26)
    assert isinstance(connector, News)
    since = some[1]["at"].isoformat() if system.incremental else None
    request = request_of(system, since=since, key=("f_key",))
    seen = []
    for count in (24, 25, 26):
        system.fill(some[:count])
        seen.append(connector.state(system.connection, request))
        assert re.fullmatch("[0-9a-f]{64}", seen[-1].digest)
        assert connector.state(system.connection, request) == seen[-1]
    assert len({state.digest for state in seen}) == 3
    if system.incremental:
        everything = request_of(system, key=("f_key",))
        assert connector.state(system.connection, everything) == SourceState()


@pytest.mark.fault("F16", "reading on from the end of a look finds rows of that same moment too")
def test_a_source_is_read_on_from_where_a_look_has_seen_it_end(system: System) -> None:
    connector, some = connectors.connector(system.kind), rows(40)
    assert isinstance(connector, News)
    system.fill(some[:25])
    since = some[1]["at"].isoformat() if system.incremental else None
    request = request_of(system, since=since, key=("f_key",))
    place = connector.state(system.connection, request).end
    by_cursor = (system.options.get("paginator") or {}).get("kind") == "keyset"
    assert (place is not None) == (by_cursor or system.connection.conn_type in TIMED)
    if place is None:
        return
    equal = {**some[30], "at": some[24]["at"]}
    system.fill([*some[:25], equal, *some[35:]])
    on = replace(request, since=place.since, page=place.page)
    before = connector.state(system.connection, on).digest
    chunks = connector.read(system.connection, on)
    found = [row for chunk in chunks for row in chunk.batch.to_pylist()]
    wanted = {normal(row) for row in (some[24], equal, *some[35:])}
    assert wanted <= set(map(normal, found))
    assert len(found) < 31, "what lies before is not read"
    system.fill([*some[:25], equal, *some[34:]])
    assert connector.state(system.connection, on).digest != before


@pytest.mark.fault("F32", "a dropped column stops the transfer and is named")
def test_a_missing_column_is_named(system: System) -> None:
    system.fill(rows(3))
    whole = request_of(system)
    asked = ReadRequest(whole.dataset, (*whole.columns, Column("extra", "nowhere")), whole.options)
    with pytest.raises((SchemaMismatch, ConfigError)):
        list(connectors.connector(system.kind).read(system.connection, asked))


@pytest.mark.fault("F32", "an unknown column is refused or never read")
def test_an_unknown_column_is_refused_or_never_read(system: System) -> None:
    system.fill(rows(3))
    whole = request_of(system)
    fewer = ReadRequest(whole.dataset, whole.columns[:-1], whole.options)
    try:
        chunks = list(connectors.connector(system.kind).read(system.connection, fewer))
    except SchemaMismatch as error:
        assert "number" in str(error)
    else:
        assert all("f_number" not in c.batch.schema.names for c in chunks)


def parcel(count: int, delivery: str, leave: Callable[..., None] = free) -> Parcel:
    schema = pa.schema(
        [
            ("key", pa.string()),
            ("name", pa.string()),
            ("amount", pa.decimal128(16, 2)),
            ("born", pa.date32()),
            ("at", pa.timestamp("us", "UTC")),
            ("number", pa.int64()),
        ]
    )
    table = pa.Table.from_pylist(rows(count), schema=schema)
    return Parcel(
        delivery,
        "f00-test",
        schema,
        ("key",),
        iter(table.to_batches(max_chunksize=16)),
        {"purpose": "A7-01"},
        leave,
        marked,
    )


def test_a_delivery_arrives_and_its_repeat_changes_nothing(inbox: System) -> None:
    connector = connectors.connector(inbox.kind)
    options = connector.sink_options.model_validate(inbox.sink)
    name = f"d-{os.urandom(4).hex()}"
    first = connector.send(inbox.connection, options, parcel(25, name))
    assert (first.rows, first.already) == (25, 0)
    before = inbox.held()
    assert sorted(str(r["key"]) for r in before) == [r["key"] for r in rows(25)]
    assert {r["key"]: r["name"] for r in before} == {r["key"]: r["name"] for r in rows(25)}
    again = connector.send(inbox.connection, options, parcel(25, name))
    assert again.already == again.parts
    assert again.digest == first.digest
    assert inbox.held() == before


def test_what_was_delivered_is_read_back_as_it_left(inbox: System) -> None:
    connector = connectors.connector(inbox.kind)
    assert isinstance(connector, Readable) == (inbox.kind in connectors.READ_BACK)
    if not isinstance(connector, Readable):
        return
    options = connector.sink_options.model_validate(inbox.sink)
    request = ReadRequest("f00-test", tuple(Column(n, n) for n in COLUMNS), options)
    delivery = f"f00-test-{os.urandom(6).hex()}"  # the table of deliveries outlives a test
    sent = parcel(40, delivery)
    connector.send(inbox.connection, options, sent)
    arrivals = Arrivals(("key",), lambda _there: (Sending(delivery, confirmed=True),))
    held = connector.held(inbox.connection, request, arrivals)
    found = as_canonical((c.batch for c in held.chunks if isinstance(c, Chunk)), sent.schema)
    assert found == as_canonical(parcel(40, "").batches, sent.schema)


class Backwards:
    """A sealer that anybody can open: the content turned round, by part."""

    note: ClassVar[dict[str, Any]] = {"format": 0}

    def __init__(self) -> None:
        self.parts: dict[int, bytes] = {}

    def sealed(self, part: int, plain: BinaryIO) -> Iterator[bytes]:
        assert part not in self.parts
        self.parts[part] = plain.read()
        yield self.parts[part][::-1]


def test_of_what_is_sealed_nothing_leaves_in_clear(inbox: System) -> None:
    connector = connectors.connector(inbox.kind)
    assert isinstance(connector, Sealing) == (inbox.kind in connectors.SEALING)
    if not isinstance(connector, Sealing):
        return
    options = connector.sink_options.model_validate(inbox.sink)
    sealer, told = Backwards(), []
    name = f"f00-test-{os.urandom(6).hex()}"
    keys = pa.table({"key": ["k77777"]}).to_batches()
    sent = replace(
        parcel(25, name),
        sealer=sealer,
        deletes=iter(keys),
        sign=lambda manifest: told.append(dict(manifest)) or dict(manifest),
    )
    done = connector.send(inbox.connection, options, sent)
    assert (done.rows, done.deleted) == (25, 1)
    (manifest,) = told
    assert manifest["sealing"] == sealer.note
    assert manifest["rows"] == 25
    assert sorted(sealer.parts) == list(range(1, len(sealer.parts) + 1))
    assert any(b"k77777" in content or b"PAR1" in content for content in sealer.parts.values())


def test_keys_to_drop_are_dropped_and_a_repeat_changes_nothing(inbox: System) -> None:
    connector = connectors.connector(inbox.kind)
    options = connector.sink_options.model_validate(inbox.sink)
    first, second = (f"f00-test-{n}-{os.urandom(6).hex()}" for n in (1, 2))
    connector.send(inbox.connection, options, parcel(10, first))

    def dropping() -> Parcel:
        keys = pa.table({"key": ["k00001", "k00002", "k77777"]}).to_batches()
        return replace(parcel(1, second), deletes=iter(keys))

    sent = connector.send(inbox.connection, options, dropping())
    assert (sent.rows, sent.deleted, sent.already) == (1, 3, 0)
    again = connector.send(inbox.connection, options, dropping())
    assert (again.rows, again.deleted, again.already) == (1, 3, again.parts)
    if not isinstance(connector, Readable):
        return
    request = ReadRequest("f00-test", tuple(Column(n, n) for n in COLUMNS), options)
    sendings = tuple(Sending(delivery, confirmed=True) for delivery in (first, second))
    held: set[str] = set()
    arrivals = Arrivals(("key",), lambda _there: sendings)
    for part in connector.held(inbox.connection, request, arrivals).chunks:
        if isinstance(part, Chunk):
            held |= set(part.batch.column("key").to_pylist())
        else:
            held -= set(part.keys.column("key").to_pylist())
    assert held == {row["key"] for row in rows(10)} - {"k00001", "k00002"}


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v not in RECEIVING])
def test_what_is_read_only_takes_no_delivery(variant: str, tmp_path: Path, postgres: str) -> None:
    with opened(variant, tmp_path, postgres) as system:
        connector = connectors.connector(system.kind)
        with pytest.raises(ValueError, match="choices: files, rest, sql"):
            connector.sink_options.model_validate({"path": "/inbox"})
        with pytest.raises(ConfigError, match="f00-test: nothing is delivered"):
            connector.send(system.connection, request_of(system).options, parcel(3, "d-none"))


def as_canonical(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> list[str]:
    return sorted(
        repr(row)
        for batch in batches
        for row in zip(
            *(canonical_text(batch.column(f.name), f.type).to_pylist() for f in schema), strict=True
        )
    )


def test_nothing_arrives_when_deliveries_are_stopped(inbox: System) -> None:
    def stopped(_rows: int = 0) -> None:
        msg = "stopped"
        raise PolicyError(msg)

    connector = connectors.connector(inbox.kind)
    options = connector.sink_options.model_validate(inbox.sink)
    with pytest.raises(PolicyError, match="stopped"):
        connector.send(inbox.connection, options, parcel(25, "d-stopped", stopped))
    assert inbox.held() == []


@pytest.mark.parametrize(
    "variant",
    [v for v in VARIANTS if v.startswith(("rest", "soap", "csv-sftp")) or v in DATABASES[:-1]],
)
def test_a_system_that_is_down_is_unavailable(variant: str, tmp_path: Path, postgres: str) -> None:
    with opened(variant, tmp_path, postgres) as system:
        pinned = {k: v for k, v in system.connection.extra.items() if k == "host_key"}
        down = system.connection.model_copy(
            update={"port": 1, "host": "127.0.0.1", "extra": pinned}
        )
        with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1"):
            list(connectors.connector(system.kind).read(down, request_of(system)))


def test_what_is_not_there_is_named(system: System) -> None:
    if system.kind == "push":
        gone = {"extra": {"path": "/nowhere_at_all"}}
        system.connection = system.connection.model_copy(update=gone)
        with pytest.raises(ConfigError, match="names no folder"):
            read(system)
        return
    places = {"sql": "table", "rest": "path", "soap": "operation", "files": "directory"}
    place = places[system.kind]
    system.options[place] = "nowhere_at_all"
    if system.kind == "rest":
        system.script += [404]
    with pytest.raises((ConfigError, ProtocolError), match="nowhere_at_all"):
        read(system)


@pytest.mark.fault("F08", "a refused login is not tried again and not shown")
def test_a_wrong_password_is_not_tried_again_and_not_shown(tmp_path: Path, postgres: str) -> None:
    with opened("csv-sftp-gb18030", tmp_path, postgres) as system:
        wrong = system.connection.model_copy(
            update={"password": type(system.connection.password)("hunter2")}
        )
        with pytest.raises(ConfigError) as caught:
            list(connectors.connector("files").read(wrong, request_of(system)))
        assert "hunter2" not in str(caught.value)
    with opened("rest-keyset", tmp_path, postgres) as system:
        system.script += [401, 200]
        with pytest.raises(ConfigError, match="refused"):
            read(system)
        assert system.script == [200]


def test_a_host_key_must_be_pinned_and_right(tmp_path: Path, postgres: str) -> None:
    with opened("csv-sftp-gb18030", tmp_path, postgres) as system:
        for key, words in (
            ("", "host_key is required"),
            (
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJ",
                "pinned host key",
            ),
        ):
            other = system.connection.model_copy(update={"extra": {"host_key": key}})
            with pytest.raises(OnecardError, match=words):
                list(connectors.connector("files").read(other, request_of(system)))


@pytest.mark.fault("F08", "429, 502, 503 and 504 are tried again")
@pytest.mark.parametrize("statuses", [[429], [503, 502], [504, 429]])
def test_passing_statuses_are_tried_again(
    tmp_path: Path, postgres: str, statuses: list[int]
) -> None:
    with opened("rest-keyset", tmp_path, postgres) as system:
        system.fill(rows(12))
        system.script += statuses
        assert len(read(system)) == 12


@pytest.mark.fault("F08", "a server that stays busy is given up after bounded attempts")
def test_a_busy_system_is_given_up_in_the_end(tmp_path: Path, postgres: str) -> None:
    with opened("rest-keyset", tmp_path, postgres) as system:
        system.script += [429] * 10
        with pytest.raises(SourceUnavailable, match="429 after 3 attempts"):
            read(system)


@pytest.mark.fault("F09", "HTML, an error body and half a document fail the transfer")
@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"<html>maintenance</html>", "text/html"),
        (b"<html>maintenance</html>", "application/json"),
        (b'{"error": "x"}', "application/json"),
        (b'{"list": [', "application/json"),
    ],
)
def test_a_page_that_is_no_data_fails_the_transfer(
    tmp_path: Path, postgres: str, raw: bytes, kind: str
) -> None:
    with opened("rest-keyset", tmp_path, postgres) as system:
        system.server.raw, system.server.kind = raw, kind  # type: ignore[attr-defined]
        with pytest.raises(FatalError):
            read(system)


RECORD = (
    b'{"key": "a", "name": "x", "amount": "1.00", "born": "2000-01-01",'
    b' "at": "2026-01-01T00:00:00+08:00", "number": "9"}'
)


@pytest.mark.fault("F11", "a repeated page or cursor loop is refused")
@pytest.mark.fault("F12", "more without a cursor is refused, not taken for the end")
@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"list": [%s], "next": "7", "more": true}' % RECORD, "repeated|loop"),
        (b'{"list": [], "next": null, "more": true}', "no next cursor"),
    ],
)
def test_cursor_loops_and_broken_ends_are_found(
    tmp_path: Path, postgres: str, raw: bytes, words: str
) -> None:
    with opened("rest-keyset", tmp_path, postgres) as system:
        system.server.raw = raw  # type: ignore[attr-defined]
        with pytest.raises(ProtocolError, match=words):
            read(system)


@pytest.mark.fault("F30", "each damaged record costs only itself")
def test_damaged_json_records_cost_only_themselves(tmp_path: Path, postgres: str) -> None:
    good = (
        '{"key":"a","name":"x","amount":"1.00","born":"2000-01-01","at":"2026-01-01T00:00:00+08:00","number":'
        + "9" * 5000
        + "}"
    )
    bad = ['{"key":"b","key":"c"}', '{"key":NaN}', '{"key":{"deep":1}}', "[1]", '{"key":"\\ud800"}']
    raw = ('{"list":[' + ",".join([good, *bad]) + '],"next":null,"more":false}').encode()
    with opened("rest-keyset", tmp_path, postgres) as system:
        system.server.raw = raw  # type: ignore[attr-defined]
        (chunk,) = list(reading(system))
    assert dict(chunk.damaged) == dict.fromkeys(range(1, 6), "record.json")
    assert chunk.batch.to_pylist()[0]["f_number"] == "9" * 5000


@pytest.mark.fault("F13", "waits without a manifest; refused when unlike it")
def test_files_wait_for_their_manifest_and_must_be_what_it_says(tmp_path: Path) -> None:
    system = files(conn(conn_type="fs", extra={"path": str(tmp_path)}), tmp_path, {"kind": "csv"})
    system.fill(rows(5))
    data, note = tmp_path / "out" / "rows.csv", tmp_path / "out" / "rows.csv.manifest.json"
    kept = note.read_text()
    note.unlink()
    waiting = reading(system)
    assert list(waiting) == []
    assert waiting.waiting == ("rows.csv",)
    note.write_text(kept.replace('"rows": 5', '"rows": 6'))
    refused = reading(system)
    assert list(refused) == []
    assert [r.rule for r in refused.refused] == ["manifest.rows"]
    note.write_text(kept)
    data.write_bytes(data.read_bytes().replace(b"k00001", b"k99999"))
    refused = reading(system)
    assert list(refused) == []
    assert [r.rule for r in refused.refused] == ["manifest.digest"]


@pytest.mark.fault("F14", "a new digest under an old name is read again")
def test_a_replaced_file_is_read_again(tmp_path: Path) -> None:
    system = files(conn(conn_type="fs", extra={"path": str(tmp_path)}), tmp_path, {"kind": "csv"})
    system.fill(rows(5))
    first = reading(system)
    assert sum(c.batch.num_rows for c in first) == 5
    system.fill(rows(6))
    assert sum(c.batch.num_rows for c in reading(system, checkpoint=first.checkpoint)) == 6


@pytest.mark.fault("F25", "only the damaged lines are lost, each with its rule")
def test_a_damaged_csv_record_swallows_no_other(tmp_path: Path) -> None:
    system = files(conn(conn_type="fs", extra={"path": str(tmp_path)}), tmp_path, {"kind": "csv"})
    lines = [",".join("" if v is None else v for v in texts(r).values()).encode() for r in rows(6)]
    lines[1] = b'"' + lines[1]
    lines[2] = lines[2].rpartition(b",")[0]
    lines[3] = b"\xff\xfe" + lines[3]
    lines[4] = lines[4].replace(b"k00004", b'"k0\n4"')
    from tests.connectors.systems import put

    put(
        tmp_path / "out",
        "rows.csv",
        b"\xef\xbb\xbf" + b"\r\n".join([",".join(COLUMNS).encode(), *lines]) + b"\r\n",
        6,
    )
    (chunk,) = list(reading(system))
    assert dict(chunk.damaged) == {1: "record.cells", 2: "record.cells", 3: "record.encoding"}
    assert [r["f_key"] for r in chunk.batch.to_pylist()] == [
        "k00000",
        None,
        None,
        None,
        "k0\n4",
        "k00005",
    ]


@pytest.mark.fault("F33", "a folder outside the base is no valid option")
@pytest.mark.parametrize("name", ["../evil.csv", "/abs"])
def test_a_folder_outside_the_base_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="below"):
        connectors.connector("files").source_options.model_validate(
            {"directory": name, "pattern": "*", "format": {"kind": "csv"}}
        )
