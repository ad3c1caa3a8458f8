"""The door over real HTTP on loopback: who is let in, what is refused unread, what is said."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from onecard.daemon import readiness, serving
from onecard.daemon.callers import Callers
from onecard.daemon.proving import CALLS_AT_ONCE, FAILURES_AT_ONCE
from onecard.daemon.serving import Serving, serve
from onecard.live import calls, door
from onecard.live.calls import Gatekeeper
from tests.waking import BINDINGS, CALLERS, EVENTS, HEALTH, HRSS, VISITS, Clocks, Lane, call, served

PATIENCE_S = 20.0


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether something comes to hold, within a generous limit."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until:
            return False
        threading.Event().wait(0.01)
    return True


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Lane, Serving]]:
    """One door for the tests of this module."""
    lane = Lane()
    with served(lane) as serving:
        yield lane, serving


@pytest.fixture
def lane(shared: tuple[Lane, Serving]) -> Lane:
    """The lane behind it, as if nobody had woken it, and nobody had failed."""
    lane, _ = shared
    lane.woken.clear()
    lane.waiting.clear()
    lane.known, lane.is_ready, lane.broken = CALLERS, True, False
    return lane


@pytest.fixture
def url(shared: tuple[Lane, Serving], lane: Lane) -> str:
    return f"http://127.0.0.1:{shared[1].port}"


def post(
    url: str, headers: dict[str, str], dataset: str = EVENTS, data: bytes | None = None
) -> requests.Response:
    return requests.post(f"{url}/events/{dataset}", headers=headers, data=data, timeout=10)


def said(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def talk(url: str, *sent: bytes) -> bytes:
    """What a connection answers to raw bytes, until it is closed."""
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        for part in sent:
            connection.sendall(part)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_a_signed_call_wakes_and_a_second_one_waits(url: str, lane: Lane) -> None:
    answers = [said(post(url, call())), said(post(url, call()))]
    assert answers == [(200, "00"), (200, "01")]
    lane.waiting.clear()
    assert said(post(url, call())) == (200, "00")
    assert lane.woken == [EVENTS, EVENTS]


def test_sm3_and_another_prefix(url: str, lane: Lane) -> None:
    assert said(post(url, call(HEALTH), VISITS)) == (200, "00")
    assert lane.woken == [VISITS]


def test_a_dataset_may_be_written_with_an_escaped_slash(url: str, lane: Lane) -> None:
    assert said(post(url, call(), EVENTS.replace("/", "%2F"))) == (200, "00")
    assert lane.woken == [EVENTS]


def test_whoever_proves_nothing_gets_the_same_bytes(url: str, lane: Lane) -> None:
    answers = [
        post(url, {}),
        post(url, call(sign="A" * 43 + "=")),
        post(url, call(), "hrss/nothing"),
        post(url, call(HEALTH)),
        post(url, {}, "hrss/nothing"),
    ]
    shown = set()
    for answer in answers:
        answer.headers.pop("Date")
        shown.add((answer.status_code, answer.content, tuple(sorted(answer.headers.items()))))
    assert len(shown) == 1
    assert said(answers[0]) == (401, "40")
    assert lane.woken == []


def test_a_replayed_an_old_and_a_future_call(url: str, lane: Lane) -> None:
    headers = call()
    assert said(post(url, headers)) == (200, "00")
    assert said(post(url, headers, BINDINGS)) == (409, "42")
    for minutes in (-6, 10):
        late = call(at_ms=time.time_ns() // 1_000_000 + minutes * 60_000)
        assert said(post(url, late)) == (401, "41")
    assert lane.woken == [EVENTS]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_only_post_wakes(url: str, lane: Lane, method: str) -> None:
    shown = {
        (answer.status_code, answer.content, answer.headers["Allow"])
        for dataset in (EVENTS, "hrss/nothing")
        for answer in [
            requests.request(method, f"{url}/events/{dataset}", headers=call(), timeout=10)
        ]
    }
    assert shown == {(405, b"" if method == "HEAD" else b'{"code": "47"}', "POST")}
    assert lane.woken == []


@pytest.mark.parametrize(
    "path",
    ["", "events", "docs", "openapi.json", "healthz/", "readyz/x", "Events/hrss/x", "metrics"],
)
def test_there_are_no_other_paths(url: str, path: str) -> None:
    for method in ("GET", "POST"):
        answer = requests.request(method, f"{url}/{path}", timeout=10, allow_redirects=False)
        assert said(answer) == (404, "46")


def head(*lines: str) -> bytes:
    """A call's head with lines of its own."""
    signed = [f"{name}: {value}" for name, value in call().items()]
    first = f"POST /events/{EVENTS} HTTP/1.1"
    return "\r\n".join([first, "Host: hub", *signed, *lines, "", ""]).encode()


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 2",),
        ("Content-Length: 1000000000000",),
        ("Content-Length: 2", "Expect: 100-continue"),
        ("Transfer-Encoding: chunked",),
    ],
)
def test_a_body_is_refused_before_it_comes(url: str, lane: Lane, lines: tuple[str, ...]) -> None:
    answer = talk(url, head(*lines))  # and nothing after it: whoever waited for more would hang
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b'{"code": "43"}')
    assert b"100 Continue" not in answer
    assert lane.woken == []


