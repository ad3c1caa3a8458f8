"""One HTTP JSON call done properly: retries, Retry-After, token renewal, strict replies."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

import requests
import tenacity

from connectors import rest_auth
from connectors.rest_options import Wire
from onecard.connections import Connection
from onecard.errors import ConfigError, ProtocolError, SourceUnavailable

BUSY = (429, 502, 503, 504)
"""Statuses that pass by themselves."""
REFUSED = (401, 403)

_PASSING = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


class _Busy(Exception):
    def __init__(self, status: int, wait: float) -> None:
        super().__init__(status)
        self.status, self.wait = status, wait


class BadRecord:
    """Stands in for a JSON object with a repeated key or a value that JSON does not have."""


class Client:
    """Calls one API through one HTTP session."""

    def __init__(self, connection: Connection, wire: Wire, what: str) -> None:
        self._connection, self._wire, self._what = connection, wire, what
        scheme = "https" if connection.conn_type == "https" else "http"
        port = f":{connection.port}" if connection.port else ""
        self._base = f"{scheme}://{connection.host or ''}{port}"
        self._session = requests.Session()
        self._session.trust_env = False
        self._auth = rest_auth.build(connection, wire.auth, self._post_openly)

    def close(self) -> None:
        """Close the session."""
        self._session.close()

    def get(self, path: str, params: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        """GET a JSON document; raises like `call`."""
        return self.call("GET", path, params=dict(params))

    def post(self, path: str, body: bytes) -> Any:  # noqa: ANN401 - JSON
        """POST a JSON document; raises like `call`."""
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return self.call("POST", path, data=body, headers=headers)

    def call(self, method: str, path: str, **arguments: Any) -> Any:  # noqa: ANN401 - requests'
        """One call with retries.

        Raises:
            SourceUnavailable: down, or still busy after the last attempt.
            ConfigError: the login is refused (401, 403); not tried again.
            ProtocolError: another status, HTML, or no JSON.
        """
        where = f"{self._what} at {self._base}{path}"
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((_Busy, *_PASSING)),
            wait=self._wait,
            stop=tenacity.stop_after_attempt(self._wire.attempts),
            reraise=True,
        )
        try:
            reply = retrying(self._once, method, path, **arguments)
        except _Busy as busy:
            msg = f"{where}: HTTP {busy.status} after {self._wire.attempts} attempts"
            raise SourceUnavailable(msg) from None
        except _PASSING as error:
            msg = f"{where}: cannot be reached ({type(error).__name__})"
            raise SourceUnavailable(msg) from None
        return self._document(reply, where)

    def _once(self, method: str, path: str, **arguments: Any) -> requests.Response:  # noqa: ANN401
        for last in (False, True):
            reply = self._session.request(
                method,
                self._base + path,
                auth=self._auth,
                timeout=self._wire.timeout_s,
                allow_redirects=False,
                **arguments,
            )
            renewable = self._auth is not None and not last and self._auth.renew()
            if reply.status_code != 401 or not renewable:
                break
        if reply.status_code in BUSY:
            raise _Busy(reply.status_code, _retry_after(reply))
        return reply

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Exponential with jitter, or what Retry-After says; never longer than allowed."""
        error = state.outcome.exception() if state.outcome else None
        backoff = 0.2 * 2 ** (state.attempt_number - 1)
        asked = error.wait if isinstance(error, _Busy) else 0.0
        jitter = random.uniform(0, backoff)  # noqa: S311 - spreads retries, no secret
        return min(asked + jitter, self._wire.max_wait_s)

    def _document(self, reply: requests.Response, where: str) -> Any:  # noqa: ANN401 - JSON
        if reply.status_code in REFUSED:
            msg = f"{where}: HTTP {reply.status_code}, login refused ({self._connection.id!r})"
            raise ConfigError(msg)
        if reply.status_code != 200:
            msg = f"{where}: HTTP {reply.status_code}"
            raise ProtocolError(msg)
        kind = reply.headers.get("Content-Type", "")
        if "json" not in kind.lower():
            msg = f"{where}: answered {kind.split(';')[0] or 'no content type'} instead of JSON"
            raise ProtocolError(msg)
        try:
            return parse_json(reply.content.decode("utf-8"))
        except (ValueError, RecursionError):
            msg = f"{where}: the body is not JSON"
            raise ProtocolError(msg) from None

    def _post_openly(self, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        where = f"{self._what} at {self._base}{path}"
        reply = self._session.post(self._base + path, json=body, timeout=self._wire.timeout_s)
        return self._document(reply, where)


def parse_json(text: str) -> Any:  # noqa: ANN401 - JSON
    """JSON with numbers as their exact text; a damaged object becomes a `BadRecord`.

    Raises:
        ValueError: not JSON at all.
    """
    return json.loads(
        text, parse_float=str, parse_int=str, parse_constant=_constant, object_pairs_hook=_object
    )


def _constant(_name: str) -> BadRecord:
    return BadRecord()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | BadRecord:
    found = dict(pairs)
    spoilt = len(found) != len(pairs) or any(isinstance(v, BadRecord) for v in found.values())
    return BadRecord() if spoilt else found


def _retry_after(reply: requests.Response) -> float:
    try:
        return max(0.0, float(reply.headers.get("Retry-After", "0")))
    except ValueError:
        return 1.0
