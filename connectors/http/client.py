"""One HTTP call done properly: retries, Retry-After, token renewal, statuses."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar

import requests
import tenacity

from connectors.common.breaker import watching
from connectors.common.strict_json import parse_json
from connectors.http import auth
from connectors.http.body import Answer, ReplyTooLarge, Whole, whole
from connectors.http.options import Wire
from onecard.base import timeouts, unreachable
from onecard.base.connections import Connection
from onecard.base.shelves import Shelf
from onecard.errors import ConfigError, ProtocolError, SourceUnavailable

BUSY = (429, 502, 503, 504)
"""Statuses that pass by themselves."""
REFUSED = (401, 403)
A = TypeVar("A", bound=Answer)
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


class HttpClient(Generic[A]):
    """Calls one system through one HTTP session; what a kind makes of replies is its own.

    Attributes:
        tries: requests that have left so far, those that were tried again among them.
    """

    def __init__(
        self,
        connection: Connection,
        wire: Wire,
        what: str,
        take: Callable[[requests.Response, float], A],
    ) -> None:
        """Take a session that waits, or open one.

        Args:
            connection: of the system.
            wire: how its calls are made.
            what: dataset, agreement or connection, for messages.
            take: reads a reply to its end, given the seconds for one read.
        """
        self._connection, self._wire, self._what = connection, wire, what
        self._take = take
        self._base = _base(connection)
        self._session = _waiting.take(connection.fingerprint) or _opened()
        self._next = 0.0
        self.tries = 0
        self._auth = auth.build(connection, wire.auth, self._post_openly)

    def close(self) -> None:
        """Let the session wait for its next use, or close it where nobody keeps any."""
        self._session.cookies.clear()
        _waiting.put(self._connection.fingerprint, self._session)

    def called(
        self,
        parse: Callable[[A, str], Parsed],
        method: str,
        path: str,
        **arguments: Any,  # noqa: ANN401 - requests'
    ) -> Parsed:
        """One call with retries.

        Args:
            parse: makes something of the reply, whose status is still to be looked at; gets the
                words for messages beside it.
            method: `GET` or `POST`.
            path: below the connection's host.
            **arguments: those of `requests.Session.request`, and `ask`, called right before each
                request.

        Raises:
            SourceUnavailable: down, or still busy after the last attempt.
            ConfigError: the server's certificate is not trusted, or the address is none.
            ProtocolError: the reply is too large.
        """
        where = f"{self._what} at {self._url(path)}"
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_passes),
            wait=self._wait,
            stop=tenacity.stop_after_attempt(self._wire.attempts),
            reraise=True,
        )
        with watching(self._connection):
            reply = self._answer(retrying, where, method, path, **arguments)
            return parse(reply, where)

    def check_status(self, reply: Answer, where: str, taken: Collection[int] = (200,)) -> None:
        """Refuse a reply by its status.

        Args:
            reply: of any status but the busy ones.
            where: for messages.
            taken: statuses that are not refused.

        Raises:
            ConfigError: the login is refused (401, 403).
            SourceUnavailable: the system failed (5xx).
            ProtocolError: another status.
        """
        if reply.status_code in REFUSED:
            msg = f"{where}: HTTP {reply.status_code}, login refused ({self._connection.id!r})"
            raise ConfigError(msg)
        if reply.status_code not in taken:
            msg = f"{where}: HTTP {reply.status_code}"
            raise SourceUnavailable(msg) if reply.status_code >= 500 else ProtocolError(msg)

    def json_document(self, reply: Whole, where: str, parse: Callable[[bytes], Parsed]) -> Parsed:
        """The JSON document of a reply.

        Args:
            reply: of any status but the busy ones.
            where: for messages.
            parse: makes something of the body; raises ValueError or RecursionError where it is no
                JSON.

        Raises:
            ConfigError: the login is refused (401, 403).
            SourceUnavailable: the system failed (5xx).
            ProtocolError: another status, HTML, or no JSON.
        """
        self.check_status(reply, where)
        kind = reply.headers.get("Content-Type", "")
        if "json" not in kind.lower():
            msg = f"{where}: answered {kind.split(';')[0] or 'no content type'} instead of JSON"
            raise ProtocolError(msg)
        try:
            return parse(reply.content)
        except (ValueError, RecursionError):
            msg = f"{where}: the body is not JSON"
            raise ProtocolError(msg) from None

    def _answer(
        self,
        retrying: tenacity.Retrying,
        where: str,
        method: str,
        path: str,
        **arguments: Any,  # noqa: ANN401 - requests'
    ) -> A:
        try:
            return retrying(self._once, method, path, **arguments)
        except _Busy as busy:
            msg = f"{where}: HTTP {busy.status} after {self._wire.attempts} attempts"
            raise SourceUnavailable(msg) from None
        except _PASSING as error:
            msg = f"{where}: cannot be reached{self._why(error)} ({type(error).__name__})"
            kind = ConfigError if _untrusted(error) else SourceUnavailable
            raise kind(msg) from None
        except ReplyTooLarge as error:
            msg = f"{where}: a reply unpacks to more than {error.limit} bytes"
            raise ProtocolError(msg) from None
        except requests.RequestException as error:
            msg = f"{where}: cannot be called ({type(error).__name__})"
            raise ConfigError(msg) from None

    def _once(self, method: str, path: str, **arguments: Any) -> A:  # noqa: ANN401 - requests'
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
    ) -> A:
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
        return self._take(reply, self._wire.timeout_s)

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

    def _post_openly(self, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        where = f"{self._what} at {self._url(path)}"
        sent = self._session.post(
            self._url(path),
            json=body,
            timeout=self._limits,
            allow_redirects=False,
            stream=True,
        )
        reply = whole(sent, self._wire.timeout_s)
        if reply.status_code in BUSY:
            raise _Busy(reply.status_code, _retry_after(reply))
        return self.json_document(reply, where, as_json)


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


def _retry_after(reply: Answer) -> float:
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
