"""Authentications of calls, as `requests` auth hooks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import requests
from requests.auth import AuthBase

from connectors.http.options import Auth, Bearer, ClientCredentials, NoAuth, PlatformSignature
from onecard.base.connections import Connection
from onecard.base.platform_signature import Credential, signed_headers
from onecard.errors import ConfigError

EARLY_S = 5.0
"""A token is renewed this long before it expires."""


class Renewable(AuthBase):
    """An authentication that may be renewed once after a 401."""

    def renew(self) -> bool:
        """Forget what was got; True when another try makes sense."""
        return False


class _Bearer(Renewable):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers["Authorization"] = f"Bearer {self._token}"
        return r


class _Signature(Renewable):
    """Every request is signed anew (`onecard.base.platform_signature`)."""

    def __init__(self, connection: Connection, options: PlatformSignature) -> None:
        key = (connection.secret or "").encode()
        self._credential = Credential(connection.login or "", key, options)

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers.update(signed_headers(self._credential))
        return r


class _Token(Renewable):
    def __init__(
        self,
        connection: Connection,
        options: ClientCredentials,
        fetch: Callable[[str, dict[str, Any]], Any],
    ) -> None:
        self._connection, self._options, self._fetch = connection, options, fetch
        self._lock = threading.Lock()
        self._value, self._until = "", 0.0

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        with self._lock:
            if time.monotonic() >= self._until:
                self._get()
        r.headers["Authorization"] = f"Bearer {self._value}"
        return r

    def renew(self) -> bool:
        self._until = 0.0
        return True

    def _get(self) -> None:
        options = self._options
        reply = self._fetch(
            options.token_path,
            {
                options.id_field: self._connection.login,
                options.secret_field: self._connection.secret,
            },
        )
        token = reply.get(options.token) if isinstance(reply, dict) else None
        if not isinstance(token, str) or not token:
            msg = (
                f"connection {self._connection.id!r}: {options.token_path} gave no {options.token}"
            )
            raise ConfigError(msg)
        self._value = token
        self._until = time.monotonic() + _seconds(reply.get(options.expires)) - EARLY_S


def build(
    connection: Connection, options: Auth, fetch: Callable[[str, dict[str, Any]], Any]
) -> Renewable | None:
    """The authentication that the options choose; `fetch` posts JSON without authentication.

    Args:
        connection: login and secret.
        options: which kind of authentication.
        fetch: posts a JSON body to a path, without authentication, and gives the reply.
    """
    if isinstance(options, NoAuth):
        return None
    if connection.secret is None:
        msg = f"connection {connection.id!r} has no password; {options.kind} needs one"
        raise ConfigError(msg)
    if isinstance(options, Bearer):
        if not (connection.secret.isascii() and connection.secret.isprintable()):
            msg = f"connection {connection.id!r}: the password holds what no header can carry"
            raise ConfigError(msg)
        return _Bearer(connection.secret)
    if isinstance(options, PlatformSignature):
        return _Signature(connection, options)
    return _Token(connection, options, fetch)


def _seconds(text: object) -> float:
    """How long a token lives; a minute where the reply does not say it in seconds."""
    return float(text) if isinstance(text, str) and text.isdecimal() and text.isascii() else 60.0
