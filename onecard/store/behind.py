"""Published rows that a reading from a watermark on must give again, and those that it gave."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from onecard.base.sql_text import query
from onecard.store import registry, staging
from onecard.store.database import Connection, one_scalar
from schemas.models.contract import Contract


@dataclass(frozen=True, slots=True)
class Window:
    """What one reading was asked for.

    Attributes:
        transfer: that has staged it.
        since: ISO 8601; rows whose cursor is not before.
    """

    transfer: int
    since: str


def given(connection: Connection, contract: Contract, window: Window) -> int:
    """Published rows of the window whose key was read again, with whatever time.

    Args:
        connection: of the hub's database.
        contract: of the dataset; it has a cursor.
        window: the reading.
    """
    statement = query(
        "SELECT count(*) FROM {s} s JOIN {t} t ON {on} WHERE {there}",
        s=staging.table(contract, window.transfer),
        t=registry.published(contract),
        on=staging.pairs(contract.key),
        there=_there(contract, window),
    )
    return one_scalar(connection, int, statement)


def set_back(connection: Connection, contract: Contract, window: Window) -> int:
    """Published rows of the window whose key was read with a time from before it.

    Args:
        connection: of the hub's database.
        contract: of the dataset; it has a cursor.
        window: what a reading behind the watermark would be asked for.
    """
    statement = query(
        "SELECT count(*) FROM {s} s JOIN {t} t ON {on} WHERE {there} AND s.{c} < {since}",
        s=staging.table(contract, window.transfer),
        t=registry.published(contract),
        on=staging.pairs(contract.key),
        there=_there(contract, window),
        c=sql.Identifier(contract.source.cursor or ""),
        since=sql.Literal(window.since),
    )
    return one_scalar(connection, int, statement)


def unchanged(connection: Connection, contract: Contract, window: Window) -> int:
    """Rows of a reading that are published as they are: a watermark's overlap brings them again.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        window: the reading.
    """
    statement = query(
        "SELECT count(*) FROM {s} s JOIN {t} t ON {on} WHERE s._row_hash = t._row_hash",
        s=staging.table(contract, window.transfer),
        t=registry.published(contract),
        on=staging.pairs(contract.key),
    )
    return one_scalar(connection, int, statement)


def published(connection: Connection, contract: Contract, window: Window) -> int:
    """Published rows of the window: their source held them when they were read.

    Args:
        connection: of the hub's database.
        contract: of the dataset; it has a cursor.
        window: the reading.
    """
    statement = query(
        "SELECT count(*) FROM {t} t WHERE {there}",
        t=registry.published(contract),
        there=_there(contract, window),
    )
    return one_scalar(connection, int, statement)


def _there(contract: Contract, window: Window) -> sql.Composed:
    return query(
        "t.{c} >= {since} AND t._deleted_at IS NULL",
        c=sql.Identifier(contract.source.cursor or ""),
        since=sql.Literal(window.since),
    )
