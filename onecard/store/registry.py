"""Registry and staging tables, made from the contract, and the SQL that publishes."""

from __future__ import annotations

from contextlib import suppress
from typing import LiteralString

from psycopg import errors, sql

from onecard.errors import ConfigError
from onecard.store.database import Connection, names, query
from schemas.models.contract import Contract, Field
from schemas.models.rules import Unique

REGISTRY = "registry"
STAGING = "staging"
HASH = "_row_hash"
SORT_MEMORY = "256MB"
"""For building the key of a first load: the server's default sorts it on disk."""


def column_type(field: Field) -> LiteralString:
    """PostgreSQL type of a field; identifiers are text, money is numeric, times have a zone."""
    if field.type == "number":
        return f"numeric({field.precision},{field.scale})"
    kinds: dict[str, LiteralString] = {
        "string": "text",
        "date": "date",
        "timestamp": "timestamptz",
        "integer": "bigint",
    }
    return kinds[field.type]


def staging_name(contract: Contract, transfer: int) -> str:
    """Name of a transfer's staging table."""
    return f"{contract.table}__{transfer}"


def staged(contract: Contract, transfer: int) -> sql.Identifier:
    """The transfer's staging table, quoted."""
    return sql.Identifier(STAGING, staging_name(contract, transfer))


def bad(contract: Contract, transfer: int) -> sql.Identifier:
    """The table of the transfer's rejected rows, quoted."""
    return sql.Identifier(STAGING, staging_name(contract, transfer) + "__bad")


def published(contract: Contract) -> sql.Identifier:
    """The registry table, quoted."""
    return sql.Identifier(REGISTRY, contract.table)


def exists(connection: Connection, contract: Contract) -> bool:
    """Whether the dataset has a registry table."""
    row = connection.execute("SELECT to_regclass(%s)", (f"{REGISTRY}.{contract.table}",)).fetchone()
    return row is not None and row[0] is not None


def create_staging(
    connection: Connection, contract: Contract, transfer: int, *, first: bool
) -> None:
    """Make the staging tables; the first load's becomes the registry table, so it is logged."""
    columns = [
        query("{name} " + column_type(f), name=sql.Identifier(f.name)) for f in contract.fields
    ]
    kind = sql.SQL("" if first else "UNLOGGED ")
    body = sql.SQL(", ").join([*columns, sql.SQL("_row_hash bigint NOT NULL")])
    connection.execute(
        query(
            "CREATE {kind}TABLE {table} ({body})",
            kind=kind,
            table=staged(contract, transfer),
            body=body,
        )
    )
    connection.execute(
        query(
            "CREATE UNLOGGED TABLE {table} (fingerprint bytea, origin text, row_number bigint,"
            " reasons jsonb, payload bytea, key_epoch text, suite text)",
            table=bad(contract, transfer),
        )
    )


def staged_any(connection: Connection, contract: Contract, transfer: int) -> tuple[bool, bool]:
    """Whether the transfer's staging table, and that of its rejected rows, hold any row."""
    row = connection.execute(
        query(
            "SELECT EXISTS (SELECT FROM {good}), EXISTS (SELECT FROM {bad})",
            good=staged(contract, transfer),
            bad=bad(contract, transfer),
        )
    ).fetchone()
    return (bool(row[0]), bool(row[1])) if row else (False, False)


def drop_staging(
    connection: Connection, contract: Contract, *, older_than: int, mine: int = 0
) -> None:
    """Drop what earlier, dead transfers of the dataset left behind.

    A table that somebody still writes (an older run that has been overtaken and sleeps) is left to
    the next transfer; only the tables of `mine` are waited for.
    """
    rows = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename LIKE %s",
        (STAGING, contract.table.replace("_", r"\_") + r"\_\_%"),
    ).fetchall()
    for (name,) in rows:
        number = str(name).removeprefix(contract.table + "__").split("__")[0]
        if number.isdigit() and int(number) < older_than:
            _drop(connection, sql.Identifier(STAGING, str(name)), wait=int(number) == mine)


