"""The REST connector against a real loopback HTTP server that answers as scripted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from connectors.http import news
from connectors.rest import page
from connectors.rest.connector import RestConnector
from onecard.base.connections import Connection
from onecard.errors import (
    ConfigError,
    PolicyError,
    ProtocolError,
    SchemaMismatch,
    SourceUnavailable,
)
from onecard.ports.choice import Only
from onecard.ports.news import UNTOLD, SourceState
from onecard.ports.sink import Leave, Parcel
from onecard.ports.source import Chunk, Column, ReadRequest
from tests.connectors.systems import free, marked

SECRET = "s3cret-pass"
KEYSET = {
    "kind": "keyset",
    "cursor_param": "after",
    "next": "data.next",
    "has_more": "data.more",
    "size_param": "limit",
    "size": 2,
}
NUMBERED = {
    "kind": "page_number",
    "page_param": "page",
    "size_param": "size",
    "size": 2,
    "total": "total",
}


class Server(ThreadingHTTPServer):
    """Asks `answer(request)` for what to say; keeps every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], Any] = lambda _: {}


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve(None)

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, *_: object) -> None:
        return

    def _serve(self, body: Any) -> None:
        parts = urlsplit(self.path)
        call = {
            "path": parts.path,
            "query": dict(parse_qsl(parts.query)),
            "headers": {k.lower(): v for k, v in self.headers.items()},
            "body": body,
        }
        self.server.seen.append(call)
        answer = self.server.answer(call)
        status, document, headers = answer if isinstance(answer, tuple) else (200, answer, {})
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        length = {"Content-Length": str(len(data))}
        for name, value in {"Content-Type": "application/json", **length, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = "Content-Length" in headers


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


def system(server: Server, **more: Any) -> Connection:
    port = server.server_address[1]
    fields = {"conn_type": "http", "host": "127.0.0.1", "port": port, "login": "hub"}
    return Connection.model_validate({"id": "api", **fields, "password": SECRET, **more})


def read(server: Server, *, request: dict[str, Any] | None = None, **options: Any) -> list[Chunk]:
    given = {"path": "/rows", "records": "data.items", "paginator": KEYSET, **options}
    given = {"auth": {"kind": "bearer"}, "attempts": 3, "max_wait_s": 0.05, "timeout_s": 2, **given}
    columns = (Column("x", "X"), Column("y", "Y", required=False))
    found = RestConnector.source_options.model_validate(given)
    asked = ReadRequest("agency/dataset", columns, found, **(request or {}))
    return list(RestConnector().read(system(server), asked))


def rows(chunks: list[Chunk]) -> list[Any]:
    return [row for c in chunks for row in c.batch.to_pylist()]


def keyset(items: list[Any]) -> Callable[[dict[str, Any]], Any]:
    def answer(call: dict[str, Any]) -> Any:
        start, size = int(call["query"].get("after", "0")), int(call["query"]["limit"])
        more = start + size < len(items)
        following = str(start + size) if more else None
        return {"data": {"items": items[start : start + size], "next": following, "more": more}}

    return answer


def one(*items: Any) -> dict[str, Any]:
    return {"data": {"items": list(items), "next": None, "more": False}}


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("batch_rows", [1, 2, 3, 100])
def test_keyset_pages_arrive_whole_in_bounded_chunks(
    server: Server, count: int, batch_rows: int
) -> None:
    server.answer = keyset([{"X": f"𠮷{i}", "Y": None} for i in range(count)])
    chunks = read(server, request={"batch_rows": batch_rows})
    assert rows(chunks) == [{"x": f"𠮷{i}", "y": None} for i in range(count)]
    assert all(0 < c.batch.num_rows <= batch_rows for c in chunks)
    assert [c.first_row for c in chunks] == [1 + i * batch_rows for i in range(len(chunks))]
    assert {c.origin for c in chunks} <= {"/rows"}


def test_one_page_at_a_time_stands_as_objects(server: Server) -> None:
    """A chunk of 50 pages costs the memory of its text, not that of 50,000 parsed records."""
    pages, size = 50, 1_000

    def answer(call: dict[str, Any]) -> Any:
        start = int(call["query"].get("after", "0"))
        items = [{"X": str(n), "Y": "y"} for n in range(start, start + size)]
        more = start + size < pages * size
        return {"data": {"items": items, "next": str(start + size) if more else None, "more": more}}

    server.answer = answer
    tracemalloc.start()
    try:
        (chunk,) = read(server, paginator={**KEYSET, "size": size})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert chunk.batch.num_rows == pages * size
    assert peak < 5_000_000


@pytest.mark.fault("F12", "reading goes on to the promised total")
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_numbered_pages_run_to_the_total(server: Server, count: int, first: int) -> None:
    def answer(call: dict[str, Any]) -> Any:
        start = (int(call["query"]["page"]) - first) * 2
        items = [{"X": i, "Y": "y"} for i in range(count)][start : start + 2]
        return {"data": {"items": items}, "total": count}

    server.answer = answer
    found = rows(read(server, paginator={**NUMBERED, "first": first}))
    assert [r["x"] for r in found] == [str(i) for i in range(count)]
    assert len(server.seen) == count // 2 + 1, "a full last page is believed when none follows"


def test_since_params_and_size_are_sent(server: Server) -> None:
    server.answer = lambda _: one()
    since = "2026-11-01T00:00:00+08:00"
    options = {"since_param": "from", "params": {"area": "4101"}}
    read(server, request={"since": since}, **options)
    read(server, **options)
    assert server.seen[0]["query"] == {"area": "4101", "from": since, "limit": "2"}
    assert "from" not in server.seen[1]["query"]


def test_some_values_are_asked_for_one_by_one(server: Server) -> None:
    def answer(call: dict[str, Any]) -> Any:
        return one(
            {"X": call["query"]["xValue"], "Y": "1"}, {"X": call["query"]["xValue"], "Y": "2"}
        )

    server.answer = answer
    given = {"path": "/rows", "records": "data.items", "paginator": KEYSET, "since_param": "from"}
    columns = (Column("x", "X"), Column("y", "Y", required=False))

    def chosen(by: dict[str, str]) -> Any:
        options = RestConnector.source_options.model_validate({**given, "by": by})
        asked = ReadRequest("agency/dataset", columns, options)
        return RestConnector().read_only(system(server), asked, Only("x", ("a", "b")))

    found = rows(list(chosen({"x": "xValue"})))
    assert [(r["x"], r["y"]) for r in found] == [("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")]
    assert [call["query"] for call in server.seen] == [
        {"xValue": value, "limit": "2"} for value in ("a", "b")
    ]
    assert chosen({"y": "yValue"}) is None, "it names no parameter for that field"


@pytest.mark.fault("F11", "a cursor loop is refused")
@pytest.mark.fault("F12", "more without a cursor is refused")
@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"items": [{"X": "a"}], "next": "c", "more": True}, "loop"),
        ({"items": [], "next": None, "more": True}, "no next cursor"),
        ({"items": [], "next": ["c"], "more": True}, "no cursor"),
        ({"items": {}, "next": None, "more": False}, "no list"),
    ],
)
def test_broken_keyset_pages_are_refused(server: Server, data: Any, says: str) -> None:
    number = iter(range(100))
    server.answer = lambda _: {
        "data": {**data, "items": [{"X": str(next(number))}] if data["items"] else data["items"]}
    }
    with pytest.raises(ProtocolError, match=says):
        read(server)


