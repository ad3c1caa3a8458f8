"""Receipts looked up: by transfer, delivery, subject and day; those of folded transfers as well.

A receipt stands beside its transfer, or in a pack of folded ones (`onecard.store.folding`). Packs
of several subjects overlap; one look opens `PACKS` of them, the newest first, and says from which
transfer on the next look goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import LiteralString

from onecard.base.times import ZONE
from onecard.store.database import Connection, fetch_all, scalar

PACKS = 40
"""Packs that one look opens at most, beside those in which the page before has ended."""
LATER_PACKS = 20
"""Packs that are opened for a delivery: the attempt that was confirmed follows the first soon."""

_KEPT: LiteralString = (
    "SELECT t.id AS transfer, t.direction, t.subject, t.status, t.hub_time AS at,"
    " t.delivery_id AS delivery,"
    " CASE t.direction WHEN 'collect' THEN t.published ELSE t.sent_rows END AS rows,"
    " false AS folded FROM ledger.transfer t"
    " WHERE EXISTS (SELECT FROM ledger.receipt r WHERE r.transfer = t.id)"
    " AND (CAST(%(subjects)s AS text[]) IS NULL OR t.subject = ANY(%(subjects)s))"
)
_FOLDED: LiteralString = (
    "SELECT x.id AS transfer, p.direction, p.subject,"
    " CASE p.direction WHEN 'collect' THEN 'published' ELSE 'confirmed' END AS status,"
    " x.hub_time AS at, x.delivery,"
    " CASE p.direction WHEN 'deliver' THEN x.sent_rows END AS rows, true AS folded"
)
_UNPACKED: LiteralString = (
    " p CROSS JOIN LATERAL unnest(p.transfers, p.hub_time, p.deliveries, p.sent_rows)"
    " AS x (id, hub_time, delivery, sent_rows)"
)
_OWN: LiteralString = "(CAST(%(subjects)s AS text[]) IS NULL OR subject = ANY(%(subjects)s))"

_ONE: LiteralString = (
    _KEPT
    + " AND t.id = %(transfer)s UNION ALL "
    + _FOLDED
    + " FROM (SELECT * FROM ledger.lane_pack WHERE first <= %(transfer)s AND last >= %(transfer)s"
    " AND " + _OWN + ")" + _UNPACKED + " WHERE x.id = %(transfer)s"
)
_OF_DELIVERY: LiteralString = (
    _KEPT + " AND t.subject = %(agreement)s AND t.id >= %(first)s AND t.delivery_id = %(delivery)s"
    " UNION ALL " + _FOLDED + " FROM (SELECT * FROM ledger.lane_pack WHERE direction = 'deliver'"
    " AND subject = %(agreement)s AND last >= %(first)s AND "
    + _OWN
    + " ORDER BY last LIMIT %(packs)s)"
    + _UNPACKED
    + " WHERE x.delivery = %(delivery)s ORDER BY transfer DESC"
)
_LISTED: LiteralString = (
    _KEPT + " AND t.id < %(before)s AND (CAST(%(since)s AS timestamptz) IS NULL"
    " OR t.hub_time >= %(since)s AND t.hub_time < %(until)s) ORDER BY t.id DESC LIMIT %(limit)s"
)
_PACK: LiteralString = (
    " FROM ledger.lane_pack WHERE " + _OWN + " AND (CAST(%(day)s AS date) IS NULL OR day = %(day)s)"
)
_OLDER: LiteralString = _PACK + " AND last < %(before)s ORDER BY last DESC"
# Packs that a page ends in are opened again: of each subject one at most.
_LISTED_FOLDED: LiteralString = (
    _FOLDED
    + " FROM (SELECT *"
    + _PACK
    + " AND first < %(before)s AND last >= %(before)s UNION ALL (SELECT *"
    + _OLDER
    + " LIMIT %(packs)s))"
    + _UNPACKED
    + " WHERE x.id < %(before)s ORDER BY x.id DESC LIMIT %(limit)s"
)
_FLOOR: LiteralString = "SELECT last" + _OLDER + " OFFSET %(packs)s LIMIT 1"
_NO_END = 2**62


@dataclass(frozen=True, slots=True)
class SoughtReceipts:
    """Which receipts are looked for; what is empty, 0 or None narrows nothing.

    Attributes:
        subjects: datasets and agreements that may be shown; None: all.
        transfer: id of a transfer.
        delivery: id of a delivery, as its manifest says it.
        day: of the hub's clock.
        before: transfers of lower ids only.
    """

    subjects: Collection[str] | None
    transfer: int = 0
    delivery: str = ""
    day: date | None = None
    before: int = 0


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """A transfer that has a receipt.

    Attributes:
        rows: published or sent; None: of a folded collect its receipt alone says it.
        folded: its receipt stands in a pack.
    """

    transfer: int
    direction: str
    subject: str
    status: str
    at: datetime
    delivery: str | None
    rows: int | None
    folded: bool


@dataclass(frozen=True, slots=True)
class FoundReceipts:
    """A page of receipts, the newest first.

    Attributes:
        more: goes on from here: `before` of the next look; 0: there is nothing older.
    """

    lines: Sequence[ReceiptLine]
    more: int = 0


def search(connection: Connection, sought: SoughtReceipts, limit: int) -> FoundReceipts:
    """The newest receipts that are looked for; a transfer or a delivery goes before the rest.

    Args:
        connection: of the hub's database.
        sought: which.
        limit: at most so many.
    """
    values: dict[str, object] = {
        "subjects": None if sought.subjects is None else sorted(sought.subjects)
    }
    if sought.transfer:
        values["transfer"] = sought.transfer
        return FoundReceipts(fetch_all(connection, ReceiptLine, _ONE, values))
    if sought.delivery:
        agreement, first = first_attempt(sought.delivery)
        values |= {"agreement": agreement, "first": first, "delivery": sought.delivery}
        values["packs"] = LATER_PACKS
        return FoundReceipts(fetch_all(connection, ReceiptLine, _OF_DELIVERY, values))
    return _listed(connection, sought, limit, values)


def first_attempt(delivery: str) -> tuple[str, int]:
    """Agreement and first transfer that the id of a delivery names (`deliveries.own_ids`).

    Returns:
        An empty text and 0 where it is the id of no delivery.
    """
    agreement, _, rest = delivery.rpartition("-")[0].rpartition("-")
    whole = rest.isascii() and rest.isdigit() and 8 <= len(rest) < 19
    return (agreement, int(rest)) if agreement and whole else ("", 0)


def _listed(
    connection: Connection, sought: SoughtReceipts, limit: int, values: dict[str, object]
) -> FoundReceipts:
    """Both kinds together, down to where packs that were not opened begin."""
    since = datetime.combine(sought.day, time(), ZONE) if sought.day else None
    values |= {
        "before": sought.before or _NO_END,
        "day": sought.day,
        "since": since,
        "until": since + timedelta(days=1) if since else None,
        "limit": limit + 1,
        "packs": PACKS,
    }
    floor = scalar(connection, int, _FLOOR, values) or 0
    found = fetch_all(connection, ReceiptLine, _LISTED, values)
    found += fetch_all(connection, ReceiptLine, _LISTED_FOLDED, values)
    lines = sorted((x for x in found if x.transfer > floor), key=lambda x: -x.transfer)
    if len(lines) > limit:
        return FoundReceipts(lines[:limit], lines[limit - 1].transfer)
    return FoundReceipts(lines, floor + 1 if floor else 0)