def _drop(connection: Connection, table: sql.Identifier, *, wait: bool) -> None:
    with suppress(errors.LockNotAvailable, errors.UndefinedTable), connection.transaction():
        if not wait:
            connection.execute(query("LOCK TABLE {t} IN ACCESS EXCLUSIVE MODE NOWAIT", t=table))
        connection.execute(query("DROP TABLE IF EXISTS {t}", t=table))


def widen(connection: Connection, contract: Contract) -> None:
    """Add the contract's new nullable fields to the registry table; anything else is a migration.

    Raises:
        ConfigError: a field is gone, has another type, or a new one is required.
    """
    rows = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        (f"{REGISTRY}.{contract.table}",),
    ).fetchall()
    there = {str(name): str(kind) for name, kind in rows}
    for field in contract.fields:
        wanted = column_type(field).replace("timestamptz", "timestamp with time zone")
        if field.name not in there and not field.required:
            connection.execute(
                query(
                    "ALTER TABLE {t} ADD COLUMN {c} " + column_type(field),
                    t=published(contract),
                    c=sql.Identifier(field.name),
                )
            )
        elif there.get(field.name) != wanted:
            msg = (
                f"{contract.id}: registry column {field.name} is {there.get(field.name, 'absent')},"
                f" the contract wants {wanted}: this needs a migration"
            )
            raise ConfigError(msg)


def deduplicate(connection: Connection, contract: Contract, transfer: int) -> int:
    """Keep the newest version of each key among the staged rows; return how many were dropped."""
    order = [n for n in (contract.sequence, contract.source.cursor) if n]
    ranked = sql.SQL(", ").join(
        [query("{c} DESC NULLS LAST", c=sql.Identifier(n)) for n in order] + [sql.SQL("ctid DESC")]
    )
    cursor = connection.execute(
        query(
            "DELETE FROM {t} s USING (SELECT ctid AS place, row_number() OVER (PARTITION BY {key}"
            " ORDER BY {ranked}) AS n FROM {t}) d WHERE s.ctid = d.place AND d.n > 1",
            t=staged(contract, transfer),
            key=names(contract.key),
            ranked=ranked,
        )
    )
    return cursor.rowcount


def add_key(connection: Connection, contract: Contract, transfer: int) -> bool:
    """Give the staged table its primary key; False when rows share a key (nothing changed)."""
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL maintenance_work_mem = '{SORT_MEMORY}'".encode())
            connection.execute(
                query(
                    "ALTER TABLE {t} ADD PRIMARY KEY ({key})",
                    t=staged(contract, transfer),
                    key=names(contract.key),
                )
            )
    except errors.UniqueViolation:
        return False
    return True


def duplicates_of(
    contract: Contract, transfer: int, rule: Unique, *, against_registry: bool
) -> sql.Composed:
    """Query: ctid of staged rows that repeat another row's unique columns and came later."""
    order = names(
        [n for n in (contract.sequence, contract.source.cursor) if n] + list(contract.key)
    )
    inside = query(
        "SELECT place FROM (SELECT ctid AS place, row_number() OVER (PARTITION BY {columns}"
        " ORDER BY {order}) AS n FROM {t}) d WHERE n > 1",
        columns=names(rule.columns),
        order=order,
        t=staged(contract, transfer),
    )
    if not against_registry:
        return inside
    same = _pairs(rule.columns, " = ", " AND ")
    other_key = query("({t}) <> ({s})", t=names(contract.key, "t."), s=names(contract.key, "s."))
    replaced = query(
        "EXISTS (SELECT FROM {staging} r WHERE {same_key})",
        staging=staged(contract, transfer),
        same_key=sql.SQL(" AND ").join(
            query("r.{c} = t.{c}", c=sql.Identifier(c)) for c in contract.key
        ),
    )
    return inside + query(
        " UNION SELECT s.ctid FROM {staging} s JOIN {registry} t ON {same} AND {other}"
        " AND t._deleted_at IS NULL AND NOT {replaced}",
        staging=staged(contract, transfer),
        registry=published(contract),
        same=same,
        other=other_key,
        replaced=replaced,
    )


