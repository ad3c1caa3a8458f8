"""Transfers looked up: by id or dataset, the newest of a kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from onecard.store.database import Connection, fetch_one, one_scalar, scalars

_BY_NAME: LiteralString = (
    "SELECT id, direction, subject, status, message FROM ledger.transfer WHERE id = %(id)s"
    " OR (subject = %(name)s AND direction = 'collect' AND status <> 'running')"
    " ORDER BY id DESC LIMIT 1"
)
_NEWEST: LiteralString = "SELECT coalesce(max(id), 0) FROM ledger.transfer"
_LAST_WHOLE: LiteralString = (
    "SELECT coalesce(max(id), 0) FROM ledger.transfer WHERE direction = 'collect'"
    " AND subject = %(dataset)s AND status = 'published' AND whole AND NOT replay"
    " AND rows_read > 0"
)
_CONFIRMED: LiteralString = (
    "SELECT id FROM ledger.transfer WHERE direction = 'deliver' AND status = 'confirmed'"
    " UNION ALL SELECT id FROM ledger.folded WHERE direction = 'deliver' ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class TransferState:
    """How a transfer stands.

    Attributes:
        direction: `collect` or `deliver`.
        subject: dataset or agreement.
        message: what was last said of it.
    """

    id: int
    direction: str
    subject: str
    status: str
    message: str


def by_name(connection: Connection, name: str) -> TransferState | None:
    """The transfer of that id, or a dataset's newest ended collect."""
    number = int(name) if name.isascii() and name.isdigit() else None
    return fetch_one(connection, TransferState, _BY_NAME, {"id": number, "name": name})


def newest(connection: Connection) -> int:
    """The highest id of any transfer; 0 when there is none."""
    return one_scalar(connection, int, _NEWEST)


def last_whole_collect(connection: Connection, dataset: str) -> int:
    """The newest published collect that read the whole source; 0 when there is none."""
    return one_scalar(connection, int, _LAST_WHOLE, {"dataset": dataset})


def confirmed_deliveries(connection: Connection) -> list[int]:
    """Ids of all confirmed deliveries, oldest first."""
    return scalars(connection, int, _CONFIRMED)
