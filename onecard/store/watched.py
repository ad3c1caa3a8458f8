"""Calls as rules against misuse count them: a line a call, kept for a day; no value of a row.

A person is the keyed reference of `ledger.question`, a series a keyed reference of division and day
of birth. Lines are written by the transaction that records their calls, which holds the head of the
audit log: they become visible in the order of their ids, and `upto` misses none.

Calls that have led to a suspension by a rule do not count for that rule again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import LiteralString

from onecard.model.misuse import CallOperator
from onecard.store.database import Connection, columns, fetch_all, scalar

_EARLIER: LiteralString = (
    "(SELECT caller, operator, max(line) AS line FROM ledger.operator_suspension"
    " WHERE rule = %(rule)s GROUP BY caller, operator) s"
)
_LINES: LiteralString = (
    "WITH fresh AS (SELECT DISTINCT caller, operator FROM ledger.question_watch"
    " WHERE id > %(after)s AND id <= %(upto)s),"
    " lines AS (SELECT w.* FROM fresh JOIN ledger.question_watch w USING (caller, operator)"
    " LEFT JOIN "
    + _EARLIER
    + " USING (caller, operator) WHERE w.at > %(since)s AND w.id <= %(upto)s"
    " AND w.id > coalesce(s.line, 0))"
)
_IN_ORDER: LiteralString = (
    " SELECT caller, operator, max(persons) AS number FROM (SELECT caller, operator,"
    " count(DISTINCT person) AS persons FROM lines GROUP BY caller, operator, series) p"
    " GROUP BY caller, operator HAVING max(persons) >= %(limit)s"
)
_MISSES: LiteralString = (
    " SELECT caller, operator, count(*) FILTER (WHERE NOT answered) AS number FROM lines"
    " GROUP BY caller, operator HAVING count(*) FILTER (WHERE NOT answered) >= %(limit)s"
    " AND 100 * count(*) FILTER (WHERE NOT answered) >= %(percent)s * count(*)"
)
_OUTSIDE: LiteralString = (
    " SELECT caller, operator, count(*) AS number FROM lines WHERE caller = ANY(%(callers)s)"
    " AND NOT EXISTS (SELECT FROM unnest(%(names)s::text[], %(starts)s::timestamptz[],"
    " %(ends)s::timestamptz[]) o (name, starts, ends) WHERE o.name = lines.caller"
    " AND lines.at >= o.starts AND lines.at < o.ends)"
    " GROUP BY caller, operator HAVING count(*) >= %(limit)s"
)
_BUSY: LiteralString = (
    " SELECT caller, operator, count(*) AS number FROM lines"
    " GROUP BY caller, operator HAVING count(*) >= %(limit)s"
)
_VOLUMES: LiteralString = (
    "SELECT caller, operator, count(*) AS number FROM ledger.question_watch"
    " WHERE at > %(since)s AND id <= %(upto)s AND caller = ANY(%(callers)s)"
    " GROUP BY caller, operator"
)
_BY_MANY: LiteralString = (
    "WITH fresh AS (SELECT DISTINCT person FROM ledger.question_watch"
    " WHERE id > %(after)s AND id <= %(upto)s),"
    " asked AS (SELECT person, caller, operator, min(w.id) AS first, max(w.id) AS last"
    " FROM fresh JOIN ledger.question_watch w USING (person) LEFT JOIN "
    + _EARLIER
    + " USING (caller, operator) WHERE w.at > %(since)s AND w.id <= %(upto)s"
    " AND w.id > coalesce(s.line, 0) GROUP BY person, caller, operator),"
    " placed AS (SELECT *, row_number() OVER (PARTITION BY person ORDER BY first) AS place"
    " FROM asked)"
    " SELECT caller, operator, max(place) AS number FROM placed"
    " WHERE place >= %(limit)s AND last > %(after)s GROUP BY caller, operator"
)


@dataclass(frozen=True, slots=True)
class WatchedCall:
    """A call that was recorded.

    Attributes:
        person: keyed reference, 8 bytes.
        series: keyed reference of division and day of birth, 8 bytes.
        answered: something was said of the person.
    """

    at: datetime
    agreement: str
    caller: str
    operator: str
    person: bytes = field(repr=False)
    series: bytes = field(repr=False)
    answered: bool


@dataclass(frozen=True, slots=True)
class Lines:
    """Which calls a rule is held against.

    Attributes:
        rule: its name.
        after: operators and persons of later lines than this are looked at.
        upto: the newest line that counts.
        since: calls of this moment or earlier do not count.
    """

    rule: str
    after: int
    upto: int
    since: datetime


@dataclass(frozen=True, slots=True)
class OperatorCount:
    """What was counted of one operator."""

    caller: str
    operator: str
    number: int

    @property
    def who(self) -> CallOperator:
        """Caller and operator."""
        return CallOperator(self.caller, self.operator)


@dataclass(frozen=True, slots=True)
class OfficeSpan:
    """Office hours of one caller on one day; `end` is no more part of them."""

    caller: str
    start: datetime
    end: datetime


def note(connection: Connection, calls: Sequence[WatchedCall]) -> None:
    """Write calls in their order.

    Args:
        connection: in the transaction that records them.
        calls: that are new, no repetitions.
    """
    if not calls:
        return
    lines = [
        (c.at, c.agreement, c.caller, c.operator, c.person, c.series, c.answered) for c in calls
    ]
    connection.execute(
        "INSERT INTO ledger.question_watch"
        " (at, agreement, caller, operator, person, series, answered)"
        " SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[],"
        " %b::bytea[], %b::bytea[], %s::bool[])",
        columns(lines),
    )


def looked_at(connection: Connection) -> int | None:
    """The line up to which rules were held against calls; None: another process does it now.

    Args:
        connection: with an open transaction, until whose end no other process gets it.
    """
    return scalar(
        connection, int, "SELECT line FROM ledger.misuse_look WHERE id FOR UPDATE SKIP LOCKED"
    )


def set_looked_at(connection: Connection, line: int) -> None:
    """Say that rules were held against all calls up to a line.

    Args:
        connection: in the transaction that has `looked_at`.
        line: the newest.
    """
    connection.execute("UPDATE ledger.misuse_look SET line = %s WHERE id", (line,))


def newest(connection: Connection) -> int:
    """The newest line; 0: there is none."""
    return scalar(connection, int, "SELECT max(id) FROM ledger.question_watch") or 0


def waiting_since(connection: Connection) -> datetime | None:
    """When the oldest call was recorded that rules were not held against; None: there is none."""
    return scalar(
        connection,
        datetime,
        "SELECT min(at) FROM ledger.question_watch"
        " WHERE id > (SELECT line FROM ledger.misuse_look WHERE id)",
    )


def in_order(connection: Connection, lines: Lines, limit: int) -> list[OperatorCount]:
    """Operators who have asked for so many persons of one division and day of birth.

    Args:
        connection: of the hub's database.
        lines: which count.
        limit: persons.
    """
    return fetch_all(connection, OperatorCount, _LINES + _IN_ORDER, _of(lines, limit))


def misses(connection: Connection, lines: Lines, limit: int, percent: int) -> list[OperatorCount]:
    """Operators of whom so many calls, and so many of a hundred, found nobody.

    Args:
        connection: of the hub's database.
        lines: which count.
        limit: calls that found nobody.
        percent: of all calls of the operator.
    """
    values = {**_of(lines, limit), "percent": percent}
    return fetch_all(connection, OperatorCount, _LINES + _MISSES, values)


def by_many(connection: Connection, lines: Lines, limit: int) -> list[OperatorCount]:
    """Operators who asked for a person after others, who are so many together with them.

    Args:
        connection: of the hub's database.
        lines: which count.
        limit: operators; all of one agency, as a reference means something there only.
    """
    return fetch_all(connection, OperatorCount, _BY_MANY, _of(lines, limit))


def outside(
    connection: Connection,
    lines: Lines,
    limit: int,
    callers: Sequence[str],
    hours: Sequence[OfficeSpan],
) -> list[OperatorCount]:
    """Operators with so many calls outside their callers' office hours.

    Args:
        connection: of the hub's database.
        lines: which count.
        limit: calls.
        callers: that have office hours.
        hours: of these, on all days that count.
    """
    spans: list[list[object]] = columns([(h.caller, h.start, h.end) for h in hours]) or [[], [], []]
    named = dict(zip(("names", "starts", "ends"), spans, strict=True))
    values = {**_of(lines, limit), "callers": list(callers), **named}
    return fetch_all(connection, OperatorCount, _LINES + _OUTSIDE, values)


def busy(connection: Connection, lines: Lines, limit: int) -> list[OperatorCount]:
    """Operators with so many calls.

    Args:
        connection: of the hub's database.
        lines: which count.
        limit: calls.
    """
    return fetch_all(connection, OperatorCount, _LINES + _BUSY, _of(lines, limit))


def volumes(connection: Connection, lines: Lines, callers: Sequence[str]) -> list[OperatorCount]:
    """Calls of all operators of some callers, whatever they have led to.

    Args:
        connection: of the hub's database.
        lines: which count.
        callers: sids.
    """
    values = {"since": lines.since, "upto": lines.upto, "callers": list(callers)}
    return fetch_all(connection, OperatorCount, _VOLUMES, values)


def _of(lines: Lines, limit: int) -> Mapping[str, object]:
    return {
        "rule": lines.rule,
        "after": lines.after,
        "upto": lines.upto,
        "since": lines.since,
        "limit": limit,
    }
