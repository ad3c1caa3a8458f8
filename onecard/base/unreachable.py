"""Why a system cannot be reached or does not let us in, in words of ours.

Drivers say it in words of theirs, among hosts, logins and names of databases; nothing of that text
is handed on. PostgreSQL's client library knows no code before there is a session, so its words are
looked at, and those of servers that speak Chinese; names in quotation marks count for nothing.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from onecard.base.timeouts import connect_seconds

Kind = Literal["login", "missing", "tls", "down"]
"""`login`, `missing` and `tls` stay so until a person mends them; `down` passes by itself."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, as a kind that a program acts by, and a sentence for people."""

    kind: Kind
    says: str


NO_LISTENER = Reason("down", "nothing listens at that host and port")
NO_ANSWER = Reason("down", "no answer within {seconds} s (connect_timeout)")
NO_HOST = Reason("down", "the host name cannot be resolved")
NO_ROUTE = Reason("down", "there is no route to that host")
NO_DATABASE = Reason("missing", "no such database")
NO_ROLE = Reason("login", "login refused: no such user (role)")
WRONG_PASSWORD = Reason("login", "login refused: user or password is wrong")
NO_PASSWORD = Reason("login", "login refused: a password is needed and none is given")
NOT_FROM_HERE = Reason("login", "login refused: the server lets this user not in from here")
NO_TLS = Reason("tls", "TLS refused: the server offers none")
BAD_CERTIFICATE = Reason("tls", "TLS refused: the server's certificate cannot be verified")
TLS_FAILED = Reason("tls", "TLS refused: the two sides find no common way")
FULL_HOUSE = Reason("down", "the server takes no more connections")
STARTING = Reason("down", "the server is starting up")
STOPPING = Reason("down", "the server is shutting down")
RECOVERING = Reason("down", "the server is recovering")
SILENT = Reason("down", "the server says nothing")
CLOSED = Reason("down", "the connection was closed or lost")
NO_SERVER = Reason("missing", "what answers there is no such database server")

_WORDS: tuple[tuple[str, Reason], ...] = (
    (
        r'role "" does not exist|角色 ?"" ?不存在|is not permitted to log in|不被允许登[录陆]',
        NO_ROLE,
    ),
    (
        r'database "" does not exist|数据库 ?"" ?不存在|is not currently accepting connections',
        NO_DATABASE,
    ),
    (r"authentication failed|认证失败|验证失败", WRONG_PASSWORD),
    (r"no password supplied|empty password", NO_PASSWORD),
    (r"no pg_hba\.conf entry|pg_hba\.conf rejects|pg_hba\.conf", NOT_FROM_HERE),
    (r"does not support SSL", NO_TLS),
    (r"certificate|root\.crt", BAD_CERTIFICATE),
    (r"SSL error|SSL SYSCALL|SSL negotiation|SSL alert|unsupported protocol", TLS_FAILED),
    (r"too many clients|connection slots are reserved|too many connections|太多的客户", FULL_HOUSE),
    (r"is starting up|not yet accepting connections|正在启动", STARTING),
    (r"is shutting down|terminating connection|正在关闭", STOPPING),
    (r"recovery mode|恢复模式", RECOVERING),
    (
        r"translate host name|name or service not known|name resolution|nodename nor servname",
        NO_HOST,
    ),
    (r"connection refused|is the server running (locally|on that host)|拒绝连接", NO_LISTENER),
    (r"the server says nothing", SILENT),
    (r"timeout expired|timed out|connection timeout|超时", NO_ANSWER),
    (r"no route to host|network is unreachable|host is down", NO_ROUTE),
    (r"no such file or directory|没有那个文件", NO_LISTENER),
    (r"expected authentication request|received invalid response", NO_SERVER),
    (r"closed the connection|connection reset|broken pipe|lost connection", CLOSED),
)
"""Libpq's words and the server's, the narrower before the wider."""

_STATES: tuple[tuple[str, Reason], ...] = (
    ("28P01", WRONG_PASSWORD),
    ("28000", NOT_FROM_HERE),
    ("3D000", NO_DATABASE),
    ("53300", FULL_HOUSE),
    ("57P03", STARTING),
    ("57P01", STOPPING),
    ("57P02", STOPPING),
    ("08", CLOSED),
)
"""SQLSTATE (PostgreSQL, appendix A), by its class or whole."""

_NUMBERS = {
    1040: FULL_HOUSE,
    1203: FULL_HOUSE,
    1044: Reason("login", "the login has no right to that database"),
    1045: WRONG_PASSWORD,
    1049: NO_DATABASE,
    1053: STOPPING,
    1129: Reason("down", "the server has blocked this host after too many errors"),
    1130: NOT_FROM_HERE,
    1698: WRONG_PASSWORD,
    2005: NO_HOST,
    2006: CLOSED,
    2013: CLOSED,
    2026: TLS_FAILED,
}
"""Error numbers of MariaDB and MySQL; 2003 says in words what the operating system said."""


def of_text(text: str) -> Reason | None:
    """The reason that a driver's text gives, or None."""
    plain = re.sub(r'"[^"\n]*"|“[^”\n]*”', '""', text)
    return next((why for word, why in _WORDS if re.search(word, plain, re.IGNORECASE)), None)


def of_error(error: BaseException, extra: Mapping[str, Any] | None = None) -> Reason | None:
    """The reason that an error gives by its code or number, its type, or its words; or None.

    Args:
        error: a driver's, the operating system's, or one that wraps such.
        extra: of the system's connection, which may say `connect_timeout`.
    """
    for one in _chain(error):
        found = _by_code(one) or _by_type(one) or of_text(_words(one))
        if found is not None:
            seconds = connect_seconds(extra)
            return replace(found, says=found.says.format(seconds=seconds))
    return None


def said(error: BaseException, extra: Mapping[str, Any] | None = None) -> str:
    """The reason as the end of a sentence, `: nothing listens …`, or an empty text.

    Args:
        error: as for `of_error`.
        extra: as for `of_error`.
    """
    why = of_error(error, extra)
    return f": {why.says}" if why else ""


def _words(error: BaseException) -> str:
    texts = [part for part in error.args if isinstance(part, str)]
    return " ".join(texts) or str(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, then what it wraps."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(seen) < 20:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or any(one is other for other in seen):
            continue
        seen.append(one)
        yield one
        inner = (
            getattr(one, name, None) for name in ("orig", "reason", "__cause__", "__context__")
        )
        waiting += [*inner, *one.args]


def _by_code(error: BaseException) -> Reason | None:
    number = error.args[0] if error.args else None
    if isinstance(number, int) and not isinstance(error, OSError):
        return _NUMBERS.get(number)  # MariaDB's SQLSTATE says less than its numbers
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str) and (state := state.strip("\0 ")):
        return next((why for start, why in _STATES if state.startswith(start)), None)
    return None


_TYPES: tuple[tuple[type[BaseException], Reason], ...] = (
    (ssl.SSLCertVerificationError, BAD_CERTIFICATE),
    (ssl.SSLError, TLS_FAILED),
    (socket.gaierror, NO_HOST),
    (ConnectionRefusedError, NO_LISTENER),
    (TimeoutError, NO_ANSWER),
    (ConnectionError, CLOSED),
)
"""What the operating system's errors mean, the narrower before the wider."""


def _by_type(error: BaseException) -> Reason | None:
    if isinstance(error, OSError) and error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return NO_ROUTE
    return next((why for kind, why in _TYPES if isinstance(error, kind)), None)
