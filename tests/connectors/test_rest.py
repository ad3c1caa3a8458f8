"""The REST connector reads pages from a real loopback HTTP server that answers as scripted."""

from __future__ import annotations

import json
import socket
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from connectors.rest.connector import RestConnector
from onecard.errors import ConfigError, ProtocolError, SchemaMismatch, SourceUnavailable
from onecard.ports.choice import Only
from onecard.ports.source import Column, ReadRequest
from tests.connectors.rest_server import (
    KEYSET,
    NUMBERED,
    SECRET,
    Server,
    keyset,
    one,
    read,
    rows,
    system,
)


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
