"""Database errors in our words: what and where, never a row's value or a password."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from connectors.common.breaker import watching
from connectors.sql import dialects
from connectors.sql.dialects.base import Meaning
from connectors.sql.dialects.postgresql import state_of
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
        except Exception as error:  # noqa: BLE001 - many drivers and Arrow, each its own tree
            cause = getattr(error, "orig", None) or error
            raise _as_onecard_error(
                cause, f"{what} at {connection.address}", connection, columns
            ) from None


def _as_onecard_error(
    cause: BaseException, where: str, connection: Connection, columns: Iterable[Column]
) -> OnecardError:
    dialect = dialects.of(connection)
    meaning = dialect.meaning(cause)
    by = f"connection {connection.id!r}"
    why = unreachable.of_error(cause, connection.extra) if meaning in _UNREACHED else None
    if why is not None and why.kind != "down":
        return ConfigError(f"{where}: {why.says} ({by})")
    if meaning == "column":
        return SchemaMismatch(f"{where}: column {_named(cause, columns)} is missing ({by})")
    if meaning in _SAID:
        kind, says = _SAID[meaning]
        more = f": {why.says}" if why else dialect.hint(cause)
        return kind(f"{where}: {says}{more} ({by})")
    state = state_of(cause)
    return ProtocolError(
        f"{where}: the database refused ({type(cause).__name__} {state}".strip() + ")"
    )


def _named(error: BaseException, columns: Iterable[Column]) -> str:
    """The contract's columns that the driver's first line speaks of; never the line itself."""
    line = str(error).split("\n", 1)[0]
    found = [
        f"{c.native} ({c.name})"
        for c in columns
        if re.search(rf"(?<!\w){re.escape(c.native)}(?!\w)", line)
    ]
    return ", ".join(found) or "of the contract"
