"""The rejected rows of one transfer, before they go to the quarantine: how many, and for what.

Counts, fields and rules; nothing here holds a row's value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from onecard.base.sql_text import query
from onecard.store import staging
from onecard.store.database import Connection, fetch_all, fetch_one
from schemas.models.contract import Contract

_KNOWN: LiteralString = (
    "coalesce((SELECT q.status = 'held' FROM quarantine.record q WHERE q.dataset = {dataset}"
    " AND q.fingerprint = b.fingerprint), false)"
)
"""The status is asked of the row that is found: as a condition it would lead to the index of all
rows that are held, where PostgreSQL has counted few of them."""


@dataclass(frozen=True, slots=True)
class RejectedRows:
    """Rejected rows: new ones, and those that stand in quarantine already."""

    new: int
    known: int


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """New rejected rows that broke a rule; the field is empty for the whole record."""

    field: str
    rule: str
    rows: int

    def __str__(self) -> str:
        """As a message says it."""
        return f"{self.rule} of {self.field or 'the record'} {self.rows:,}"


def counted(connection: Connection, contract: Contract, transfer: int) -> RejectedRows:
    """How many rows a transfer has rejected.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: that has staged them.
    """
    statement = query(
        "SELECT count(*) FILTER (WHERE NOT known) AS new, count(*) FILTER (WHERE known) AS known"
        " FROM (SELECT {known} AS known FROM {t} b) r",
        known=_known(contract),
        t=staging.rejected(contract, transfer),
    )
    return fetch_one(connection, RejectedRows, statement) or RejectedRows(0, 0)


def reasons(
    connection: Connection, contract: Contract, transfer: int, most: int = 3
) -> list[ReasonCount]:
    """For what the new ones were rejected, the most frequent first.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: that has staged them.
        most: so many reasons.
    """
    statement = query(
        "SELECT x->>0 AS field, x->>1 AS rule, count(*) AS rows FROM {t} b,"
        " jsonb_array_elements(b.reasons) AS x WHERE NOT {known} GROUP BY 1, 2"
        " ORDER BY 3 DESC, 1, 2 LIMIT {most}",
        t=staging.rejected(contract, transfer),
        known=_known(contract),
        most=sql.Literal(most),
    )
    return fetch_all(connection, ReasonCount, statement)


def _known(contract: Contract) -> sql.Composed:
    return query(_KNOWN, dataset=sql.Literal(contract.id))
