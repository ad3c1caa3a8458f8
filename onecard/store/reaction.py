"""How long events took to their consumers: `ledger.reaction` and `ledger.reaction_breach`.

Both are written in the transaction that confirms a delivery: what is rolled back was never counted,
and what is confirmed is counted once. Numbers, names and the hub's times; no value of a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from onecard.base.times import POSIX_ZONE
from onecard.model.reaction import Breach, ReactionTimes
from onecard.store.database import Connection, fetch_all
from onecard.store.together import Sent, send

_ADD: LiteralString = (
    "INSERT INTO ledger.reaction AS r (since, agreement, kind, bucket, events)"
    " SELECT %(since)s, %(agreement)s, kind, bucket, events"
    " FROM unnest(%(kinds)s::text[], %(buckets)s::smallint[], %(events)s::bigint[])"
    " AS n (kind, bucket, events) ON CONFLICT (since, agreement, kind, bucket)"
    " DO UPDATE SET events = r.events + excluded.events"
)
_ADD_BREACH: LiteralString = (
    "INSERT INTO ledger.reaction_breach AS b"
    " (since, agreement, kind, cause, allowed, events, worst, first_at, last_at)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
    " ON CONFLICT (since, agreement, kind, cause, allowed) DO UPDATE SET"
    " events = b.events + excluded.events, worst = greatest(b.worst, excluded.worst),"
    " first_at = least(b.first_at, excluded.first_at),"
    " last_at = greatest(b.last_at, excluded.last_at)"
)
_TIMES: LiteralString = (
    "SELECT agreement, kind, bucket, sum(events)::bigint AS events FROM ledger.reaction"
    " WHERE since >= %s AND since < %s GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)
_BREACHES: LiteralString = (
    "SELECT agreement, kind, cause, allowed, since, events, worst, first_at, last_at"
    " FROM ledger.reaction_breach WHERE since >= %s AND since < %s"
    " ORDER BY since, agreement, kind, cause, allowed"
)
_FOLD: LiteralString = (
    "WITH old AS (DELETE FROM ledger.reaction WHERE since < %(before)s"
    " AND since <> date_trunc('day', since, %(zone)s) RETURNING *),"
    " days AS (SELECT date_trunc('day', since, %(zone)s) AS since, agreement, kind, bucket,"
    " sum(events)::bigint AS events FROM old GROUP BY 1, 2, 3, 4)"
    " INSERT INTO ledger.reaction AS r (since, agreement, kind, bucket, events)"
    " SELECT * FROM days ON CONFLICT (since, agreement, kind, bucket)"
    " DO UPDATE SET events = r.events + excluded.events"
)


@dataclass(frozen=True, slots=True)
class _Line:
    agreement: str
    kind: str
    bucket: int
    events: int


@dataclass(frozen=True, slots=True)
class Reactions:
    """What was asked of a span (`ask`); each to be read once, when the answers are there."""

    _times: Sent[_Line]
    _breaches: Sent[Breach]

    def times(self) -> list[ReactionTimes]:
        """As `times`."""
        return _added(self._times.all())

    def breaches(self) -> list[Breach]:
        """As `breaches`."""
        return self._breaches.all()


def add(
    connection: Connection,
    agreement: str,
    since: datetime,
    counted: Mapping[tuple[str, int], int],
) -> None:
    """Count the events of a delivery.

    Args:
        connection: in the transaction that confirms.
        agreement: its id.
        since: beginning of the hour of the confirmation.
        counted: number of events by kind and bucket.
    """
    if not counted:
        return
    keys = sorted(counted)
    connection.execute(
        _ADD,
        {
            "since": since,
            "agreement": agreement,
            "kinds": [kind for kind, _ in keys],
            "buckets": [bucket for _, bucket in keys],
            "events": [counted[key] for key in keys],
        },
    )


def add_breaches(connection: Connection, breaches: Sequence[Breach]) -> None:
    """Note the events of a delivery that were confirmed too late.

    Args:
        connection: in the transaction that confirms.
        breaches: one for each kind and cause.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            _ADD_BREACH,
            [
                (
                    b.since,
                    b.agreement,
                    b.kind,
                    b.cause,
                    b.allowed,
                    b.events,
                    b.worst,
                    b.first_at,
                    b.last_at,
                )
                for b in breaches
            ],
        )


def times(connection: Connection, start: datetime, end: datetime) -> list[ReactionTimes]:
    """What was confirmed in a span, by agreement and kind of event.

    Args:
        connection: of the hub's database.
        start: beginning of an hour; of a day in Beijing where it lies further back than
            housekeeping keeps hours (`onecard.operations.housekeeping`).
        end: the same; it is not included.
    """
    return _added(fetch_all(connection, _Line, _TIMES, (start, end)))


def _added(lines: Iterable[_Line]) -> list[ReactionTimes]:
    found: dict[tuple[str, str], dict[int, int]] = {}
    for line in lines:
        found.setdefault((line.agreement, line.kind), {})[line.bucket] = line.events
    return [ReactionTimes(agreement, kind, counts) for (agreement, kind), counts in found.items()]


def ask(connection: Connection, start: datetime, end: datetime) -> Reactions:
    """Ask for times and breaches of a span.

    Args:
        connection: of the hub's database.
        start: as for `times`.
        end: the same.
    """
    return Reactions(
        send(connection, _Line, _TIMES, (start, end)),
        send(connection, Breach, _BREACHES, (start, end)),
    )


def breaches(connection: Connection, start: datetime, end: datetime) -> list[Breach]:
    """What was confirmed too late in a span, by hour, oldest first.

    Args:
        connection: of the hub's database.
        start: beginning of an hour.
        end: of an hour; it is not included.
    """
    return fetch_all(connection, Breach, _BREACHES, (start, end))


def fold(connection: Connection, before: datetime) -> None:
    """Make one line a day of the hours before a day; sums and percentiles stay the same.

    Args:
        connection: of the hub's database.
        before: beginning of a day in Beijing.
    """
    connection.execute(_FOLD, {"before": before, "zone": POSIX_ZONE})
