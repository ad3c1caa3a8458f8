"""What a door takes of a connection, over real sockets: heads, bodies, requests behind each other."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from fastapi import Request
from fastapi.responses import Response

from onecard.daemon.front import bare_app
from onecard.daemon.refusals import Refusals
from onecard.daemon.serving import MOST_AHEAD, MOST_HEAD_BYTES, Serving, serve

PATIENCE_S = 20.0


async def _echo(request: Request) -> Response:
    """Give the body back, and how often a header came."""
    body = await request.body()
    many = len(request.headers.getlist("x-many"))
    return Response(b"%d:" % many + body)


@pytest.fixture(scope="module")
def door() -> Iterator[Serving]:
    """A door behind which everything is given back."""
    app = bare_app(Refusals())
    app.router.add_route("/echo", _echo, methods=["GET", "POST"])
    serving = serve(app, "127.0.0.1", 0)
    yield serving
    serving.close()
    assert not serving.alive


def talk(door: Serving, *pieces: bytes) -> bytes:
    """What is answered to bytes that come in pieces, until the connection is closed."""
    with socket.create_connection((door.host, door.port), timeout=PATIENCE_S) as line:
        with suppress(ConnectionError):  # it may be closed before all was sent
            for piece in pieces:
                line.sendall(piece)
                time.sleep(0.02)  # each arrives by itself
        answer = b""
        with suppress(ConnectionError):
            while found := line.recv(65_536):
                answer += found
    return answer


def post(body: bytes, *lines: str) -> bytes:
    """A request with a body and header lines of its own."""
    head = ["POST /echo HTTP/1.1", "Host: hub", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode() + body


LAST = "Connection: close"


def test_a_request_may_come_byte_by_byte_and_its_body_too(door: Serving) -> None:
    whole = post(b"abc", LAST)
    pieces = [whole[:10], whole[10:30], *[whole[n : n + 1] for n in range(30, len(whole))]]
    assert talk(door, *pieces).endswith(b"0:abc")


def test_requests_behind_each_other_are_answered_in_their_order(door: Serving) -> None:
    answer = talk(door, post(b"1") + post(b"2") + post(b"3", LAST))
    assert [part[:3] for part in answer.split(b"\r\n\r\n")[1:]] == [b"0:1", b"0:2", b"0:3"]


def test_more_of_them_than_anybody_waits_for_are_refused(door: Serving) -> None:
    answer = talk(door, post(b"x") * (3 * MOST_AHEAD))
    assert b"HTTP/1.1 400 " in answer
    assert answer.count(b"0:x") <= 2 * MOST_AHEAD
    assert talk(door, post(b"alive", LAST)).endswith(b"0:alive")


@pytest.mark.parametrize("size", [200, MOST_HEAD_BYTES])
def test_a_head_that_does_not_end_is_refused(door: Serving, size: int) -> None:
    begun = b"POST /echo HTTP/1.1\r\nHost: hub\r\n"
    line = b"x-many: " + b"y" * size + b"\r\n"
    assert talk(door, begun, *[line] * (2 * MOST_HEAD_BYTES // size)).startswith(b"HTTP/1.1 400 ")
    assert talk(door, begun + line * (2 * MOST_HEAD_BYTES // size)).startswith(b"HTTP/1.1 400 ")


def test_a_line_of_a_head_that_does_not_end_is_refused(door: Serving) -> None:
    begun = b"POST /echo HTTP/1.1\r\nx-many: "
    assert talk(door, begun, *[b"y" * 3_000] * 4).startswith(b"HTTP/1.1 400 ")


def test_a_long_body_before_the_next_head_is_none_of_its_bytes(door: Serving) -> None:
    first, second = post(b"z" * MOST_HEAD_BYTES), post(b"b", LAST)
    answer = talk(door, first + second[:20], second[20:])
    assert answer.endswith(b"0:b")
    assert b"HTTP/1.1 400 " not in answer


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 4", "Content-Length: 5"),
        ("Content-Length: 4", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: xchunked",),
        ("Content-Length: +4",),
        ("Content-Length : 4",),
        ("x-many: a\x00b",),
        (" x-many: folded",),
    ],
)
def test_what_two_readers_could_understand_in_two_ways_is_refused(
    door: Serving, lines: tuple[str, ...]
) -> None:
    head = "\r\n".join(["POST /echo HTTP/1.1", "Host: hub", *lines, "", ""]).encode()
    assert talk(door, head + b"abcd").startswith(b"HTTP/1.1 400 ")


UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAA")


def test_who_would_rather_speak_http_2_is_answered_in_this_protocol(door: Serving) -> None:
    asked, after = post(b"abc", *UPGRADE), post(b"d", LAST)
    for pieces in ([asked + after], [asked[:-3], asked[-3:-1], asked[-1:], after]):
        answer = talk(door, *pieces)
        assert [part[:5] for part in answer.split(b"\r\n\r\n")[1:]] == [b"0:abc", b"0:d"]
    bodiless = b"\r\n".join([b"GET /echo HTTP/1.1", b"Host: hub", *(u.encode() for u in UPGRADE)])
    assert talk(door, bodiless + b"\r\n\r\n" + after).endswith(b"0:d")
