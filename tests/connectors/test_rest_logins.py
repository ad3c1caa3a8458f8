"""How the REST connector logs in: headers, signatures and tokens; nothing follows a redirect."""

from __future__ import annotations

import base64
import hmac
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from connectors.rest.connector import RestConnector
from onecard.errors import ConfigError, ProtocolError, SourceUnavailable
from onecard.ports.source import ReadRequest
from tests.connectors.rest_server import NUMBERED, SECRET, Server, keyset, one, read, rows, system


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
