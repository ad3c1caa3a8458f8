"""What the ledger knows of the way of late events: when who did what, by the hub's clock.

Read in the transaction that confirms a delivery. The hub's clock may be another than the database's
(`ONECARD_NOW`): a span that the database has measured is added to the hub's time of its beginning.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from onecard.errors import InternalError
from onecard.model.agreements import ALL
from onecard.store.database import Connection, fetch_all, fetch_one, scalar

MOST = 10_000
"""So many failed or held transfers are looked at, the newest; more tell nothing else."""

_MOMENTS: LiteralString = (
    "SELECT hub_time AS opened, hub_time + (clock_timestamp() - started_at) AS confirmed"
    " FROM ledger.transfer WHERE id = %s"
)
_PUBLICATIONS: LiteralString = (
    "SELECT id AS transfer, hub_time AS opened,"
    " coalesce(hub_time + (finished_at - started_at), hub_time) AS published,"
    " coalesce(finished_at, started_at) AS ended FROM ledger.transfer WHERE id = ANY(%(ids)s)"
    " UNION ALL SELECT w.id, p.hub_time[i], p.hub_time[i] + (p.finished_at[i] - p.started_at[i]),"
    " p.finished_at[i] FROM unnest(%(ids)s::bigint[]) w (id)"
    " JOIN ledger.lane_pack p ON p.first <= w.id AND p.last >= w.id"
    " CROSS JOIN LATERAL array_position(p.transfers, w.id) AS i WHERE i IS NOT NULL"
)
_LOOKED: LiteralString = (
    "SELECT n.id AS transfer, q.hub_time AS at FROM unnest(%s::bigint[]) n (id)"
    " CROSS JOIN LATERAL (SELECT hub_time FROM ledger.transfer WHERE subject = %s"
    " AND direction = 'collect' AND status = 'published' AND NOT replay AND id < n.id"
    " ORDER BY id DESC LIMIT 1) q"
)
_TROUBLES: LiteralString = (
    "SELECT hub_time AS at, status, EXISTS (SELECT FROM ledger.privacy_result p"
    " WHERE p.transfer = t.id AND p.outcome = 'hit' AND p.action = 'block') AS blocked"
    " FROM ledger.transfer t WHERE subject = %(subject)s AND direction = %(direction)s"
    " AND status IN ('failed', 'held') AND hub_time >= %(since)s"
    " ORDER BY id DESC LIMIT %(most)s"
)
_WATCHED: LiteralString = (
    "SELECT l.taken_at + (t.hub_time - t.started_at) AS at FROM ledger.lease l, ledger.transfer t"
    " WHERE l.name = %s AND l.until > clock_timestamp() AND t.id = %s"
)
_PERMITTED: LiteralString = (
    "SELECT max(at) FROM (SELECT at FROM ledger.agreement_event WHERE agreement = %s"
    " AND event = 'approved' UNION ALL SELECT at FROM ledger.stop_event"
    " WHERE scope = ANY(%s) AND NOT stopped) e"
)


@dataclass(frozen=True, slots=True)
class Moments:
    """When a delivery was opened, and when it is confirmed: now."""

    opened: datetime
    confirmed: datetime


@dataclass(frozen=True, slots=True)
class Publication:
    """When a collect was opened, and when it was published.

    Attributes:
        ended: when it was published, by the database's clock.
    """

    transfer: int
    opened: datetime
    published: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """A transfer that failed or was held.

    Attributes:
        at: when it was opened.
        status: `failed` or `held`.
        blocked: a rule of the privacy gate has stopped it.
    """

    at: datetime
    status: str
    blocked: bool


@dataclass(frozen=True, slots=True)
class _Looked:
    transfer: int
    at: datetime


def moments(connection: Connection, transfer: int) -> Moments:
    """When a delivery was opened and is confirmed.

    Args:
        connection: in the transaction that confirms.
        transfer: the delivery, which is running.

    Raises:
        InternalError: there is no such transfer.
    """
    found = fetch_one(connection, Moments, _MOMENTS, (transfer,))
    if found is None:
        msg = f"no transfer {transfer} in the ledger"
        raise InternalError(msg)
    return found


def publications(connection: Connection, transfers: Collection[int]) -> list[Publication]:
    """Of collects, folded ones too.

    Args:
        connection: of the hub's database.
        transfers: ids of published collects.
    """
    return fetch_all(connection, Publication, _PUBLICATIONS, {"ids": sorted(transfers)})


def looked_before(
    connection: Connection, dataset: str, transfers: Collection[int]
) -> dict[int, datetime]:
    """For each collect, when the published one before it was opened.

    Args:
        connection: of the hub's database.
        dataset: its id.
        transfers: ids of its published collects.
    """
    found = fetch_all(connection, _Looked, _LOOKED, (sorted(transfers), dataset))
    return {line.transfer: line.at for line in found}


def troubles(
    connection: Connection, direction: str, subject: str, since: datetime
) -> list[Trouble]:
    """Transfers of a subject that failed or were held, the newest first.

    Args:
        connection: of the hub's database.
        direction: `collect` or `deliver`.
        subject: dataset or agreement.
        since: opened at that moment or later.
    """
    values = {"direction": direction, "subject": subject, "since": since, "most": MOST}
    return fetch_all(connection, Trouble, _TROUBLES, values)


def watched_since(connection: Connection, dataset: str, transfer: int) -> datetime | None:
    """Since when a process of the live lane has looked at a source; None: none does now.

    Args:
        connection: of the hub's database.
        dataset: its id.
        transfer: the delivery that is confirmed.
    """
    return scalar(connection, datetime, _WATCHED, (f"collect {dataset}", transfer))


def permitted_since(connection: Connection, agreement: str, consumer: str) -> datetime | None:
    """When an agreement was last approved, or deliveries started again, by the database's clock.

    Args:
        connection: of the hub's database.
        agreement: its id.
        consumer: who receives.
    """
    return scalar(connection, datetime, _PERMITTED, (agreement, [consumer, ALL]))
