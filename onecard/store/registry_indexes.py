"""Indexes and statistics of registry tables, made when somebody first looks for rows there.

A first load makes neither: nobody may ever look. Whoever looks for rows by a column says so before,
so that what it reads grows with what it looks for, and not with the table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from onecard.base.sql_text import names, query
from onecard.store.database import (
    Connection,
    make_once,
    missing,
    one_scalar,
    relation_exists,
    scalars,
)
from onecard.store.registry import REGISTRY
from schemas.models.contract import Contract
from schemas.models.dataset_checks import AtMostOne, Matches, NoneIn
from schemas.models.rules import Unique


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a registry table.

    Attributes:
        table: in the schema `registry`.
        columns: of the index.
        only: condition of its rows; empty: all.
        born: of the day of birth that stands in the ID numbers of its one column (GB 11643, digits
            7 to 14).
    """

    table: str
    columns: tuple[str, ...]
    only: LiteralString = ""
    born: bool = False

    @property
    def name(self) -> str:
        """In the schema `registry`."""
        if self.born:
            return f"{self.table}_{self.columns[0]}_born"[:63]
        some = ["some"] if self.only else []
        return "_".join([self.table, *(c.lstrip("_") for c in self.columns), *some])[:63]

    @property
    def statement(self) -> sql.Composed:
        """Makes it where it is not there."""
        what = "substr({c}, 7, 8)" if self.born else "{c}"
        return query(
            "CREATE INDEX IF NOT EXISTS {n} ON {t} ("
            + what
            + ")"
            + (" WHERE " + self.only if self.only else ""),
            n=sql.Identifier(self.name),
            t=sql.Identifier(REGISTRY, self.table),
            c=names(self.columns),
        )


def make(connection: Connection, *wanted: Index) -> None:
    """Make the indexes that are not there; one look tells which.

    Args:
        connection: outside a transaction.
        wanted: the indexes.
    """
    by_name = {f"{REGISTRY}.{index.name}": index for index in wanted}
    for name in missing(connection, by_name):
        index = by_name[name]
        make_once(connection, name, index.statement)
        if index.born:
            _count(connection, index.table, index.columns)


def lost(connection: Connection, made: Iterable[str]) -> frozenset[str]:
    """Those of some indexes that are there no more.

    Args:
        connection: of the hub's database.
        made: their names.
    """
    found = missing(connection, [f"{REGISTRY}.{name}" for name in made])
    return frozenset(name.removeprefix(f"{REGISTRY}.") for name in found)


def analyse(connection: Connection, tables: Iterable[str]) -> None:
    """Count tables that were never counted: PostgreSQL itself does it a minute after a load.

    Args:
        connection: outside a transaction.
        tables: in the schema `registry`; they must be there.
    """
    uncounted = scalars(
        connection,
        str,
        "SELECT t FROM unnest(%s::text[]) AS t WHERE NOT EXISTS (SELECT FROM pg_stats"
        " WHERE schemaname = %s AND tablename = t AND attname = '_version')",
        (list(tables), REGISTRY),
    )
    for table in uncounted:
        _count(connection, table)


def analyse_columns(connection: Connection, table: str, columns: Collection[str]) -> None:
    """As `analyse`, some columns of one table.

    Args:
        connection: outside a transaction.
        table: in the schema `registry`; it must be there.
        columns: to count these only.
    """
    wanted = list(dict.fromkeys(columns))
    counted = one_scalar(
        connection,
        int,
        "SELECT count(*) FROM pg_stats WHERE schemaname = %s AND tablename = %s"
        " AND attname = ANY(%s)",
        (REGISTRY, table, wanted),
    )
    if counted < len(wanted):
        _count(connection, table, wanted)


def _count(connection: Connection, table: str, columns: Sequence[str] = ()) -> None:
    some = query(" ({c})", c=names(columns)) if columns else sql.SQL("")
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
    analyse_columns(connection, contract.table, (*contract.key, *mine, "_deleted_at"))
    for table, columns in wanted:
        if relation_exists(connection, f"{REGISTRY}.{table}") and not _led(
            connection, table, columns[0]
        ):
            make(connection, Index(table, columns))


def _wanted(contract: Contract) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Tables and columns by which rules, expectations and carriers look for published rows."""
    if contract.carrier is not None:
        yield contract.table, (contract.carrier.field,)
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
