"""One HTTP JSON call done properly: retries, Retry-After, token renewal, strict replies."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import requests
import tenacity

from connectors.common.breaker import watching
from connectors.common.strict_json import parse_json
from connectors.rest import auth
from connectors.rest import body as rest_body
from connectors.rest.body import ReplyTooLarge, Whole
from connectors.rest.options import Wire
from onecard.base import timeouts, unreachable
from onecard.base.connections import Connection
from onecard.base.shelves import Shelf
from onecard.errors import ConfigError, ProtocolError, SourceUnavailable

BUSY = (429, 502, 503, 504)
"""Statuses that pass by themselves."""
REFUSED = (401, 403)
Parsed = TypeVar("Parsed")

_waiting: Shelf[requests.Session] = Shelf(requests.Session.close)
_PASSING = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


def _passes(error: BaseException) -> bool:
    """Whether another attempt may help; whoever does not answer the network's knocks is gone."""
    gone = isinstance(error, requests.ConnectTimeout) or _untrusted(error)
    return isinstance(error, (_Busy, *_PASSING)) and not gone


def _untrusted(error: BaseException) -> bool:
    """Whether the server's certificate is none that we trust: a person must mend that."""
    wrapped = isinstance(error, requests.exceptions.SSLError)
    return wrapped and unreachable.of_error(error) == unreachable.BAD_CERTIFICATE


def as_json(content: bytes) -> Any:  # noqa: ANN401 - JSON
    """A body as a JSON document; raises ValueError or RecursionError."""
    return parse_json(content.decode("utf-8"))


class _Busy(Exception):
    def __init__(self, status: int, wait: float) -> None:
        super().__init__(status)
        self.status, self.wait = status, wait


