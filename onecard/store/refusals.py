"""What the hub's own database refuses, as errors of ours; never with a value that it quotes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from onecard import errors
from onecard.base import unreachable
from onecard.errors import ConfigError, FatalError, OnecardError, SourceUnavailable, StorageError

FULL = ("53100", "58030")
"""SQLSTATE (PostgreSQL, appendix A): the disk is full, or fails."""
PASSING = ("08", "25P03", "40", "53", "55P03", "57", "58")
"""Connection, ended while idle, serialisation, resources, lock, shut down or cancelled, system."""


WHERE = "ONECARD_DATABASE_URL says where it is"
"""What to look at; without it an embedded server runs in ONECARD_HOME."""


@contextmanager
def refusals(*kinds: type[Exception]) -> Iterator[None]:
    """Raise a driver's errors as ours.

    Args:
        kinds: the driver's; default: psycopg's.

    Raises:
        SourceUnavailable: the server cannot be reached, went away or says nothing.
        ConfigError: it is reached and does not let us in: login, database, TLS; says which.
        StorageError: it has no room left.
        FatalError: any other database error, as SQLSTATE and class only.
    """
    caught = kinds or (psycopg.Error,)
    try:
        yield
    except OnecardError:
        raise
    except caught as error:
        raise refusal(error) from None


def as_hub_error(error: BaseException) -> OnecardError:
    """As `onecard.errors.as_onecard_error`; what the hub's database refused is told as that."""
    return refusal(error) if isinstance(error, psycopg.Error) else errors.as_onecard_error(error)


def refusal(error: Exception) -> OnecardError:
    """A driver's error, or SQLAlchemy's round it, as one of ours."""
    error = getattr(error, "orig", None) or error
    kind, state = type(error).__name__, (getattr(error, "sqlstate", None) or "").strip("\0 ")
    if state in FULL:
        return StorageError(f"the hub's database has no room, or its disk fails ({kind} {state})")
    why = unreachable.of_error(error) if state or _lost(error) else None
    if why is not None and why.kind != "down":
        return ConfigError(f"the hub's database cannot be used: {why.says} ({WHERE})")
    if state.startswith(PASSING) or (not state and _lost(error)):
        said = why.says if why else f"{kind} {state}".strip()
        return SourceUnavailable(f"the hub's database is unavailable: {said} ({WHERE})")
    return FatalError(f"the hub's database refused ({kind} {state}{_place(error, state)})")


def _lost(error: Exception) -> bool:
    """Without an SQLSTATE: libpq's own words, when there is no session or no more."""
    named = any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)  # ADBC's too
    return isinstance(error, OSError) or named


def _place(error: Exception, state: str) -> str:
    """Table or constraint; for a mistake in the statement also what it says."""
    if not isinstance(error, psycopg.Error):
        return ""
    said = error.diag.message_primary if state.startswith("42") else ""
    parts = (error.diag.table_name or error.diag.constraint_name, said)
    return "".join(f" {part}" for part in parts if part)
