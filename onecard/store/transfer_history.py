"""What the ledger tells of transfers: for commands, reports and listeners."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, LiteralString

from onecard.model.transfers import Counts, Ran, Transfer
from onecard.store.database import Connection, fetch_all, fetch_one, scalar

_SHOWN: LiteralString = (
    "id, direction, subject, status, started_at, finished_at, version, sent_rows, sent_parts,"
    " delivery_id, message, rows_read, published, unchanged, quarantined, deduplicated,"
    " filtered_by_policy"
)
_RAN: LiteralString = (
    "SELECT id, status, started_at AS started, finished_at AS finished,"
    " CASE direction WHEN 'collect' THEN published ELSE sent_rows END AS rows FROM ledger.transfer"
)


def since(connection: Connection, transfer: int = 0) -> list[Transfer]:
    """All transfers with a higher id, oldest first."""
    return fetch_all(
        connection,
        _transfer,
        "SELECT " + _SHOWN + " FROM ledger.transfer WHERE id > %s ORDER BY id",
        (transfer,),
    )


def latest(connection: Connection) -> list[Transfer]:
    """The newest transfer of every dataset and agreement."""
    return fetch_all(
        connection,
        _transfer,
        "SELECT t.* FROM (SELECT DISTINCT direction, subject FROM ledger.transfer) s"
        " CROSS JOIN LATERAL (SELECT "
        + _SHOWN
        + " FROM ledger.transfer o WHERE o.subject = s.subject AND o.direction = s.direction"
        " ORDER BY id DESC LIMIT 1) t ORDER BY t.direction, t.subject",
    )


def newest_collects(connection: Connection, datasets: Collection[str]) -> list[Transfer]:
    """The newest collect of each of some datasets; none of one that was never collected."""
    return _newest(connection, "collect", datasets)


def newest_deliveries(connection: Connection, agreements: Collection[str]) -> list[Transfer]:
    """The newest delivery of each of some agreements; none of one that was never delivered."""
    return _newest(connection, "deliver", agreements)


def _newest(connection: Connection, direction: str, subjects: Collection[str]) -> list[Transfer]:
    return fetch_all(
        connection,
        _transfer,
        "SELECT t.* FROM unnest(%s::text[]) AS s (subject) CROSS JOIN LATERAL (SELECT "
        + _SHOWN
        + " FROM ledger.transfer o WHERE o.subject = s.subject AND o.direction = %s"
        " ORDER BY id DESC LIMIT 1) t ORDER BY t.subject",
        (sorted(subjects), direction),
    )


def first_time(connection: Connection) -> datetime | None:
    """The hub's time of its first transfer; None before any."""
    return scalar(
        connection,
        datetime,
        "SELECT least((SELECT min(hub_time) FROM ledger.transfer),"
        " (SELECT min(first_time) FROM ledger.lane_day))",
    )


def ran(connection: Connection, transfer: int) -> Ran | None:
    """When a transfer ran, how it ended and how many rows it moved."""
    return fetch_one(connection, Ran, _RAN + " WHERE id = %s", (transfer,))


def _transfer(**columns: Any) -> Transfer:  # noqa: ANN401 - a row by its columns
    return Transfer(counts=Counts.taken_from(columns), **columns)
