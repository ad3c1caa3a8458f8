"""Database errors in our words: what and where, never a row's value or a password."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

from connectors.common.breaker import watching
from onecard.base import unreachable
from onecard.base.connections import Connection
from onecard.errors import (
    ConfigError,
    OnecardError,
    ProtocolError,
    SchemaMismatch,
    SourceUnavailable,
    StorageError,
)
from onecard.ports.source import Column

Meaning = Literal["login", "right", "table", "column", "down", "full", "other"]

_STATES: dict[str, Meaning] = {
    "28": "login",
    "08": "down",
    "40": "down",  # serialization failure, deadlock: the same again may succeed
    "53100": "full",
    "58030": "full",  # the disk fails
    "53": "down",  # out of memory, of connections
    "57": "down",  # shut down, cancelled
    "55P03": "down",
    "42501": "right",
    "42P01": "table",
    "3D000": "table",
    "3F000": "table",
    "42703": "column",
}
"""SQLSTATE (PostgreSQL, appendix A), by its class or whole."""

_NUMBERS: dict[int, Meaning] = {
    **dict.fromkeys((1045, 1698), "login"),
    **dict.fromkeys((1044, 1142, 1143, 1227), "right"),
    **dict.fromkeys((1049, 1146), "table"),
    1054: "column",
    **dict.fromkeys((3, 1021, 1026, 1030, 1114), "full"),
    **dict.fromkeys((1040, 1053, 1129, 1158, 1159, 1160, 1161, 1205, 1213), "down"),
    **dict.fromkeys((2002, 2003, 2006, 2013, 2055), "down"),
}
"""Error numbers of MariaDB and MySQL."""

_WORDS: tuple[tuple[str, Meaning], ...] = (
    ("authentication", "login"),
    ("no password supplied", "login"),
    ("pg_hba.conf", "login"),
    ('fatal:  role "', "login"),
    ("does not exist", "table"),
    ("no such table", "table"),
    ("unable to open database", "table"),
    ("no such column", "column"),
    ("has no column named", "column"),
    ("database or disk is full", "full"),
    ("disk i/o error", "full"),
    ("database is locked", "down"),
    ("connection failed", "down"),
    ("failed to connect", "down"),
    ("failed to resolve host", "down"),
    ("the connection is lost", "down"),
    ("the connection is closed", "down"),
    ("timeout", "down"),
    ("server closed the connection", "down"),
    ("lost connection", "down"),
    ("terminating connection", "down"),
)
"""Where a driver gives no code: libpq before there is a session, and SQLite."""


_SAID: dict[Meaning, tuple[type[OnecardError], str]] = {
    "table": (ConfigError, "the table or database is not there"),
    "login": (ConfigError, "login refused"),
    "right": (ConfigError, "the login lacks the right"),
    "down": (SourceUnavailable, "the server cannot be reached"),
    "full": (StorageError, "the database has no room, or its disk fails"),
}


_UNREACHED = ("login", "down", "table", "other")
"""Meanings behind which it may stand that there is no session at all."""


@contextmanager
def translated(what: str, connection: Connection, columns: Iterable[Column] = ()) -> Iterator[None]:
    """Raise any driver's error as ours.

    Args:
        what: what is done, for the message.
        connection: of the agency's system.
        columns: those that are read, to name one that is missing.

    Raises:
        ConfigError: wrong login, missing table or right.
        SchemaMismatch: a column is not there; names it if it is one of `columns`.
        SourceUnavailable: the server cannot be reached or went away.
        StorageError: it has no room left, or its disk fails.
        ProtocolError: anything else, by its class and SQLSTATE only.
    """
    with watching(connection):
        try:
            yield
        except OnecardError:
            raise
        except Exception as error:  # noqa: BLE001 - three drivers and Arrow, each its own tree
            cause = getattr(error, "orig", None) or error
            raise _as_onecard_error(
                cause, f"{what} at {connection.address}", connection, columns
            ) from None


def _as_onecard_error(
    cause: BaseException, where: str, connection: Connection, columns: Iterable[Column]
) -> OnecardError:
    meaning, by = meaning_of(cause), f"connection {connection.id!r}"
    why = unreachable.of_error(cause, connection.extra) if meaning in _UNREACHED else None
    if why is not None and why.kind != "down":
        return ConfigError(f"{where}: {why.says} ({by})")
    if meaning == "column":
        return SchemaMismatch(f"{where}: column {_named(cause, columns)} is missing ({by})")
    if meaning in _SAID:
        kind, says = _SAID[meaning]
        more = f": {why.says}" if why else ""
        return kind(f"{where}: {says}{more} ({by})")
    state = _state(cause)
    return ProtocolError(
        f"{where}: the database refused ({type(cause).__name__} {state}".strip() + ")"
    )


def meaning_of(error: BaseException) -> Meaning:
    """What a driver's error means; codes first, words only where there is no code."""
    number = error.args[0] if error.args else None
    if isinstance(number, int):  # MariaDB's SQLSTATE says less than its numbers
        return _NUMBERS.get(number, "other")
    state = _state(error)
    if state:
        return _STATES.get(state) or _STATES.get(state[:2], "other")
    text = str(error).lower()
    return next((meaning for word, meaning in _WORDS if word in text), "other")


def _state(error: BaseException) -> str:
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) and state.strip("\0 ") else ""


def _named(error: BaseException, columns: Iterable[Column]) -> str:
    """The contract's columns that the driver's first line speaks of; never the line itself."""
    line = str(error).split("\n", 1)[0]
    found = [
        f"{c.native} ({c.name})"
        for c in columns
        if re.search(rf"(?<!\w){re.escape(c.native)}(?!\w)", line)
    ]
    return ", ".join(found) or "of the contract"