@pytest.mark.fault("F11", "a repeated page is refused, even when damaged")
@pytest.mark.parametrize("spoilt", [b'{"X":"a"}', b'{"X":NaN}'])
def test_a_repeated_page_is_refused_even_when_damaged(server: Server, spoilt: bytes) -> None:
    page = b'{"data":{"items":[' + spoilt + b"," + spoilt + b']},"total":9}'
    server.answer = lambda _: (200, page, {})
    with pytest.raises(ProtocolError, match="repeated"):
        read(server, paginator=NUMBERED)


@pytest.mark.fault("F10", "fewer rows than the total: refused")
def test_fewer_rows_than_the_total_are_refused(server: Server) -> None:
    server.answer = lambda call: {
        "data": {"items": [{"X": "a"}] if call["query"]["page"] == "1" else []},
        "total": 5,
    }
    with pytest.raises(ProtocolError, match="promised 5 rows and gave 1"):
        read(server, paginator=NUMBERED)


@pytest.mark.parametrize("total", [None, "many", -1, 1.5, "٣"])
def test_a_total_that_is_no_number_is_refused(server: Server, total: Any) -> None:
    server.answer = lambda _: {"data": {"items": []}, "total": total}
    with pytest.raises(ProtocolError, match="gives no total"):
        read(server, paginator=NUMBERED)


def reading(server: Server, **options: Any) -> Any:
    """As `read`, for what it remarks: a key X, and Y."""
    given = {"path": "/rows", "records": "data.items", "paginator": KEYSET, **options}
    found = RestConnector.source_options.model_validate({"attempts": 1, **given})
    columns = (Column("x", "X", key=True), Column("y", "Y", required=False))
    return RestConnector().read(system(server), ReadRequest("agency/dataset", columns, found))


@pytest.mark.case("page-3", "says more in any word, gives no way on: refused")
@pytest.mark.parametrize("more", ["true", "True", "TRUE", 1, "1", True])
def test_more_without_a_way_on_is_refused(server: Server, more: Any) -> None:
    server.answer = lambda _: {"data": {"items": [{"X": "a"}], "next": None, "more": more}}
    with pytest.raises(ProtocolError, match="says there is more but names no next cursor"):
        read(server)


@pytest.mark.case("page-3", "a flag that is neither yes nor no, or silence, is refused")
@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"next": None, "more": "yes"}, "neither true nor false"),
        ({"next": None, "more": 2}, "neither true nor false"),
        ({"next": None, "more": [False]}, "neither true nor false"),
        ({}, "nothing tells whether this is the last page"),
    ],
)
def test_a_flag_that_says_nothing_is_refused(server: Server, data: Any, says: str) -> None:
    server.answer = lambda _: {"data": {"items": [{"X": "a"}], **data}}
    with pytest.raises(ProtocolError, match=says):
        read(server)