class Client:
    """Calls one API through one HTTP session.

    Attributes:
        tries: requests that have left so far, those that were tried again among them.
    """

    def __init__(self, connection: Connection, wire: Wire, what: str) -> None:
        self._connection, self._wire, self._what = connection, wire, what
        self._base = _base(connection)
        self._session = _waiting.take(connection.fingerprint) or _opened()
        self._next = 0.0
        self.tries = 0
        self._auth = auth.build(connection, wire.auth, self._post_openly)

    def close(self) -> None:
        """Let the session wait for its next use, or close it where nobody keeps any."""
        self._session.cookies.clear()
        _waiting.put(self._connection.fingerprint, self._session)

    def get(self, path: str, params: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        """GET a JSON document; raises like `call`."""
        return self.call("GET", path, params=dict(params))

    def read(
        self, path: str, params: Mapping[str, str], parse: Callable[[bytes], Parsed]
    ) -> Parsed:
        """GET a JSON document and parse it in a way of the caller's; raises like `call`.

        Args:
            path: below the connection's host.
            params: of the query.
            parse: makes something of the body; raises ValueError or RecursionError where it is no
                JSON.
        """
        found: Parsed = self._called(parse, "GET", path, params=dict(params))
        return found

    def post(self, path: str, body: bytes, again: Callable[[], object]) -> Any:  # noqa: ANN401 - JSON
        """POST a JSON document; raises like `call`, and whatever `again` raises.

        Args:
            path: below the connection's host.
            body: the document.
            again: asked right before each further request that carries it.
        """
        first = self.tries
        headers = {"Content-Type": "application/json; charset=utf-8"}

        def ask() -> None:
            if self.tries > first:
                again()

        return self.call("POST", path, data=body, headers=headers, ask=ask)

    def call(self, method: str, path: str, **arguments: Any) -> Any:  # noqa: ANN401 - requests'
        """One call with retries.

        Args:
            method: `GET` or `POST`.
            path: below the connection's host.
            **arguments: those of `requests.Session.request`, and `ask`, called right before each
                request.

        Raises:
            SourceUnavailable: down, or still busy after the last attempt.
            ConfigError: the login is refused (401, 403), the server's certificate is not trusted,
                or the address is none.
            ProtocolError: another status, HTML, or no JSON.
        """
        return self._called(as_json, method, path, **arguments)

    def _called(
        self,
        parse: Callable[[bytes], Any],
        method: str,
        path: str,
        **arguments: Any,  # noqa: ANN401 - requests'
    ) -> Any:  # noqa: ANN401 - the parser's
        where = f"{self._what} at {self._url(path)}"
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_passes),
            wait=self._wait,
            stop=tenacity.stop_after_attempt(self._wire.attempts),
            reraise=True,
        )
        with watching(self._connection):
            reply = self._answer(retrying, where, method, path, **arguments)
            return self._document(reply, where, parse)

    def _answer(
        self,
        retrying: tenacity.Retrying,
        where: str,
        method: str,
        path: str,
        **arguments: Any,  # noqa: ANN401 - requests'
    ) -> Whole:
        try:
            return retrying(self._once, method, path, **arguments)
        except _Busy as busy:
            msg = f"{where}: HTTP {busy.status} after {self._wire.attempts} attempts"
            raise SourceUnavailable(msg) from None
        except _PASSING as error:
            msg = f"{where}: cannot be reached{self._why(error)} ({type(error).__name__})"
            kind = ConfigError if _untrusted(error) else SourceUnavailable
            raise kind(msg) from None
        except ReplyTooLarge:
            msg = f"{where}: a reply unpacks to more than {rest_body.LIMIT} bytes"
            raise ProtocolError(msg) from None
        except requests.RequestException as error:
            msg = f"{where}: cannot be called ({type(error).__name__})"
            raise ConfigError(msg) from None

    def _once(self, method: str, path: str, **arguments: Any) -> Whole:  # noqa: ANN401 - requests'
        reply = self._sent(method, path, **arguments)
        if reply.status_code == 401 and self._auth is not None and self._auth.renew():
            reply = self._sent(method, path, **arguments)
        if reply.status_code in BUSY:
            raise _Busy(reply.status_code, _retry_after(reply))
        return reply

    def _url(self, path: str) -> str:
        """The address that is asked, and that messages name."""
        return f"{self._base}/{path.lstrip('/')}"

    def _sent(
        self,
        method: str,
        path: str,
        *,
        ask: Callable[[], object] | None = None,
        **arguments: Any,  # noqa: ANN401 - requests'
    ) -> Whole:
        self._pace()
        if ask is not None:
            ask()
        self.tries += 1
        reply = self._session.request(
            method,
            self._url(path),
            auth=self._auth,
            timeout=self._limits,
            allow_redirects=False,
            stream=True,
            **arguments,
        )
        return rest_body.whole(reply, self._wire.timeout_s)

    @property
    def _limits(self) -> tuple[float, float]:
        """Seconds to be let in, and between two pieces of an answer."""
        own = timeouts.connect_seconds(self._connection.extra)
        return min(own, self._wire.timeout_s), self._wire.timeout_s

    def _why(self, error: Exception) -> str:
        """What stands behind requests' own error; a silent API is none that cannot be reached."""
        if isinstance(error, requests.ReadTimeout):
            return f": it has said nothing for {self._wire.timeout_s:g} s (timeout_s)"
        return unreachable.said(error, self._connection.extra)

    def _pace(self) -> None:
        """Wait until the contract's rate allows the next call."""
        if self._wire.per_second is None:
            return
        time.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + 1 / self._wire.per_second

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Exponential with jitter, or what Retry-After says; never longer than allowed."""
        error = state.outcome.exception() if state.outcome else None
        backoff = 0.2 * 2 ** (state.attempt_number - 1)
        asked = error.wait if isinstance(error, _Busy) else 0.0
        jitter = random.uniform(0, backoff)  # noqa: S311 - spreads retries, no secret
        return min(asked + jitter, self._wire.max_wait_s)

    def _document(self, reply: Whole, where: str, parse: Callable[[bytes], Any] = as_json) -> Any:  # noqa: ANN401 - the parser's
        if reply.status_code in REFUSED:
            msg = f"{where}: HTTP {reply.status_code}, login refused ({self._connection.id!r})"
            raise ConfigError(msg)
        if reply.status_code != 200:
            msg = f"{where}: HTTP {reply.status_code}"
            raise SourceUnavailable(msg) if reply.status_code >= 500 else ProtocolError(msg)
        kind = reply.headers.get("Content-Type", "")
        if "json" not in kind.lower():
            msg = f"{where}: answered {kind.split(';')[0] or 'no content type'} instead of JSON"
            raise ProtocolError(msg)
        try:
            return parse(reply.content)
        except (ValueError, RecursionError):
            msg = f"{where}: the body is not JSON"
            raise ProtocolError(msg) from None

    def _post_openly(self, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        where = f"{self._what} at {self._url(path)}"
        sent = self._session.post(
            self._url(path),
            json=body,
            timeout=self._limits,
            allow_redirects=False,
            stream=True,
        )
        reply = rest_body.whole(sent, self._wire.timeout_s)
        if reply.status_code in BUSY:
            raise _Busy(reply.status_code, _retry_after(reply))
        return self._document(reply, where)


def _opened() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def _base(connection: Connection) -> str:
    """Scheme, host and port; Airflow writes `https` as the type or as the schema."""
    if not connection.host:
        msg = f"connection {connection.id!r} names no host"
        raise ConfigError(msg)
    scheme = "https" if "https" in (connection.conn_type, connection.schema_) else "http"
    port = f":{connection.port}" if connection.port else ""
    return f"{scheme}://{connection.host}{port}"


def _retry_after(reply: Whole) -> float:
    """Seconds that the reply asks to wait: a number, or an HTTP date (RFC 9110, 10.2.3)."""
    text = reply.headers.get("Retry-After", "0")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 1.0
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
