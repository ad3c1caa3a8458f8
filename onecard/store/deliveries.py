"""What consumers have: confirmed versions, open windows, statistical cells, earlier deliveries.

Tables `ledger.delivered`, `ledger.delivery_window`, `ledger.statistic`, and the deliveries among
`ledger.transfer` with their receipts.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import LiteralString

from onecard.base.sql_text import query
from onecard.ports.inbox import Sending
from onecard.store import receipts
from onecard.store.database import Connection, fetch_all, one_scalar, scalar, scalars
from onecard.store.days import DAY
from onecard.store.together import Sent, send

_SENDINGS: LiteralString = (
    "WITH there AS (SELECT DISTINCT id FROM unnest(%(there)s::text[]) AS id), sent AS ("
    " SELECT delivery_id AS id, id AS transfer, status = 'confirmed'"
    " AND sent_rows + deleted_rows > 0 AND expires_at > %(now)s AS due FROM ledger.transfer"
    " WHERE subject = %(agreement)s AND direction = 'deliver' AND delivery_id IS NOT NULL"
    " UNION ALL SELECT x.id, x.transfer, x.sent + x.deleted > 0 AND x.expires > %(now)s"
    " FROM ledger.lane_pack p,"
    " unnest(p.deliveries, p.transfers, p.sent_rows, p.deleted_rows, p.expires_at)"
    " AS x (id, transfer, sent, deleted, expires)"
    " WHERE p.subject = %(agreement)s AND p.direction = 'deliver' AND (p.last >= %(oldest)s::bigint"
    " OR %(now)s < ANY (p.expires_at))"
    "), known AS (SELECT s.transfer, t.id, coalesce(s.due, false) AND e.delivery_id IS NULL"
    " AS confirmed FROM sent s LEFT JOIN there t ON t.id = s.id"
    " LEFT JOIN ledger.erasure e ON e.delivery_id = s.id WHERE t.id IS NOT NULL OR s.due"
    "), found AS (SELECT id, bool_or(confirmed) AS confirmed, max(transfer) AS transfer,"
    " min(transfer) FILTER (WHERE id IS NULL AND confirmed) AS missing FROM known GROUP BY id)"
    " SELECT id, confirmed FROM (SELECT id, confirmed, transfer FROM found WHERE id IS NOT NULL"
    " UNION ALL SELECT coalesce((SELECT delivery_id FROM ledger.transfer WHERE id = missing),"
    " (SELECT x.id FROM ledger.lane_pack p, unnest(p.deliveries, p.transfers) AS x (id, transfer)"
    " WHERE p.subject = %(agreement)s AND p.direction = 'deliver' AND p.first <= missing"
    " AND p.last >= missing AND x.transfer = missing)), true, NULL"
    " FROM found WHERE missing IS NOT NULL) f ORDER BY transfer NULLS LAST"
)
"""Rows that nobody asks for by name are one group, so that they are counted and not kept."""
# Packs of one subject follow each other by id; two, since a clock that was set back mixes days.
_LAPSED: LiteralString = (
    "SELECT max(id) FROM (SELECT id FROM ledger.transfer WHERE subject = %(agreement)s"
    " AND direction = 'deliver' AND status = 'confirmed' AND NOT replay AND expires_at <= %(now)s"
    " UNION ALL SELECT e.transfer FROM ledger.erasure e WHERE e.agreement = %(agreement)s"
    " AND NOT EXISTS (SELECT FROM ledger.transfer t WHERE t.id = e.transfer AND t.replay)"
    " UNION ALL SELECT x.id FROM (SELECT transfers, expires_at FROM ledger.lane_pack"
    " WHERE subject = %(agreement)s AND direction = 'deliver' AND first_expires <= %(now)s"
    " ORDER BY last DESC LIMIT 2) p, unnest(p.transfers, p.expires_at) AS x (id, expires_at)"
    " WHERE x.expires_at <= %(now)s) l"
)

_ROWS_BY_DAY: LiteralString = (
    "SELECT CAST(sum(sent_rows) AS bigint) FROM (SELECT {day} AS day, sent_rows"
    " FROM ledger.transfer WHERE subject = %(agreement)s AND direction = 'deliver'"
    " AND status = 'confirmed' AND NOT replay AND hub_time >="
    " (CAST(%(after)s + 1 AS timestamp) AT TIME ZONE 'Asia/Shanghai')"
    " UNION ALL SELECT day, sent_rows FROM ledger.lane_day WHERE subject = %(agreement)s"
    " AND direction = 'deliver' AND day > %(after)s) d WHERE sent_rows > 0 GROUP BY day"
)


@dataclass(frozen=True, slots=True)
class DeliveredVersion:
    """The version of one dataset that a consumer has confirmed.

    Attributes:
        token_epoch: of the tokens that were sent; empty without tokens.
    """

    dataset: str
    version: int
    confirmed_on: date | None
    token_epoch: str


def delivered(connection: Connection, agreement: str) -> list[DeliveredVersion]:
    """What the agreement's consumer has confirmed."""
    return fetch_all(
        connection,
        DeliveredVersion,
        "SELECT dataset, version, confirmed_on, token_epoch FROM ledger.delivered"
        " WHERE agreement = %s",
        (agreement,),
    )