@pytest.mark.case("page-3", "no more in any word ends the reading")
@pytest.mark.parametrize("more", ["false", "False", 0, "0", False, None])
def test_no_more_in_any_word_is_the_end(server: Server, more: Any) -> None:
    server.answer = lambda _: {"data": {"items": [{"X": "a"}], "next": None, "more": more}}
    assert len(rows(read(server))) == 1
    assert len(server.seen) == 1


@pytest.mark.case("page-3", "no more, but a cursor: an empty page proves it, rows are read")
@pytest.mark.parametrize("behind", ["nothing", "the same", "rows"])
def test_no_more_beside_a_cursor(server: Server, behind: str) -> None:
    pages: dict[str, list[Any]] = {
        "0": [{"X": "a"}],
        "1": {"nothing": [], "the same": [{"X": "a"}], "rows": [{"X": "b"}]}[behind],
        "2": [],
    }

    def answer(call: dict[str, Any]) -> Any:
        place = call["query"].get("after", "0")
        return {"data": {"items": pages[place], "next": str(int(place) + 1), "more": False}}

    server.answer = answer
    found = reading(server)
    assert [r["x"] for r in rows(list(found))] == (["a", "b"] if behind == "rows" else ["a"])
    said = ("/rows: said there is no more, and 1 rows came",)
    assert found.remarks == (said if behind == "rows" else ())


@pytest.mark.case("page-4", "more rows than told: all are read, both numbers are remarked")
@pytest.mark.parametrize("told", [0, 1, 2, 3, 4, "3"])
@pytest.mark.parametrize("size", [2, 3, 7])
def test_more_rows_than_the_total(server: Server, told: Any, size: int) -> None:
    def answer(call: dict[str, Any]) -> Any:
        start = (int(call["query"]["page"]) - 1) * size
        items = [{"X": str(i)} for i in range(7)][start : start + size]
        return {"data": {"items": items}, "total": told}

    server.answer = answer
    found = reading(server, paginator={**NUMBERED, "size": size})
    assert [r["x"] for r in rows(list(found))] == [str(i) for i in range(7)]
    assert found.remarks == (f"/rows: told of {told} rows, and 7 came",)


@pytest.mark.case("page-4", "a page behind the last that is refused or repeated ends the reading")
@pytest.mark.parametrize("beyond", ["refused", "repeated", "null"])
def test_an_api_that_has_no_page_behind_its_last(server: Server, beyond: str) -> None:
    last: list[Any] = [{"X": "c"}, {"X": "d"}]

    def answer(call: dict[str, Any]) -> Any:
        page = int(call["query"]["page"])
        if page > 2 and beyond == "refused":
            return 400, {"message": "no such page"}, {}
        items = [{"X": "a"}, {"X": "b"}] if page == 1 else last
        return {"data": {"items": None if page > 2 and beyond == "null" else items}, "total": 4}

    server.answer = answer
    found = reading(server, paginator=NUMBERED)
    assert [r["x"] for r in rows(list(found))] == ["a", "b", "c", "d"]
    assert found.remarks == ()


@pytest.mark.case("page-5", "a key has one form however its number is written, others their text")
def test_a_key_has_one_form(server: Server) -> None:
    numbers = ["1", "1.0", "1e0", "10E-1", "0.1e1", '"1"', "1.50", "1.5", "15e-1", "-0.0", "1e-7"]
    items = ",".join(f'{{"X":{n},"Y":{n}}}' for n in [*numbers, "1e400000"])
    server.answer = lambda _: (200, f'{{"data":{{"items":[{items}],"next":null}}}}'.encode(), {})
    found = rows(list(reading(server)))
    assert [r["x"] for r in found] == [
        *["1"] * 6, "1.5", "1.5", "1.5", "0", "0.0000001", "1e400000",
    ]  # fmt: skip
    assert [r["y"] for r in found] == [n.strip('"') for n in [*numbers, "1e400000"]]


@pytest.mark.case("page-5", "true and false are no key: their rows are rejected, no other")
def test_a_boolean_is_no_key(server: Server) -> None:
    items = [{"X": True, "Y": "a"}, {"X": "true", "Y": True}, {"X": False}]
    server.answer = lambda _: one(*items)
    (chunk,) = reading(server)
    assert chunk.damaged == dict.fromkeys((0, 2), "record.boolean")
    assert chunk.batch.to_pylist()[1] == {"x": "true", "y": "true"}


@pytest.mark.case("people-19", "keys of JSON are shown by the same rule as names of columns")
def test_unknown_keys_are_shown_where_they_are_names(server: Server) -> None:
    server.answer = lambda _: one({"X": "a", "备用": ""}, {"X": "b", "410101199001011234": ""})
    with pytest.raises(SchemaMismatch, match=r"column \(name not shown\), 备用 is not") as refused:
        list(reading(server))
    assert "199001" not in str(refused.value)
    server.answer = lambda _: one({"吴娜": "a"}, {"X": "b"})
    with pytest.raises(SchemaMismatch, match=r"column \(name not shown\) is not") as refused:
        list(reading(server))
    assert "吴娜" not in str(refused.value)


