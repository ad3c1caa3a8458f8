"""Entries of the audit log looked up: by kind, subject, actor and day, a page at a time.

However long the log is, one look reads no more than `LOOKED` entries: the page says how far it has
come, and the next look goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

from onecard.crypto.audit_format import Entry
from onecard.store import audit
from onecard.store.database import Connection, fetch_one, one_scalar, scalars

LOOKED = 50_000
"""Entries that one look reads at most."""
CLOCK_ERROR = timedelta(hours=1)
"""So far the clock of the database may have been set back between two entries."""

# Times grow with the numbers, but for a clock that was set: halving finds the place.
_BOUNDS: LiteralString = (
    "WITH RECURSIVE half (low, high) AS ("
    "SELECT CAST(1 AS bigint), CAST(%(size)s AS bigint) + 1 UNION ALL"
    " SELECT CASE WHEN a.at < %(at)s THEN a.seq + 1 ELSE h.low END,"
    " CASE WHEN a.at < %(at)s THEN h.high ELSE a.seq END"
    " FROM half h JOIN ledger.audit a ON a.seq = (h.low + h.high) / 2 WHERE h.low < h.high)"
    " SELECT max(low) AS low, min(high) AS high FROM half"
)
_FOUND: LiteralString = (
    "SELECT seq FROM ledger.audit WHERE seq >= %(first)s AND seq < %(before)s"
    " AND (%(kind)s = '' OR kind = %(kind)s OR starts_with(kind, %(kind)s || '.'))"
    " AND (%(subject)s = '' OR subject = %(subject)s) AND (%(actor)s = '' OR actor = %(actor)s)"
    " AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)"
    " AND (%(until)s::timestamptz IS NULL OR at < %(until)s) ORDER BY seq DESC LIMIT %(limit)s"
)


@dataclass(frozen=True, slots=True)
class Sought:
    """Which entries are looked for; what is empty or None narrows nothing.

    Attributes:
        kind: of the entry, or its first part: `delivery` is every `delivery.…`.
        since: not before this instant.
        until: before this instant.
        before: entries of lower numbers only; 0: from the newest on.
    """

    kind: str = ""
    subject: str = ""
    actor: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int = 0


@dataclass(frozen=True, slots=True)
class FoundEntries:
    """A page of entries, the newest first.

    Attributes:
        size: entries of the whole log.
        first: the lowest number that was looked at.
        last: the highest; less than `first`: none was.
        more: goes on from here: `before` of the next look; 0: there is nothing older.
    """

    entries: Sequence[Entry]
    size: int
    first: int
    last: int
    more: int


@dataclass(frozen=True, slots=True)
class _Bounds:
    low: int
    high: int


def search(connection: Connection, sought: Sought, limit: int) -> FoundEntries:
    """The newest entries that are looked for.

    Args:
        connection: of the hub's database.
        sought: which.
        limit: at most so many.
    """
    size = one_scalar(connection, int, "SELECT coalesce(max(seq), 0) FROM ledger.audit")
    lowest, end = _span(connection, sought, size)
    first = max(lowest, end - LOOKED)
    numbers = scalars(
        connection,
        int,
        _FOUND,
        {
            "first": first,
            "before": end,
            "kind": sought.kind,
            "subject": sought.subject,
            "actor": sought.actor,
            "since": sought.since,
            "until": sought.until,
            "limit": limit,
        },
    )
    if len(numbers) == limit:
        first = numbers[-1]
    more = first if first > lowest else 0
    return FoundEntries(audit.numbered(connection, numbers), size, first, end - 1, more)


def _span(connection: Connection, sought: Sought, size: int) -> tuple[int, int]:
    """The lowest number that can be meant, and the one after the highest."""
    lowest, end = 1, size + 1
    if sought.since is not None:
        lowest = _bounds(connection, sought.since - CLOCK_ERROR, size).low
    if sought.until is not None:
        end = _bounds(connection, sought.until + CLOCK_ERROR, size).high
    if sought.before:
        end = min(end, sought.before)
    return lowest, max(end, lowest)


def _bounds(connection: Connection, at: datetime, size: int) -> _Bounds:
    """Between which numbers the first entry of that instant, or of a later one, lies.

    Both are the same where no entry that is looked at on the way is missing.
    """
    found = fetch_one(connection, _Bounds, _BOUNDS, {"at": at, "size": size})
    return found or _Bounds(1, size + 1)


def carrying(connection: Connection, text: str, subject: str, after: int) -> int:
    """Number of the first entry about a subject whose body has a text, of the next `LOOKED`; or 0.

    Args:
        connection: of the hub's database.
        text: that stands in the body: a digest.
        subject: of the entry.
        after: number of the entry after which it is looked for.
    """
    found = scalars(
        connection,
        int,
        "SELECT seq FROM ledger.audit WHERE seq > %(after)s AND seq <= %(last)s"
        " AND subject = %(subject)s"
        " AND (strpos(body, %(text)s) > 0 OR encode(hash, 'hex') = %(text)s)"  # `audit_body`
        " ORDER BY seq LIMIT 1",
        {"after": after, "last": after + LOOKED, "subject": subject, "text": text},
    )
    return found[0] if found else 0
