"""Indexes and statistics of registry tables, made when somebody first looks for rows there.

A first load makes neither: nobody may ever look. Whoever looks for rows by a column says so before,
so that what it reads grows with what it looks for, and not with the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import LiteralString

from psycopg import sql

from onecard.base.sql_text import names, query
from onecard.store.database import Connection, make_once, one_scalar, relation_exists
from onecard.store.registry import REGISTRY
from schemas.models.contract import Contract
from schemas.models.dataset_checks import AtMostOne, Matches, NoneIn
from schemas.models.rules import Unique


def make(
    connection: Connection, table: str, columns: Sequence[str], only: LiteralString = ""
) -> None:
    """Make an index, once.

    Args:
        connection: outside a transaction.
        table: in the schema `registry`.
        columns: of the index.
        only: condition of its rows; empty: all.
    """
    some = ["some"] if only else []
    name = "_".join([table, *(c.lstrip("_") for c in columns), *some])[:63]
    statement = query(
        "CREATE INDEX IF NOT EXISTS {n} ON {t} ({c})" + (" WHERE " + only if only else ""),
        n=sql.Identifier(name),
        t=sql.Identifier(REGISTRY, table),
        c=names(columns),
    )
    make_once(connection, f"{REGISTRY}.{name}", statement)


def make_born(connection: Connection, table: str, column: str) -> None:
    """Make an index of the day of birth that stands in ID numbers (GB 11643, digits 7 to 14), once.

    Args:
        connection: outside a transaction.
        table: in the schema `registry`.
        column: of the ID numbers.
    """
    name = f"{table}_{column}_born"[:63]
    if relation_exists(connection, f"{REGISTRY}.{name}"):
        return
    made = sql.Identifier(REGISTRY, table)
    statement = query(
        "CREATE INDEX IF NOT EXISTS {n} ON {t} (substr({c}, 7, 8))",
        n=sql.Identifier(name),
        t=made,
        c=sql.Identifier(column),
    )
    make_once(connection, f"{REGISTRY}.{name}", statement)
    connection.execute(query("ANALYZE {t} ({c})", t=made, c=sql.Identifier(column)))


def analyse(connection: Connection, table: str, columns: Sequence[str] = ()) -> None:
    """Count a table that was never counted: PostgreSQL itself does it a minute after a load.

    Args:
        connection: outside a transaction.
        table: in the schema `registry`; it must be there.
        columns: to count these only; empty: all, of which one stands for the others.
    """
    wanted = list(dict.fromkeys(columns))
    counted = one_scalar(
        connection,
        int,
        "SELECT count(*) FROM pg_stats WHERE schemaname = %s AND tablename = %s"
        " AND attname = ANY(%s)",
        (REGISTRY, table, wanted or ["_version"]),
    )
    if counted < len(wanted or ["_version"]):
        some = query(" ({c})", c=names(wanted)) if wanted else sql.SQL("")
        made = sql.Identifier(REGISTRY, table)
        connection.execute(query("ANALYZE {t}{some}", t=made, some=some))


def for_collect(connection: Connection, contract: Contract) -> None:
    """See to it that a collect finds published rows by what it has staged.

    Args:
        connection: outside a transaction.
        contract: of a dataset that is published.
    """
    wanted = list(_wanted(contract))
    mine = [c for table, columns in wanted if table == contract.table for c in columns]
    analyse(connection, contract.table, (*contract.key, *mine))
    for table, columns in wanted:
        if relation_exists(connection, f"{REGISTRY}.{table}") and not _led(
            connection, table, columns[0]
        ):
            make(connection, table, columns)


def _wanted(contract: Contract) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Tables and columns by which rules and expectations look for published rows."""
    for rule in contract.rules:
        if isinstance(rule.check, Unique):
            yield contract.table, rule.check.columns
    for expectation in contract.expectations:
        check = expectation.check
        if isinstance(check, AtMostOne):
            yield contract.table, check.per
        elif isinstance(check, Matches | NoneIn):
            yield check.dataset.replace("/", "__"), tuple(check.by.values())


def _led(connection: Connection, table: str, column: str) -> bool:
    """Whether an index of the table begins with the column."""
    return one_scalar(
        connection,
        bool,
        "SELECT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid"
        " AND a.attnum = i.indkey[0] WHERE i.indrelid = to_regclass(%s) AND a.attname = %s)",
        (sql.Identifier(REGISTRY, table).as_string(None), column),
    )