def test_an_empty_body_is_none(url: str, lane: Lane) -> None:
    assert said(post(url, call(), data=b"")) == (200, "00")
    assert lane.woken == [EVENTS]


def test_long_headers_are_refused(url: str, lane: Lane) -> None:
    many = [f"x-{n}: {'y' * 90}" for n in range(100)]
    at_once = talk(url, head("Connection: close", *many))
    assert at_once.split(b" ")[1] in (b"400", b"431")
    endless = talk(url, head(*many)[:-2], b"x-more: 1\r\n")  # it never ends
    assert endless.startswith(b"HTTP/1.1 400 ")
    assert said(post(url, call(sid="s" * 70))) == (401, "40")
    assert lane.woken == []


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x00\xee\x01\x00",
        b"GET\r\n\r\n",
        b"POST /events/x HTTP/1.1\r\nA\x00: b\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(url: str, sent: bytes) -> None:
    assert talk(url, sent).startswith(b"HTTP/1.1 400 ")


def test_a_doubled_header_is_no_proof(url: str, lane: Lane) -> None:
    answer = talk(url, head("gjgxjhpt_sid: hrss-sid", "Connection: close"))
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert lane.woken == []


def test_who_serves_is_not_said(url: str) -> None:
    for answer in (post(url, {}), requests.get(f"{url}/healthz", timeout=10)):
        assert "Server" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_lane_that_fails_is_answered_for(
    url: str, lane: Lane, caplog: pytest.LogCaptureFixture
) -> None:
    lane.broken = True
    answer = post(url, call())
    assert (said(answer), answer.headers["Retry-After"]) == ((503, "50"), "1")
    lane.broken, lane.known = False, None  # a defect: no callers at all
    assert said(post(url, call())) == (503, "50")
    lane.known = CALLERS
    assert said(post(url, call())) == (200, "00")
    assert f"{EVENTS} could not be woken (RuntimeError)" in caplog.text
    assert HRSS.sid not in caplog.text


def test_the_news_of_calls_beyond_the_rate_is_not_lost() -> None:
    lane = Lane()
    keeper = Gatekeeper(lane.callers, steady_s=Clocks().steady)
    with served(lane, keeper) as serving, requests.Session() as session:
        url = f"http://127.0.0.1:{serving.port}/events/{EVENTS}"
        codes = [session.post(url, headers=call(), timeout=10) for _ in range(CALLS_AT_ONCE + 20)]
        assert {said(answer) for answer in codes} == {(200, "00"), (200, "01"), (429, "45")}
        late = next(answer for answer in codes if answer.status_code == 429)
        assert late.headers["Retry-After"] == "1"
        before = len(lane.woken)
        lane.waiting.clear()  # the lane has looked; what was refused since has to wake it again
        assert said(session.post(url, headers=call(), timeout=10)) == (429, "45")
        assert eventually(lambda: len(lane.woken) > before)


def test_failing_calls_are_told_to_wait() -> None:
    lane = Lane()
    keeper = Gatekeeper(lane.callers, steady_s=Clocks().steady)
    with served(lane, keeper) as serving, requests.Session() as session:
        url = f"http://127.0.0.1:{serving.port}/events/{EVENTS}"
        forged = {"headers": call(sign="A" * 43 + "="), "timeout": 10}
        answers = [session.post(url, **forged) for _ in range(FAILURES_AT_ONCE + 5)]
        codes = [said(answer) for answer in answers]
        assert codes == [(401, "40")] * FAILURES_AT_ONCE + [(429, "44")] * 5
        assert answers[-1].headers["Retry-After"] == "1"