@dataclass(frozen=True, slots=True)
class Had:
    """What an agreement's consumer has of one dataset, and what else could wait for it.

    Attributes:
        version: of the dataset, as it was confirmed.
        left_out: whether the agreement's last delivery left carriers out.
        published: newest version of each of the datasets that were asked about and collected.
    """

    agreement: str
    dataset: str
    version: int
    left_out: bool
    published: dict[str, int]


def ask_had(
    connection: Connection, agreements: Collection[str], datasets: Collection[str]
) -> Sent[Had]:
    """Ask what the consumers of some agreements have, in one state of the database.

    Args:
        connection: of the hub's database.
        agreements: their ids.
        datasets: of which is asked whether they were collected.
    """
    return send(
        connection,
        Had,
        "SELECT d.agreement, d.dataset, d.version, EXISTS (SELECT FROM registry.waiting_carrier w"
        " WHERE w.agreement = d.agreement) AS left_out, coalesce((SELECT"
        " jsonb_object_agg(p.dataset, p.version) FROM ledger.dataset p WHERE p.dataset = ANY(%s)"
        " AND p.version > 0), '{}') AS published FROM ledger.delivered d"
        " WHERE d.agreement = ANY(%s)",
        (list(datasets), list(agreements)),
    )


def advance(connection: Connection, agreement: str, line: DeliveredVersion) -> None:
    """Write the version of a dataset that the consumer now has.

    Args:
        connection: in the transaction that confirms.
        agreement: its id.
        line: dataset, version, day and token epoch.
    """
    connection.execute(
        "INSERT INTO ledger.delivered (agreement, dataset, version, confirmed_on, token_epoch)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (agreement, dataset)"
        " DO UPDATE SET version = excluded.version, token_epoch = excluded.token_epoch,"
        " confirmed_on = excluded.confirmed_on",
        (agreement, line.dataset, line.version, line.confirmed_on, line.token_epoch),
    )


def open_window(connection: Connection, agreement: str, fresh: str) -> str:
    """Open the agreement's window, unless it is open.

    Args:
        connection: in the transaction that opens the delivery.
        agreement: its id.
        fresh: id of the delivery where none is open.

    Returns:
        Id of the delivery: that of the attempt that was not confirmed, or the fresh one.
    """
    return one_scalar(
        connection,
        str,
        "INSERT INTO ledger.delivery_window (agreement, delivery_id) VALUES (%s, %s)"
        " ON CONFLICT (agreement) DO UPDATE SET agreement = excluded.agreement"
        " RETURNING delivery_id",
        (agreement, fresh),
    )


def close_window(connection: Connection, agreement: str, delivery: str) -> None:
    """Close the agreement's window, if it is that delivery's.

    Args:
        connection: in the transaction that confirms.
        agreement: its id.
        delivery: id of the delivery that was confirmed.
    """
    connection.execute(
        "DELETE FROM ledger.delivery_window WHERE agreement = %s AND delivery_id = %s",
        (agreement, delivery),
    )


def usual_rows(connection: Connection, agreement: str, last: int = 14) -> list[int]:
    """Rows of the agreement's last confirmed deliveries that sent any, newest first.

    Args:
        connection: of the hub's database.
        agreement: its id.
        last: at most so many.
    """
    return scalars(
        connection,
        int,
        "SELECT sent_rows FROM ledger.transfer WHERE subject = %s AND direction = 'deliver'"
        " AND status = 'confirmed' AND sent_rows > 0 AND NOT replay ORDER BY id DESC LIMIT %s",
        (agreement, last),
    )