def adopt(connection: Connection, contract: Contract, transfer: int, version: int) -> None:
    """Turn the first load's staging table into the registry table: no row is written again."""
    table = staged(contract, transfer)
    for column, value in (
        ("_version", version),
        ("_first_version", version),
        ("_transfer_id", transfer),
    ):
        connection.execute(
            query(
                "ALTER TABLE {t} ADD COLUMN {c} bigint NOT NULL DEFAULT {v}",
                t=table,
                c=sql.Identifier(column),
                v=sql.Literal(value),
            )
        )
        connection.execute(
            query(
                "ALTER TABLE {t} ALTER COLUMN {c} DROP DEFAULT", t=table, c=sql.Identifier(column)
            )
        )
    connection.execute(query("ALTER TABLE {t} ADD COLUMN _deleted_at timestamptz", t=table))
    connection.execute(
        query("ALTER TABLE {t} RENAME TO {n}", t=table, n=sql.Identifier(contract.table))
    )
    connection.execute(
        query("ALTER TABLE {t} SET SCHEMA registry", t=sql.Identifier(STAGING, contract.table))
    )


def classify(connection: Connection, contract: Contract, transfer: int) -> tuple[int, int, int]:
    """(to publish, unchanged, stale) among the staged rows, against the registry."""
    row = connection.execute(
        query(
            "SELECT count(*) FILTER (WHERE {new} OR {changed}), count(*) FILTER (WHERE {stale}),"
            " count(*) FROM {s} s LEFT JOIN {t} t ON {on}",
            new=query("t.{k} IS NULL", k=sql.Identifier(contract.key[0])),
            changed=_changed(contract),
            stale=_stale(contract),
            s=staged(contract, transfer),
            t=published(contract),
            on=_pairs(contract.key, " = ", " AND "),
        )
    ).fetchone()
    publish, stale, everything = (int(str(n)) for n in row or (0, 0, 0))
    return publish, everything - publish - stale, stale


def merge(connection: Connection, contract: Contract, transfer: int, version: int) -> None:
    """Merge staged rows into the registry.

    Rows whose hash is equal are left alone; where only the hash differs (another hash function)
    it is refreshed without a new version; a lower sequence never overwrites a higher one.
    """
    columns = contract.names
    assignments = sql.SQL(", ").join(query("{c} = s.{c}", c=sql.Identifier(c)) for c in columns)
    values = {"version": sql.Literal(version), "transfer": sql.Literal(transfer)}
    connection.execute(
        query(
            "MERGE INTO {t} t USING {s} s ON {on}"
            " WHEN MATCHED AND {changed} THEN UPDATE SET {assignments}, _row_hash = s._row_hash,"
            " _version = {version}, _transfer_id = {transfer}, _deleted_at = NULL"
            " WHEN MATCHED AND s._row_hash <> t._row_hash AND NOT {stale} THEN"
            " UPDATE SET _row_hash = s._row_hash"
            " WHEN NOT MATCHED THEN INSERT ({columns}, _row_hash, _version, _first_version,"
            " _transfer_id) VALUES ({inserted}, s._row_hash, {version}, {version}, {transfer})",
            t=published(contract),
            s=staged(contract, transfer),
            on=_pairs(contract.key, " = ", " AND "),
            changed=_changed(contract),
            stale=_stale(contract),
            assignments=assignments,
            columns=names(columns),
            inserted=names(columns, "s."),
            **values,
        )
    )


def _changed(contract: Contract) -> sql.Composed:
    differs = query(
        "((s._row_hash <> t._row_hash AND ROW({t}) IS DISTINCT FROM ROW({s}))"
        " OR t._deleted_at IS NOT NULL)",
        t=names(contract.names, "t."),
        s=names(contract.names, "s."),
    )
    return query("({differs} AND NOT {stale})", differs=differs, stale=_stale(contract))


def _stale(contract: Contract) -> sql.Composed:
    if contract.sequence is None:
        return query("false")
    return query("coalesce(s.{c} < t.{c}, false)", c=sql.Identifier(contract.sequence))


def _pairs(columns: tuple[str, ...], operator: str, glue: str) -> sql.Composed:
    pairs = [query("s.{c}" + operator + "t.{c}", c=sql.Identifier(c)) for c in columns]
    return sql.SQL(glue).join(pairs)