def test_a_proxy_on_this_machine_says_who_fails() -> None:
    lane = Lane()
    with served(lane, Gatekeeper(lane.callers, steady_s=Clocks().steady)) as serving:
        url = f"http://127.0.0.1:{serving.port}"
        stranger, agency = {"X-Forwarded-For": "192.0.2.7"}, {"X-Forwarded-For": "192.0.2.8"}
        for _ in range(FAILURES_AT_ONCE):
            assert said(post(url, call(sign="A" * 43 + "=") | stranger)) == (401, "40")
        forged = call(sign="A" * 43 + "=")
        assert said(post(url, forged | stranger)) == (429, "44")
        assert said(post(url, forged | agency)) == (401, "40")
        assert said(post(url, call() | stranger)) == (200, "00")


def test_it_lives_while_it_is_not_ready(
    url: str, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "KEPT_S", 0.0)
    monkeypatch.setattr(readiness, "PATIENCE_S", 30.0)
    assert requests.get(f"{url}/healthz", timeout=10).json() == {"alive": True}
    assert requests.get(f"{url}/readyz", timeout=10).json() == {"ready": True}
    lane.is_ready = False
    assert requests.get(f"{url}/readyz", timeout=10).status_code == 503
    assert requests.get(f"{url}/healthz", timeout=10).status_code == 200
    lane.is_ready, lane.known = True, Callers([], ["hrss"])
    assert requests.get(f"{url}/readyz", timeout=10).json() == {"ready": False}


def test_strangers_do_not_make_it_ask_the_database() -> None:
    lane = Lane()
    with served(lane) as serving, requests.Session() as session:
        for _ in range(50):
            session.get(f"http://127.0.0.1:{serving.port}/readyz", timeout=10)
    assert lane.asked < 25


def test_no_accepted_call_is_logged_and_a_refused_one_without_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lane = Lane()
    with caplog.at_level(logging.DEBUG), served(lane) as serving:
        url = f"http://127.0.0.1:{serving.port}"
        made = [call() for _ in range(3)]
        for headers in made:
            post(url, headers)
        ours = [r for r in caplog.records if r.name.startswith(("onecard", "uvicorn"))]
        assert [r.getMessage() for r in ours if "refused" in r.getMessage()] == []
        for _ in range(3):
            post(url, call(sid="a-name-of-somebody"), "an/invented_dataset")
        talk(url, b"nonsense of somebody\r\n\r\n")
    said = [r.getMessage() for r in caplog.records if r.name.startswith(("onecard", "uvicorn"))]
    assert [line for line in said if line.startswith("calls refused")] == [
        "calls refused: not proved 1",
        "calls refused: not proved 2",
    ]
    shown = "\n".join(said)
    for word in ("somebody", "invented", *(h["gjgxjhpt_rid"] for h in made)):
        assert word not in shown


def test_a_connection_that_says_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_S", 0.1)
    with served(Lane()) as open_door:
        url = f"http://127.0.0.1:{open_door.port}"
        assert talk(url) == b""
        assert talk(url, b"POST /events/x HTTP/1.1\r\nslow: ") == b""


def test_a_connection_does_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LIFE_S", 2.0)
    monkeypatch.setattr(serving, "HEAD_S", 60.0)  # which is the pause that uvicorn allows, too
    with served(Lane()) as open_door:
        url = f"http://127.0.0.1:{open_door.port}"
        assert talk(url, head()).startswith(b"HTTP/1.1 200 ")


def test_more_connections_than_it_can_have_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MOST_CONNECTIONS", 3)
    with served(Lane()) as open_door:
        address = ("127.0.0.1", open_door.port)
        url = f"http://127.0.0.1:{open_door.port}"
        held = [socket.create_connection(address, timeout=PATIENCE_S) for _ in range(3)]
        assert eventually(lambda: requests.get(f"{url}/healthz", timeout=10).status_code == 503)
        for connection in held:
            connection.close()
        assert eventually(lambda: requests.get(f"{url}/healthz", timeout=10).status_code == 200)


def test_a_port_that_is_taken_is_said_at_once(shared: tuple[Lane, Serving]) -> None:
    with pytest.raises(OSError, match="in use"):
        serve(door.create_app(Lane()), "127.0.0.1", shared[1].port)


def test_a_gatekeeper_can_be_given() -> None:
    with served(Lane(), Gatekeeper(lambda: Callers([]))) as open_door:
        answer = post(f"http://127.0.0.1:{open_door.port}", call())
    assert said(answer) == (401, calls.REFUSED.code)
