"""Signed calls that were answered: each is taken once, by whichever process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from onecard.store.database import Connection, as_records
from onecard.store.together import Sent, send

Calls = frozenset[tuple[str, str]]
"""Signed calls, each by its caller and its rid."""
_TAKE: LiteralString = (
    "INSERT INTO ledger.question_call (caller, rid, at, request_id, repeated)"
    " SELECT * FROM json_to_recordset(%s::json) AS r(caller text, rid text, at timestamptz,"
    " request_id text, repeated bool)"
)
_NAMES = ("caller", "rid", "at", "request_id", "repeated")


@dataclass(frozen=True, slots=True)
class Taken:
    """A signed call that is answered.

    Attributes:
        repeated: the request was recorded before.
    """

    caller: str
    rid: str
    at: datetime
    request_id: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class _Call:
    caller: str
    rid: str


@dataclass(frozen=True, slots=True)
class AskedTaken:
    """Which of some signed calls were answered before (`ask_taken`); read it later."""

    _found: Sent[_Call]

    def all(self) -> Calls:
        """Those calls; to be read once."""
        return frozenset((call.caller, call.rid) for call in self._found.all())


def ask_taken(connection: Connection, calls: Sequence[tuple[str, str]]) -> AskedTaken:
    """Ask which of some signed calls were answered before, by whomever.

    Args:
        connection: of the hub's database.
        calls: callers and the rids of their calls.
    """
    found = send(
        connection,
        _Call,
        "SELECT caller, rid FROM json_to_recordset(%s::json) AS c(caller text, rid text)"
        " JOIN ledger.question_call USING (caller, rid)",
        (as_records(_NAMES[:2], calls),),
    )
    return AskedTaken(found)


def take(connection: Connection, calls: Sequence[Taken]) -> None:
    """Note signed calls as answered, none of which was before (`ask_taken`).

    Args:
        connection: in the transaction that has asked, under the lock of all who record calls.
        calls: in which no two have the same caller and rid.

    Raises:
        psycopg.Error: one was taken meanwhile.
    """
    if calls:
        connection.execute(_TAKE, _lines(calls))


def taken(connection: Connection, calls: Sequence[Taken]) -> Calls:
    """Note signed calls as answered; each can be so once.

    Args:
        connection: with an open transaction.
        calls: in which no two have the same caller and rid.

    Returns:
        Those that were taken before, by whomever.
    """
    if not calls:
        return frozenset()
    found = connection.execute(
        _TAKE + " ON CONFLICT (caller, rid) DO NOTHING RETURNING caller, rid",
        _lines(calls),
    ).fetchall()
    new = {(str(caller), str(rid)) for caller, rid in found}
    return frozenset((c.caller, c.rid) for c in calls) - new


def _lines(calls: Sequence[Taken]) -> tuple[str]:
    lines = [(c.caller, c.rid, c.at, c.request_id, c.repeated) for c in calls]
    return (as_records(_NAMES, lines),)
