"""The door of the service: what is refused unread, in constant form, and never logged."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from onecard.serve import codes
from onecard.serve.calls import MOST_BODY_BYTES
from onecard.serve.gatekeeper import FAILURES_AT_ONCE
from tests.asked import F09, HIS, AskedHub, asked_hub, person

LI = person(1)
PATH = f"/v1/{F09}/query"


@pytest.fixture
def asked(tmp_path: Path, hub_database: str) -> Iterator[AskedHub]:
    with asked_hub(tmp_path / "hub", hub_database) as found:
        found.card(LI)
        with found.serving():
            yield found


def said(answer: requests.Response) -> tuple[int, object]:
    return answer.status_code, answer.json()


def refusal(code: codes.Code) -> tuple[int, object]:
    """The whole answer: a code, and nothing of the call."""
    return code.status, {"code": code.code}


def test_what_is_not_a_short_plain_body_is_not_read(
    asked: AskedHub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="onecard")
    body = json.dumps(asked.body(F09, LI)).encode()
    packed = gzip.compress(b"0" * 10_000_000)
    for data, more in (
        (b" " * (MOST_BODY_BYTES + 1), {}),
        (b" " * 1_000_000, {}),
        (packed, {"Content-Encoding": "gzip"}),
        (body, {"Content-Encoding": "identity"}),
        (iter([body]), {}),  # chunked
    ):
        signed = asked.headers(PATH, body, HIS) | more
        answer = requests.post(asked.url + PATH, data=data, headers=signed, timeout=60)
        assert said(answer) == refusal(codes.BODY)
        assert answer.headers["Connection"] == "close"
    assert said(asked.post(F09, body))[0] == 200
    assert not any(value in caplog.text for value in LI.values)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"a": 1, "a": 2}',
        b"[" * 3_000,
        json.dumps({"x": "王" * 200}).encode(),
    ],
)
def test_a_signed_body_that_is_none_has_one_code(asked: AskedHub, body: bytes) -> None:
    assert said(asked.post(F09, body)) == refusal(codes.MALFORMED)


def test_paths_methods_and_headers_are_those_described(asked: AskedHub) -> None:
    body = asked.body(F09, LI)
    assert said(requests.get(asked.url + PATH, timeout=60)) == refusal(codes.NO_SUCH_METHOD)
    assert said(requests.get(asked.url + "/v2", timeout=60)) == refusal(codes.NO_SUCH_PATH)
    assert said(asked.post(F09, body, path=f"{PATH}?a=1", sid=HIS)) == refusal(codes.NO_SUCH_PATH)
    assert said(asked.post(F09, body, path=f"{PATH}/", sid=HIS)) == refusal(codes.NO_SUCH_PATH)
    many = asked.headers(PATH, b"{}", HIS) | {f"x-{n}": "y" * 300 for n in range(24)}
    assert said(asked.post(F09, b"{}", headers=many))[0] in (400, codes.HEADERS.status)
    document = requests.get(asked.url + "/v1/openapi.json", timeout=60).json()
    assert PATH in document["paths"]


def test_who_fails_often_is_told_so_and_who_is_proved_never_is(asked: AskedHub) -> None:
    headers = asked.headers(PATH, b"{}", HIS, sign="A" * 43 + "=")
    found = [asked.code(F09, b"{}", headers=headers) for _ in range(FAILURES_AT_ONCE + 5)]
    assert found[0] == codes.NOT_PROVED.code
    assert found[-1] == codes.FAILED_TOO_OFTEN.code
    assert asked.code(F09, asked.body(F09, LI)) == "00"


def test_health_tells_figures_and_nothing_of_calls(asked: AskedHub) -> None:
    assert asked.code(F09, asked.body(F09, LI)) == "00"
    assert asked.code(F09, asked.body(F09, LI, purpose="A7-04")) == codes.PURPOSE.code
    health = requests.get(asked.url + "/v1/health", timeout=60)
    found = health.json()
    took = found.pop("milliseconds")
    assert found == {"answered": 1, "ready": True, "refused": {codes.PURPOSE.code: 1}}
    assert took["p50"] == took["p95"] == took["p99"] > 0
    assert requests.get(asked.url + "/healthz", timeout=60).json() == {"alive": True}
    assert requests.get(asked.url + "/readyz", timeout=60).json() == {"ready": True}


def test_a_call_from_elsewhere_without_tls_is_not_answered(asked: AskedHub) -> None:
    """PR-20 and PR-22, by what the proxy on this machine says of the caller."""
    body = json.dumps(asked.body(F09, LI)).encode()

    def through(address: str, scheme: str) -> str:
        data = json.dumps(asked.body(F09, LI)).encode()
        said = {"X-Forwarded-For": address, "X-Forwarded-Proto": scheme}
        return asked.code(F09, data, headers=asked.headers(PATH, data, HIS) | said)

    assert through("10.1.2.3", "https") == "00"
    assert through("10.1.2.3", "http") == codes.BLOCKED.code
    assert through("8.8.8.8", "https") == codes.BLOCKED.code
    assert asked.code(F09, body) == "00"
