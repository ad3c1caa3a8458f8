"""Staging tables of one transfer: good rows by the contract's columns, and rejected rows sealed.

`staging.<table>__<transfer>` has the contract's fields and `_row_hash`, and where the order of the
reading means something `_position` (`onecard.store.row_order`); beside it, `…__bad` has the columns
of `onecard.store.sealing.Sealed` and how a row has ended in its own reading
(`onecard.store.overtaken`), and `…__mended` ids of quarantined rows and how they end.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import LiteralString

from psycopg import errors, sql

from onecard.base.sql_text import names, query
from onecard.store.database import Connection, fetch_one, one_scalar, relation_exists, scalars
from onecard.store.row_order import POSITION
from schemas.models.contract import Contract, Field

STAGING: LiteralString = "staging"
_TYPES: dict[str, LiteralString] = {
    "string": "text",
    "date": "date",
    "timestamp": "timestamptz",
    "integer": "bigint",
}


def column_type(field: Field) -> sql.Composed:
    """PostgreSQL type of a field; identifiers are text, money is numeric, times have a zone."""
    if field.type == "number":
        size = (sql.Literal(field.precision), sql.Literal(field.scale))
        return query("numeric({p},{s})", p=size[0], s=size[1])
    return query(_TYPES[field.type])


def table_name(contract: Contract, transfer: int) -> str:
    """Name of a transfer's staging table."""
    return f"{contract.table}__{transfer}"


def table(contract: Contract, transfer: int) -> sql.Identifier:
    """The transfer's staging table, quoted."""
    return sql.Identifier(STAGING, table_name(contract, transfer))


def rejected(contract: Contract, transfer: int) -> sql.Identifier:
    """The table of the transfer's rejected rows, quoted."""
    return sql.Identifier(STAGING, table_name(contract, transfer) + "__bad")


def mended(contract: Contract, transfer: int) -> sql.Identifier:
    """The table of quarantined rows whose record the transfer has read anew, quoted."""
    return sql.Identifier(STAGING, table_name(contract, transfer) + "__mended")


def create(
    connection: Connection,
    contract: Contract,
    transfer: int,
    *,
    first: bool,
    positions: bool = False,
) -> None:
    """Make the staging tables; the first load's becomes the registry table, so it is logged.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: whose tables they are; a reconciliation's number is negative.
        first: nothing of the dataset is published yet.
        positions: the rows come in an order that means something, and bring their places.
    """
    columns = [
        query("{name} {type}", name=sql.Identifier(f.name), type=column_type(f))
        for f in contract.fields
    ]
    columns.append(query("_row_hash bigint NOT NULL"))
    if positions:
        columns.append(query("{p} bigint NOT NULL", p=sql.Identifier(POSITION)))
    rows = query(
        "CREATE {kind}TABLE {table} ({body})",
        kind=sql.SQL("" if first else "UNLOGGED "),
        table=table(contract, transfer),
        body=sql.SQL(", ").join(columns),
    )
    bad = query(
        "CREATE UNLOGGED TABLE {table} (fingerprint bytea, origin text, row_number bigint,"
        " reasons jsonb, payload bytea, key_epoch text, suite text, record_ref bytea,"
        " place bigint, ended text)",
        table=rejected(contract, transfer),
    )
    over = query(
        "CREATE UNLOGGED TABLE {table} (record bigint, status text)",
        table=mended(contract, transfer),
    )
    connection.execute(sql.SQL("; ").join([rows, bad, over]))  # in one transaction


def positioned(connection: Connection, contract: Contract, transfer: int) -> bool:
    """Whether a transfer's rows have brought their places in the reading.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: whose table it is.
    """
    return has_positions(connection, table(contract, transfer))


def has_positions(connection: Connection, staged: sql.Identifier) -> bool:
    """Whether a staging table has the rows' places in their reading."""
    return one_scalar(
        connection,
        bool,
        "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(%s)"
        " AND attname = %s AND NOT attisdropped)",
        (staged.as_string(None), POSITION),
    )


@dataclass(frozen=True, slots=True)
class AnyRows:
    """Whether the staging table, and that of the rejected rows, hold any row."""

    good: bool
    rejected: bool


