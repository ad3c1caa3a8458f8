"""Figures of calls about single persons: `ledger.question_time` and `ledger.question_refusal`.

Processes of the service count in memory and add what they have counted once a second; a process
that is killed takes a second of figures with it. What was asked of whom is no figure: that is on
record before it is answered (`onecard.store.questions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString, NamedTuple

from onecard.base.times import POSIX_ZONE
from onecard.model.call_figures import AnsweredCalls, RefusedCalls, TimedCalls, answered
from onecard.store import question_counts
from onecard.store.database import Connection, columns, fetch_all
from onecard.store.question_counts import Refused
from onecard.store.together import Sent, send

_ADD: LiteralString = (
    "INSERT INTO ledger.question_time AS t (since, agreement, caller, found, at_most_ms, calls)"
    " SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::bool[], %s::int[],"
    " %s::bigint[]) ON CONFLICT (since, agreement, caller, found, at_most_ms)"
    " DO UPDATE SET calls = t.calls + excluded.calls"
)
_TIMED: LiteralString = (
    "SELECT agreement, caller, found, at_most_ms, sum(calls)::bigint AS calls"
    " FROM ledger.question_time WHERE since >= %s AND since < %s GROUP BY 1, 2, 3, 4"
)
_REFUSED: LiteralString = (
    "SELECT agreement, caller, code, sum(calls)::bigint AS calls FROM ledger.question_refusal"
    " WHERE hour >= %s AND hour < %s GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)
_FOLD_TIMES: LiteralString = (
    "WITH old AS (DELETE FROM ledger.question_time WHERE since < %(before)s"
    " AND since <> date_trunc('day', since, %(zone)s) RETURNING *),"
    " days AS (SELECT date_trunc('day', since, %(zone)s) AS since, agreement, caller, found,"
    " at_most_ms, sum(calls)::bigint AS calls FROM old GROUP BY 1, 2, 3, 4, 5)"
    " INSERT INTO ledger.question_time AS t (since, agreement, caller, found, at_most_ms, calls)"
    " SELECT * FROM days ON CONFLICT (since, agreement, caller, found, at_most_ms)"
    " DO UPDATE SET calls = t.calls + excluded.calls"
)
_FOLD_REFUSALS: LiteralString = (
    "WITH old AS (DELETE FROM ledger.question_refusal WHERE hour < %(before)s"
    " AND hour <> date_trunc('day', hour, %(zone)s) RETURNING *),"
    " days AS (SELECT date_trunc('day', hour, %(zone)s) AS hour, caller, agreement, code,"
    " sum(calls)::bigint AS calls FROM old GROUP BY 1, 2, 3, 4)"
    " INSERT INTO ledger.question_refusal AS r (hour, caller, agreement, code, calls)"
    " SELECT * FROM days ON CONFLICT (hour, caller, agreement, code)"
    " DO UPDATE SET calls = r.calls + excluded.calls"
)


class Timed(NamedTuple):
    """Answered calls that are counted together.

    Attributes:
        hour: in which they fell, by the hub's clock.
        agreement: its id; empty: residents' look-ups.
        caller: sid of the system.
        found: whether something was said.
        at_most_ms: they took no longer (`onecard.base.call_bounds`).
    """

    hour: datetime
    agreement: str
    caller: str
    found: bool
    at_most_ms: int


def add(connection: Connection, timed: Mapping[Timed, int], refused: Mapping[Refused, int]) -> None:
    """Add calls to those of their hours: all of them, or none.

    Args:
        connection: of the hub's database, without an open transaction.
        timed: how many were answered, of each.
        refused: how many were refused, of each.
    """
    if not timed and not refused:
        return
    with connection.transaction():
        if timed:  # in one order, so that no two processes wait for each other
            lines = [(*line, number) for line, number in sorted(timed.items())]
            connection.execute(_ADD, columns(lines))
        question_counts.refused(connection, refused)


def answered_calls(connection: Connection, start: datetime, end: datetime) -> list[AnsweredCalls]:
    """Calls that were answered in a span, by agreement and caller.

    Args:
        connection: of the hub's database.
        start: beginning of an hour; of a day in Beijing where it lies further back than
            housekeeping keeps hours (`onecard.operations.housekeeping`).
        end: the same; it is not included.
    """
    return answered(fetch_all(connection, TimedCalls, _TIMED, (start, end)))


def refused_calls(connection: Connection, start: datetime, end: datetime) -> list[RefusedCalls]:
    """Calls that were refused in a span, by agreement, caller and code.

    Args:
        connection: of the hub's database.
        start: as for `answered_calls`.
        end: the same; it is not included.
    """
    return fetch_all(connection, RefusedCalls, _REFUSED, (start, end))


@dataclass(frozen=True, slots=True)
class SpanOfCalls:
    """What was asked of a span (`ask`); each to be read once, when the answers are there."""

    _timed: Sent[TimedCalls]
    _refused: Sent[RefusedCalls]

    def answered(self) -> list[AnsweredCalls]:
        """As `answered_calls`."""
        return answered(self._timed.all())

    def refused(self) -> list[RefusedCalls]:
        """As `refused_calls`."""
        return self._refused.all()


def ask(connection: Connection, start: datetime, end: datetime) -> SpanOfCalls:
    """Ask for calls of a span.

    Args:
        connection: of the hub's database.
        start: as for `answered_calls`.
        end: the same.
    """
    return SpanOfCalls(
        send(connection, TimedCalls, _TIMED, (start, end)),
        send(connection, RefusedCalls, _REFUSED, (start, end)),
    )


def fold(connection: Connection, before: datetime) -> None:
    """Make one line a day of the hours before a day; sums stay the same.

    Args:
        connection: of the hub's database.
        before: beginning of a day in Beijing.
    """
    for statement in (_FOLD_TIMES, _FOLD_REFUSALS):
        connection.execute(statement, {"before": before, "zone": POSIX_ZONE})