@pytest.mark.fault("F31", "amounts keep their exact text, never a float")
def test_numbers_keep_their_exact_text(server: Server) -> None:
    body = (
        b'{"data":{"items":[{"X":0.10,"Y":12345678901234567890123},{"X":-0,"Y":true}],"next":null}}'
    )
    server.answer = lambda _: (200, body, {})
    assert rows(read(server)) == [
        {"x": "0.10", "y": "12345678901234567890123"},
        {"x": "-0", "y": "true"},
    ]


@pytest.mark.fault("F30", "such a record is damaged alone")
@pytest.mark.parametrize(
    "record",
    [
        '{"X":1,"X":2}',
        '{"X":NaN}',
        '{"X":-Infinity}',
        '{"X":{"a":1}}',
        '{"X":["a"]}',
        '{"X":{"a":1,"a":2}}',
        '{"X":"\\ud842"}',
        "7",
        "null",
        "[]",
    ],
)
def test_a_record_that_is_no_flat_object_is_damaged_alone(server: Server, record: str) -> None:
    body = f'{{"data":{{"items":[{{"X":"a"}},{record},{{"X":"b"}}],"next":null}}}}'
    server.answer = lambda _: (200, body.encode(), {})
    (chunk,) = read(server)
    assert chunk.damaged == {1: "record.json"}
    assert [r["x"] for r in chunk.batch.to_pylist()] == ["a", None, "b"]


@pytest.mark.fault("F32", "unknown and missing keys are refused by name")
@pytest.mark.parametrize(("row", "names"), [({"X": "1", "Z": "v"}, "Z"), ({"Y": "v"}, "X")])
def test_unknown_and_missing_keys_are_named(server: Server, row: Any, names: str) -> None:
    server.answer = lambda _: one(row)
    with pytest.raises(SchemaMismatch, match=names) as error:
        read(server)
    assert "'v'" not in str(error.value)


@pytest.mark.fault("F08", "a busy server is tried again")
@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_busy_servers_are_tried_again(server: Server, status: int) -> None:
    script = [(status, b"", {"Retry-After": "0"})] * 2
    server.answer = lambda _: script.pop() if script else one({"X": "a"})
    assert len(rows(read(server))) == 1
    assert len(server.seen) == 3


@pytest.mark.fault("F08", "given up after the allowed attempts")
@pytest.mark.parametrize(("status", "calls"), [(429, 3), (503, 3), (500, 1)])
def test_servers_that_stay_busy_are_unavailable(server: Server, status: int, calls: int) -> None:
    server.answer = lambda _: (status, b"", {})
    with pytest.raises(SourceUnavailable, match=f"HTTP {status}"):
        read(server)
    assert len(server.seen) == calls


@pytest.mark.fault("F08", "Retry-After is waited for, as number and as date")
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(server: Server, form: str) -> None:
    times: list[float] = []

    def answer(_: Any) -> Any:
        times.append(time.monotonic())
        later = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
        asked = {"seconds": "1", "date": later}[form]
        return (429, b"", {"Retry-After": asked}) if len(times) == 1 else one()

    server.answer = answer
    read(server, max_wait_s=1.5)
    assert 0.9 <= times[1] - times[0] < 4


@pytest.mark.fault("F07", "a truncated page is fetched again, none of it is taken")
def test_a_truncated_body_is_tried_again(server: Server) -> None:
    whole = json.dumps(one({"X": "a"})).encode()
    script = [(200, whole[:-5], {"Content-Length": str(len(whole))})]
    server.answer = lambda _: script.pop() if script else one({"X": "a"})
    assert rows(read(server)) == [{"x": "a", "y": None}]


@pytest.mark.fault("F07", "a page that stays truncated fails the transfer")
def test_a_body_that_stays_truncated_is_unavailable(server: Server) -> None:
    server.answer = lambda _: (200, b"{", {"Content-Length": "99"})
    with pytest.raises(SourceUnavailable):
        read(server)


@pytest.mark.fault("F07", "a stall ends at the timeout, as unavailable")
def test_timeouts_and_refused_connections_are_unavailable(server: Server) -> None:
    server.answer = lambda _: time.sleep(0.4) or one()
    with pytest.raises(SourceUnavailable, match="Timeout"):
        read(server, timeout_s=0.05, attempts=2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server.server_address = free.getsockname()
        with pytest.raises(SourceUnavailable, match="ConnectionError"):
            read(server, attempts=2)


@pytest.mark.fault("F08", "401, 403 and other refusals are asked once")
@pytest.mark.fault("F09", "HTML with 200 fails, asked once")
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((401, b"{}", {}), ConfigError),
        ((403, b"{}", {}), ConfigError),
        ((404, b"{}", {}), ProtocolError),
        ((302, b"", {"Location": "/elsewhere"}), ProtocolError),
        ((200, b"<html>login</html>", {"Content-Type": "text/html"}), ProtocolError),
        ((200, b"<html>login</html>", {}), ProtocolError),
        ((200, b'{"data":', {}), ProtocolError),
        ((200, b"\xff\xfe", {}), ProtocolError),
        ((200, b"[" * 100_000, {}), ProtocolError),
    ],
)
def test_wrong_answers_are_not_tried_again(server: Server, answer: Any, error: type) -> None:
    server.answer = lambda _: answer
    with pytest.raises(error, match="agency/dataset") as caught:
        read(server)
    assert len(server.seen) == 1
    assert SECRET not in str(caught.value)
    assert "login<" not in str(caught.value)


