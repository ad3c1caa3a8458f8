"""Tables of the ledger that are kept by the month, and dropped by the month."""

from __future__ import annotations

from datetime import date

from psycopg import sql

from onecard.base.sql_text import query
from onecard.store.database import Connection, make_once, scalars


def first_of(day: date) -> date:
    """The month of a day."""
    return day.replace(day=1)


def after(month: date) -> date:
    """The month after one, by its first day."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def make(connection: Connection, table: str, month: date) -> None:
    """Make the part of a month, if it is not there.

    Args:
        connection: of the hub's database.
        table: in the schema `ledger`, partitioned by the range of its `month`.
        month: its first day.
    """
    name = _part(table, month)
    statement = query(
        "CREATE TABLE IF NOT EXISTS {t} PARTITION OF {whole} FOR VALUES FROM ({a}) TO ({b})",
        t=sql.Identifier("ledger", name),
        whole=sql.Identifier("ledger", table),
        a=sql.Literal(month),
        b=sql.Literal(after(month)),
    )
    make_once(connection, f"ledger.{name}", statement)


def expire(connection: Connection, table: str, oldest: date) -> list[str]:
    """Drop the months before one.

    Waits for who uses the table at this moment, and they wait for it.

    Args:
        connection: of the hub's database; in autocommit each month is dropped for itself.
        table: as for `make`.
        oldest: first day of the oldest month that stays.

    Returns:
        Names of the parts that were dropped, the oldest first.
    """
    found = scalars(
        connection,
        str,
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = to_regclass(%s) AND c.relname < %s ORDER BY 1",
        (f"ledger.{table}", _part(table, oldest)),
    )
    for name in found:
        statement = query("DROP TABLE IF EXISTS {t}", t=sql.Identifier("ledger", name))
        connection.execute(statement)
    return found


def _part(table: str, month: date) -> str:
    """Name of a month's table; names stand in the order of their months."""
    return f"{table}_{month:%Y_%m}"