def any_rows(connection: Connection, contract: Contract, transfer: int) -> AnyRows:
    """Whether a transfer's tables hold any row.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: whose tables they are.
    """
    statement = query(
        "SELECT EXISTS (SELECT FROM {good}) AS good, EXISTS (SELECT FROM {bad}) AS rejected",
        good=table(contract, transfer),
        bad=rejected(contract, transfer),
    )
    return fetch_one(connection, AnyRows, statement) or AnyRows(good=False, rejected=False)


def is_there(connection: Connection, contract: Contract, transfer: int) -> bool:
    """Whether a transfer's staging table stands.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: whose table it is.
    """
    return relation_exists(connection, f"{STAGING}.{table_name(contract, transfer)}")


def count(connection: Connection, contract: Contract, transfer: int) -> int:
    """How many good rows are staged.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: whose table it is.
    """
    statement = query("SELECT count(*) FROM {t}", t=table(contract, transfer))
    return one_scalar(connection, int, statement)


def analyse(connection: Connection, contract: Contract, transfer: int) -> None:
    """Count a transfer's rows for PostgreSQL's plans, which else guess how few or many they are.

    Args:
        connection: of the hub's database.
        contract: names the key, by which they meet published rows.
        transfer: whose table it is.
    """
    connection.execute(
        query("ANALYZE {t} ({k})", t=table(contract, transfer), k=names(contract.key))
    )


def drop(connection: Connection, contract: Contract, *, older_than: int, mine: int = 0) -> None:
    """Drop what earlier, dead transfers of the dataset left behind.

    A table that somebody still writes (an older run that has been overtaken and sleeps) is left to
    the next transfer; only the tables of `mine` are waited for.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        older_than: the tables of transfers with a lower id.
        mine: the caller's own transfer.
    """
    own = []
    for name in _tables(connection, contract):
        number, found = _number(contract, name), sql.Identifier(STAGING, name)
        if number.isdigit() and int(number) < older_than:
            if int(number) == mine:
                own.append(found)
            else:
                _drop(connection, found, wait=False)
    if own:
        _drop(connection, *own, wait=True)


def drop_one(connection: Connection, contract: Contract, transfer: int, *, wait: bool) -> None:
    """Drop the tables of one transfer, or of one attempt at a partition of one.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: whose tables they are.
        wait: until nobody uses them; else such a table is left.
    """
    for name in _tables(connection, contract):
        if _number(contract, name) == str(transfer):
            _drop(connection, sql.Identifier(STAGING, name), wait=wait)


def _tables(connection: Connection, contract: Contract) -> list[str]:
    return scalars(
        connection,
        str,
        "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename LIKE %s",
        (STAGING, contract.table.replace("_", r"\_") + r"\_\_%"),
    )


def _number(contract: Contract, name: str) -> str:
    return name.removeprefix(contract.table + "__").split("__")[0]


def _drop(connection: Connection, *tables: sql.Identifier, wait: bool) -> None:
    listed = sql.SQL(", ").join(tables)
    with suppress(errors.LockNotAvailable, errors.UndefinedTable), connection.transaction():
        if not wait:
            connection.execute(query("LOCK TABLE {t} IN ACCESS EXCLUSIVE MODE NOWAIT", t=listed))
        connection.execute(query("DROP TABLE IF EXISTS {t}", t=listed))


def add_key(connection: Connection, contract: Contract, transfer: int) -> bool:
    """Give the staged table its primary key; False when rows share a key (nothing changed).

    Args:
        connection: of the hub's database.
        contract: names the key.
        transfer: whose table it is.
    """
    try:
        with connection.transaction():
            # For building the key of a first load: the server's default sorts it on disk.
            connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
            connection.execute(
                query(
                    "ALTER TABLE {t} ADD PRIMARY KEY ({key})",
                    t=table(contract, transfer),
                    key=names(contract.key),
                )
            )
    except errors.UniqueViolation:
        return False
    return True


def pairs(columns: tuple[str, ...]) -> sql.Composed:
    """Condition: `s` and `t` have the same values in some columns."""
    return sql.SQL(" AND ").join(query("s.{c} = t.{c}", c=sql.Identifier(c)) for c in columns)