@pytest.mark.fault("F09", "an error body with 200 fails the transfer")
@pytest.mark.parametrize(("code", "fine"), [("00", True), ("99", False), (None, False)])
def test_the_success_field_is_checked(server: Server, code: Any, fine: bool) -> None:
    server.answer = lambda _: {"code": code, **one({"X": "a"})}
    success = {"field": "code", "value": "00"}
    if fine:
        assert len(rows(read(server, success=success))) == 1
    else:
        with pytest.raises(ProtocolError, match="code = 00"):
            read(server, success=success)


def test_bearer_sends_the_password(server: Server) -> None:
    server.answer = lambda _: one()
    read(server)
    assert server.seen[0]["headers"]["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("password", ["line\nbreak", "密码", None])
def test_a_password_that_no_header_can_carry_is_named_not_shown(
    server: Server, password: str | None
) -> None:
    options = {"path": "/", "records": "r", "paginator": NUMBERED, "auth": {"kind": "bearer"}}
    asked = ReadRequest("a/b", (), RestConnector.source_options.model_validate(options))
    with pytest.raises(ConfigError, match="password") as error:
        list(RestConnector().read(system(server, password=password), asked))
    assert "line" not in str(error.value)


@pytest.mark.parametrize("algorithm", ["sha256", "sm3"])
def test_the_platform_signature_is_right_and_fresh(server: Server, algorithm: str) -> None:
    server.answer = keyset([{"X": str(i)} for i in range(4)])
    read(server, auth={"kind": "platform_signature", "algorithm": algorithm})
    rids = set()
    for call in server.seen:
        sid, rid, rtime, sign = (
            call["headers"][f"gjgxjhpt_{n}"] for n in ("sid", "rid", "rtime", "sign")
        )
        message = f"{sid}{rid}{rtime}".encode()
        if algorithm == "sm3":
            mac = HMAC(SECRET.encode(), hashes.SM3())
            mac.update(message)
            wanted = mac.finalize()
        else:
            wanted = hmac.digest(SECRET.encode(), message, "sha256")
        assert (sid, base64.b64decode(sign)) == ("hub", wanted)
        assert abs(int(rtime) - time.time() * 1000) < 60_000
        rids.add(rid)
    assert len(rids) == 2


class Tokens:
    """An API with a token endpoint: each token is good for so many calls."""

    def __init__(self, items: list[Any], uses: int, expires: Any = 3600) -> None:
        self.pages, self.uses, self.expires = keyset(items), uses, expires
        self.issued, self.left = 0, 0
        self.busy = 0

    def __call__(self, call: dict[str, Any]) -> Any:
        if call["path"] == "/token":
            if self.busy:
                self.busy -= 1
                return 503, b"", {}
            if call["body"] != {"client_id": "hub", "client_secret": SECRET}:
                return 401, b"{}", {}
            self.issued, self.left = self.issued + 1, self.uses
            return {"access_token": f"t{self.issued}", "expires_in": self.expires}
        good = call["headers"]["authorization"] == f"Bearer t{self.issued}" and self.left > 0
        self.left -= 1
        return self.pages(call) if good else (401, b"{}", {})


CREDENTIALS = {"kind": "client_credentials", "token_path": "/token"}


def test_one_token_serves_all_calls_until_it_expires(server: Server) -> None:
    server.answer = api = Tokens([{"X": str(i)} for i in range(10)], uses=99)
    assert len(rows(read(server, auth=CREDENTIALS))) == 10
    assert api.issued == 1


@pytest.mark.parametrize("expires", [3600, "3600", None, "soon"])
def test_a_refused_token_is_renewed_once(server: Server, expires: Any) -> None:
    server.answer = api = Tokens([{"X": str(i)} for i in range(10)], uses=2, expires=expires)
    assert len(rows(read(server, auth=CREDENTIALS))) == 10
    assert api.issued == 3


def test_a_token_is_renewed_before_it_expires(server: Server) -> None:
    server.answer = api = Tokens([{"X": str(i)} for i in range(4)], uses=99, expires=1)
    assert len(rows(read(server, auth=CREDENTIALS))) == 4
    assert api.issued == 2


def test_a_token_that_stays_refused_is_a_wrong_login(server: Server) -> None:
    server.answer = api = Tokens([], uses=0)
    with pytest.raises(ConfigError, match="login refused"):
        read(server, auth=CREDENTIALS)
    assert api.issued == 2


def test_a_busy_token_endpoint_is_tried_again(server: Server) -> None:
    server.answer = api = Tokens([{"X": "1"}], uses=9)
    api.busy = 2
    assert len(rows(read(server, auth=CREDENTIALS))) == 1
    api.busy, api.issued = 99, 0
    with pytest.raises(SourceUnavailable):
        read(server, auth=CREDENTIALS)


def test_secrets_do_not_follow_a_redirect(server: Server) -> None:
    server.answer = lambda _: (307, b"", {"Location": "/other"})
    with pytest.raises(ProtocolError):
        read(server, auth=CREDENTIALS)
    assert [c["path"] for c in server.seen] == ["/token"]


class Inbox:
    """Stores by batch id; may lose acknowledgements or refuse."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] = {}
        self.lose = 0
        self.code = "00"

    def __call__(self, call: dict[str, Any]) -> Any:
        body = call["body"]
        name = body.get("batchId", "manifest")
        known = name in self.stored
        self.stored.setdefault(name, body)
        if self.lose:
            self.lose -= 1
            return 503, b"", {}
        return {"code": "01" if known else self.code}


SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("amount", pa.decimal128(12, 2)),
        ("born", pa.date32()),
        ("at", pa.timestamp("us", "UTC")),
        ("n", pa.int64()),
    ]
)


def send(
    server: Server,
    count: int,
    *,
    batches: int = 1,
    batch_rows: int = 2,
    again: bool = True,
    asked: Any = None,
    leave: Leave = free,
) -> Any:
    row = {"amount": Decimal("0.10"), "born": date(2000, 1, 2), "n": None}
    at = datetime(2026, 11, 1, 16, tzinfo=UTC)
    all_rows = [{"key": f"𠮷{i}", "at": at, **row} for i in range(count)]
    table = pa.Table.from_pylist(all_rows, schema=SCHEMA).combine_chunks()
    parts = table.to_batches(max_chunksize=max(1, -(-count // batches)))
    given = {"path": "/inbox", "batch_rows": batch_rows, "auth": {"kind": "bearer"}}
    wanted = RestConnector.sink_options.model_validate(
        {**given, "attempts": 3, "max_wait_s": 0.05, "count": asked}
    )
    parcel = Parcel("d-1", "f00", SCHEMA, ("key",), iter(parts), {"purpose": "p"}, leave, marked)
    return RestConnector().send(system(server), wanted, replace(parcel, again=again))


@pytest.mark.parametrize(("count", "parts"), [(0, 0), (1, 1), (2, 1), (5, 3)])
def test_batches_and_the_manifest_arrive(server: Server, count: int, parts: int) -> None:
    server.answer = inbox = Inbox()
    sent = send(server, count)
    assert (sent.rows, sent.parts, sent.already) == (count, parts, 0)
    assert server.seen[-1]["path"] == "/inbox/manifest"
    manifest = inbox.stored.pop("manifest")
    assert (manifest["rows"], manifest["purpose"]) == (count, "p")
    assert manifest["signature"] == "signed"
    assert [p["batchId"] for p in manifest["parts"]] == list(inbox.stored)
    digests = [p["digest"] for p in manifest["parts"]]
    assert sent.digest == hashlib.sha256("".join(digests).encode()).hexdigest()
    for number, (name, body) in enumerate(inbox.stored.items(), start=1):
        assert name == f"d-1-{number}-{body['digest'][:8]}"
        assert (body["deliveryId"], body["agreement"], body["sequence"]) == ("d-1", "f00", number)


def test_keys_to_drop_go_before_the_rows_and_stand_in_the_manifest(server: Server) -> None:
    server.answer = inbox = Inbox()
    options = RestConnector.sink_options.model_validate(
        {"path": "/inbox", "batch_rows": 2, "auth": {"kind": "bearer"}}
    )
    keys = pa.table({"key": ["a", "b", "𠮷"]}).to_batches()
    none = iter(pa.Table.from_pylist([], schema=SCHEMA).to_batches())
    parcel = Parcel("d-1", "f00", SCHEMA, ("key",), none, {}, free, marked, iter(keys))
    sent = RestConnector().send(system(server), options, parcel)
    assert (sent.rows, sent.deleted, sent.parts) == (0, 3, 2)
    manifest = inbox.stored.pop("manifest")
    assert (manifest["rows"], manifest["deletes"]) == (0, {"rows": 3})
    bodies = list(inbox.stored.values())
    assert [b["rows"] for b in bodies] == [[], []]
    assert [b["deleted"] for b in bodies] == [[{"key": "a"}, {"key": "b"}], [{"key": "𠮷"}]]
    assert [p["deleted"] for p in manifest["parts"]] == [2, 1]


def test_values_go_as_text(server: Server) -> None:
    server.answer = inbox = Inbox()
    send(server, 1)
    (row,) = next(iter(inbox.stored.values()))["rows"]
    assert (row["key"], row["amount"], row["born"], row["n"]) == ("𠮷0", "0.10", "2000-01-02", None)
    assert row["at"].endswith("+08:00")
    assert datetime.fromisoformat(row["at"]) == datetime(2026, 11, 1, 16, tzinfo=UTC)


def test_a_repeated_parcel_changes_nothing_however_it_is_cut(server: Server) -> None:
    server.answer = inbox = Inbox()
    first = send(server, 5)
    before = dict(inbox.stored)
    again = send(server, 5, batches=3)
    assert (again.parts, again.already, again.digest) == (3, 3, first.digest)
    assert inbox.stored == before


@pytest.mark.fault("F03", "the repeat is answered as stored already")
def test_a_lost_acknowledgement_is_answered_by_the_repeat(server: Server) -> None:
    server.answer = inbox = Inbox()
    inbox.lose = 1
    sent = send(server, 5)
    assert (sent.rows, sent.parts, sent.already) == (5, 3, 1)
    assert len(inbox.stored) == 4


@pytest.mark.fault("F44", "each further try of a request asks first; rows count once")
@pytest.mark.fault("F51", "a request that is tried again leaves no more once it may not")
@pytest.mark.parametrize("refused", [False, True], ids=["goes on", "stopped"])
def test_each_further_try_asks_first_whether_it_may(server: Server, refused: bool) -> None:
    server.answer = inbox = Inbox()
    inbox.lose = 1
    asked: list[int] = []

    def leave(rows: int = 0) -> None:
        asked.append(rows)
        if refused and len(asked) == 2:
            msg = "deliveries are stopped"
            raise PolicyError(msg)

    if refused:
        with pytest.raises(PolicyError):
            send(server, 2, leave=leave)
        assert (asked, len(server.seen)) == ([2, 0], 1)
    else:
        send(server, 2, leave=leave)
        assert (asked, len(server.seen)) == ([2, 0, 0], 3)


@pytest.mark.case("screen-4", "01 to what was never sent before is remarked, with its number")
def test_what_is_known_before_it_was_sent_is_remarked(server: Server) -> None:
    server.answer = lambda _: {"code": "01"}
    sent = send(server, 5, again=False)
    assert (sent.rows, sent.already) == (5, 3)
    (remark,) = sent.remarks
    assert "said 01 (there already) to 4 of 4 requests" in remark
    assert "cannot be counted (delivery option `count`)" in remark


@pytest.mark.case("screen-4", "01 to a repeat, or after a lost answer, is no remark")
def test_a_repeat_that_is_known_is_no_remark(server: Server) -> None:
    server.answer = inbox = Inbox()
    inbox.lose = 1
    assert send(server, 5, again=False).remarks == ()
    assert send(server, 5, again=True).already == 3
    assert send(server, 5, again=True).remarks == ()


def counting(inbox: Inbox, says: Callable[[int], Any]) -> Callable[[dict[str, Any]], Any]:
    """The inbox, which also says how many rows of a delivery it holds."""

    def answer(call: dict[str, Any]) -> Any:
        if call["path"] != "/inbox/count":
            return inbox(call)
        assert call["query"] == {"deliveryId": "d-1"}
        held = sum(len(b.get("parts") or b["rows"]) for b in inbox.stored.values())
        return {"code": "00", "data": {"held": says(held)}}

    return answer


COUNT = {"path": "/inbox/count", "rows": "data.held"}


@pytest.mark.case("screen-4", "the inbox's own count is asked before the manifest, and must agree")
@pytest.mark.parametrize("says", [lambda n: n, str])
def test_an_inbox_that_can_count_is_asked(server: Server, says: Callable[[int], Any]) -> None:
    server.answer = counting(Inbox(), says)
    assert send(server, 5, again=False, asked=COUNT).rows == 5
    assert [c["path"] for c in server.seen[-2:]] == ["/inbox/count", "/inbox/manifest"]


@pytest.mark.case(
    "screen-4", "an inbox that counts fewer rows, or says no number, fails the delivery"
)
@pytest.mark.parametrize(
    ("says", "again", "words"),
    [
        (lambda n: n - 1, False, "5 rows were sent, the receiver holds 4"),
        (lambda n: n - 1, True, "5 rows were sent, the receiver holds 4"),
        (lambda n: n + 1, False, "5 rows were sent, the receiver holds 6"),
        (lambda _: None, False, "no number of rows at 'data.held'"),
        (lambda _: -5, False, "no number of rows"),
        (lambda _: 5.0, False, "no number of rows"),
        (lambda _: "9" * 5000, False, "no number of rows"),
    ],
)
def test_a_wrong_count_fails_the_delivery(
    server: Server, says: Callable[[int], Any], again: bool, words: str
) -> None:
    server.answer = counting(Inbox(), says)
    with pytest.raises(ProtocolError, match=words):
        send(server, 5, again=again, asked=COUNT)
    assert server.seen[-1]["path"] == "/inbox/count"


@pytest.mark.case("screen-4", "rows that an earlier attempt left are none too many")
def test_rows_of_an_earlier_attempt_are_none_too_many(server: Server) -> None:
    server.answer = counting(Inbox(), lambda n: n + 2)
    assert send(server, 5, again=True, asked=COUNT).rows == 5


@pytest.mark.case("people-18", "addresses stand in messages as they were asked for")
@pytest.mark.parametrize("path", ["/rows", "rows", "//rows"])
def test_messages_name_the_address_that_was_asked(server: Server, path: str) -> None:
    server.answer = lambda _: (404, {}, {})
    address = f"http://127.0.0.1:{server.server_address[1]}/rows:"
    with pytest.raises(ProtocolError, match=address):
        read(server, path=path)
    assert server.seen[-1]["path"] == "/rows"


@pytest.mark.parametrize("code", ["02", None, 0])
def test_a_batch_that_is_not_stored_stops_the_delivery(server: Server, code: Any) -> None:
    server.answer = inbox = Inbox()
    inbox.code = code
    with pytest.raises(ProtocolError, match="f00") as error:
        send(server, 5)
    assert len(server.seen) == 1
    assert "𠮷" not in str(error.value)


def test_a_receiver_that_is_down_is_unavailable(server: Server) -> None:
    server.answer = lambda _: (502, b"", {})
    with pytest.raises(SourceUnavailable):
        send(server, 1)


@pytest.mark.parametrize("more", [{"host": None}, {"host": "a b"}])
def test_an_address_that_is_none_is_a_setting_to_mend(server: Server, more: Any) -> None:
    options = {"path": "/", "records": "r", "paginator": NUMBERED}
    asked = ReadRequest("a/b", (), RestConnector.source_options.model_validate(options))
    with pytest.raises((ConfigError, SourceUnavailable)):
        list(RestConnector().read(system(server, **more), asked))


def request_behind(
    page: str | None = None, since: str = "2026-11-01T00:00:00+08:00", **options: Any
) -> ReadRequest:
    """A request for the rows behind a bound, from a page on."""
    given = {"path": "/rows", "records": "data.items", "paginator": KEYSET, "attempts": 1}
    found = RestConnector.source_options.model_validate(
        {**given, "since_param": "since", **options}
    )
    columns = (Column("x", "X"), Column("y", "Y", required=False))
    return ReadRequest("agency/dataset", columns, found, since=since, page=page)


def look(server: Server, page: str | None = None, **options: Any) -> SourceState:
    """The state of the rows behind a bound, from a page on."""
    return RestConnector().state(system(server), request_behind(page, **options))


def asked(server: Server) -> list[str | None]:
    """The cursors that were asked for since the last time."""
    found = [call["query"].get("after") for call in server.seen]
    server.seen.clear()
    return found


def test_a_source_of_many_pages_is_looked_at_from_its_last_one_on(server: Server) -> None:
    items = [{"X": str(n)} for n in range(7)]
    server.answer = keyset(items)
    place = look(server).end
    assert place is not None
    assert (place.since, place.page) == ("2026-11-01T00:00:00+08:00", "6")
    assert asked(server) == [None, "2", "4", "6"]
    states = [look(server, place.page)]
    assert states[0].end == place
    assert asked(server) == ["6"]
    for name in ("7", "8"):  # the last page is full, then there is one more
        items.append({"X": name})
        states.append(look(server, place.page))
        assert look(server, place.page) == states[-1]
    assert len({state.digest for state in states}) == 3
    assert [state.end.page for state in states if state.end] == ["6", "6", "8"]


def test_what_stands_before_a_page_is_seen_from_the_first_one_on(server: Server) -> None:
    items = [{"X": str(n)} for n in range(5)]
    server.answer = keyset(items)
    whole, end = look(server), look(server, "4")
    items[0] = {"X": "late"}
    assert look(server, "4") == end
    assert look(server).digest != whole.digest


def test_a_reading_goes_on_from_a_page(server: Server) -> None:
    server.answer = keyset([{"X": str(n)} for n in range(7)])
    found = list(RestConnector().read(system(server), request_behind("4")))
    assert rows(found) == [{"x": str(n), "y": None} for n in (4, 5, 6)]
    assert asked(server) == ["4", "6"]


def test_so_many_pages_are_read_at_most_and_the_last_of_them_is_read_on_from(
    server: Server,
) -> None:
    server.answer = keyset([{"X": str(n)} for n in range(7)])
    request = replace(request_behind("2"), most_pages=2)
    state = RestConnector().state(system(server), request)
    assert asked(server) == ["2", "4"]
    assert state.end is not None
    assert (state.end.page, state.more) == ("4", True)
    found = list(RestConnector().read(system(server), request))
    assert rows(found) == [{"x": str(n), "y": None} for n in (2, 3, 4, 5)]
    last = RestConnector().state(system(server), replace(request, page="6"))
    assert last.end is not None
    assert (last.end.page, last.more) == ("6", False)


def test_a_page_that_has_not_changed_is_not_parsed_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []
    parse = page.parsed

    def noted(content: bytes, *rest: Any) -> page.Reply:
        parsed.append(content)
        return parse(content, *rest)

    monkeypatch.setattr(page, "parsed", noted)
    items = [{"X": str(n)} for n in range(2)]
    server.answer = keyset(items)
    first = look(server)
    again = len(parsed)
    assert look(server) == first
    assert len(parsed) == again, "the same bytes"
    items[1] = {"X": "changed"}
    changed = look(server)
    assert changed.digest != first.digest
    items[1] = {"X": "1"}
    assert look(server) == first


def test_a_page_that_is_refused_stops_the_look(server: Server) -> None:
    server.answer = lambda _: (400, {}, {})
    with pytest.raises(ProtocolError):
        look(server, "4")


def test_what_a_reply_says_beside_its_rows_is_no_news(server: Server) -> None:
    def answer(call: dict[str, Any]) -> Any:
        return {**one({"X": "1"}, {"X": "2", "x": 1}), "served": len(server.seen)}

    server.answer = answer
    assert look(server) == look(server)


def test_a_source_without_a_bound_or_of_many_numbered_pages_says_nothing(server: Server) -> None:
    assert look(server, since_param=None) == SourceState()
    assert server.seen == []
    server.answer = lambda call: {
        "total": "100",
        "data": {"items": [{"X": call["query"]["page"]}, {"X": "of two"}]},
    }
    assert look(server, paginator={**NUMBERED, "order": "stable"}) == SourceState(UNTOLD)
    assert len(server.seen) == news.MOST_NUMBERED + 1
