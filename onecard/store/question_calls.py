"""Signed calls that were answered: each is taken once, by whichever process, also after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

from onecard.store.database import Connection, columns
from onecard.store.together import Sent, send

Calls = frozenset[tuple[str, str]]
"""Signed calls, each by its caller and its rid."""
KEPT = timedelta(days=1)
"""So long it is known which signed calls were taken: far longer than one may be late."""
_TAKE: LiteralString = (
    "INSERT INTO ledger.question_call (caller, rid, at, request_id, repeated)"
    " SELECT * FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::bool[])"
)


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
        "SELECT caller, rid FROM unnest(%s::text[], %s::text[]) AS c(caller, rid)"
        " JOIN ledger.question_call USING (caller, rid)",
        columns(calls) or ([], []),
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
        connection.execute(_TAKE, columns([_line(call) for call in calls]))


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
        columns([_line(call) for call in calls]),
    ).fetchall()
    new = {(str(caller), str(rid)) for caller, rid in found}
    return frozenset((c.caller, c.rid) for c in calls) - new


def _line(call: Taken) -> tuple[object, ...]:
    return call.caller, call.rid, call.at, call.request_id, call.repeated


def forget(connection: Connection, before: datetime) -> None:
    """Drop calls that are older than this."""
    connection.execute("DELETE FROM ledger.question_call WHERE at < %s", (before,))