def rows_by_day(connection: Connection, agreement: str, after: date) -> list[int]:
    """Rows that the agreement's confirmed deliveries sent on each day (UTC+8) that had any.

    Args:
        connection: of the hub's database.
        agreement: its id.
        after: only later days of the hub's clock.
    """
    return scalars(
        connection, int, query(_ROWS_BY_DAY, day=DAY), {"agreement": agreement, "after": after}
    )


def own_ids(agreement: str, transfer: int) -> str:
    """How the id of a delivery begins that a transfer was the first attempt at.

    Args:
        agreement: its id.
        transfer: id of the transfer.
    """
    return f"{agreement}-{transfer:08d}-"


def sendings(
    connection: Connection, agreement: str, now: datetime, there: Collection[str]
) -> tuple[Sending, ...]:
    """Which of the deliveries that lie in an inbox were sent there, and whether one is missing.

    Those whose retention is over, or that the consumer says it has erased, need not lie there.
    What was sent before the oldest that lies there, and need not, is not gone through.

    Args:
        connection: of the hub's database.
        agreement: its id.
        now: the hub's time.
        there: ids of the deliveries that lie in the inbox, and of whatever else does.

    Returns:
        Those that were sent, oldest first; behind them the oldest confirmed one that is missing.
    """
    begun = [_first_attempt(agreement, d) for d in there if d.startswith(f"{agreement}-")]
    values = {
        "now": now,
        "agreement": agreement,
        "there": list(there),
        "oldest": min(begun, default=None),
    }
    return tuple(fetch_all(connection, Sending, _SENDINGS, values))


def _first_attempt(agreement: str, delivery: str) -> int:
    """The transfer that was the first attempt at a delivery; 0 where its id does not say so."""
    number, dash, _ = delivery.removeprefix(f"{agreement}-").partition("-")
    return int(number) if dash and number.isascii() and number.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class Lapse:
    """The last delivery that the consumer was to erase, or says it has; all before it as well.

    Attributes:
        transfer: its id.
        versions: of the datasets, as they were then.
    """

    transfer: int
    versions: dict[str, int]


def last_lapsed(connection: Connection, agreement: str, now: datetime) -> Lapse | None:
    """The last delivery whose copies the consumer was to erase, or says it has erased.

    Args:
        connection: of the hub's database.
        agreement: its id.
        now: the hub's time.
    """
    transfer = scalar(connection, int, _LAPSED, {"agreement": agreement, "now": now})
    found = receipts.load(connection, transfer) if transfer else None
    if found is None:
        return None
    versions = json.loads(found.body)["versions"]
    return Lapse(found.transfer, {str(d): int(v) for d, v in versions.items()})


def last_confirmed(connection: Connection, agreement: str) -> int:
    """Id of the agreement's last confirmed delivery; 0 where there is none."""
    return one_scalar(
        connection,
        int,
        "SELECT coalesce(max(id), 0) FROM ledger.transfer WHERE subject = %s"
        " AND direction = 'deliver' AND status = 'confirmed'",
        (agreement,),
    )


@dataclass(frozen=True, slots=True)
class _Cell:
    cell: str
    value: int


def cells(connection: Connection, agreement: str, wanted: list[str]) -> dict[str, int]:
    """Values of statistical cells that a consumer holds.

    Args:
        connection: of the hub's database.
        agreement: its id.
        wanted: names of cells.
    """
    found = fetch_all(
        connection,
        _Cell,
        "SELECT cell, value FROM ledger.statistic WHERE agreement = %s AND cell = ANY(%s)",
        (agreement, wanted),
    )
    return {line.cell: line.value for line in found}


def keep_cells(connection: Connection, agreement: str, sent: Mapping[str, int]) -> None:
    """Remember the statistical cells that a consumer now holds.

    Args:
        connection: in the transaction that confirms.
        agreement: its id.
        sent: value by name of the cell.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ledger.statistic (agreement, cell, value) VALUES (%s, %s, %s)"
            " ON CONFLICT (agreement, cell) DO UPDATE SET value = excluded.value",
            [(agreement, cell, value) for cell, value in sorted(sent.items())],
        )
