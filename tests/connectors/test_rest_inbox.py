"""Parcels to an inbox behind HTTP: batches, manifest, repeats, counts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from connectors.rest.connector import RestConnector
from onecard.errors import ConfigError, PolicyError, ProtocolError, SourceUnavailable
from onecard.ports.sink import Leave, Parcel
from onecard.ports.source import ReadRequest
from tests.connectors.rest_server import NUMBERED, Server, read, system
from tests.connectors.systems import free, marked


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
