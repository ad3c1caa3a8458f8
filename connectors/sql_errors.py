"""Database errors in our words: what and where, never a row's value or a password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from onecard.connections import Connection
from onecard.errors import ConfigError, OnecardError, ProtocolError, SourceUnavailable

_LOGIN = ("password", "authentication", "access denied", "role", "28000", "28p01", "1045")
_ABSENT = ("does not exist", "no such table", "doesn't exist", "no such column", "unknown column",
           "unknown database", "unable to open")  # fmt: skip
_DOWN = ("connection refused", "could not connect", "can't connect", "timeout", "timed out",
         "server closed", "lost connection", "gone away", "terminating", "no such file",
         "name or service", "could not translate", "connection failed")  # fmt: skip


@contextmanager
def translated(what: str, connection: Connection) -> Iterator[None]:
    """Raise any driver's error as ours.

    Raises:
        ConfigError: wrong login, missing table or column.
        SourceUnavailable: the server cannot be reached or went away.
        ProtocolError: anything else, by its class and SQLSTATE only.
    """
    try:
        yield
    except (OnecardError, GeneratorExit):
        raise
    except Exception as error:
        text = str(error).lower()
        state = getattr(error, "sqlstate", None) or type(error).__name__
        where = f"{what} at {connection.address}"
        if any(word in text for word in _ABSENT):
            msg = f"{where}: table or column is not there (connection {connection.id!r})"
            raise ConfigError(msg) from None
        if any(word in text for word in _DOWN):
            msg = f"{where}: the server cannot be reached (connection {connection.id!r})"
            raise SourceUnavailable(msg) from None
        if any(word in text for word in _LOGIN):
            msg = f"{where}: login refused (connection {connection.id!r})"
            raise ConfigError(msg) from None
        msg = f"{where}: the database refused ({state})"
        raise ProtocolError(msg) from None
