"""Registry tables, made from the contract, and the SQL that publishes what is staged.

Columns of a registry table: the contract's fields, `_row_hash`, `_version`, `_first_version`,
`_transfer_id`, `_deleted_at`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from onecard.base.sql_text import names, query
from onecard.errors import ConfigError
from onecard.store import former, row_order, staging
from onecard.store.database import Connection, fetch_all, fetch_one, one_scalar, relation_exists
from schemas.models.contract import Contract, Field

REGISTRY: LiteralString = "registry"
HASH = "_row_hash"


def published(contract: Contract) -> sql.Identifier:
    """The registry table, quoted."""
    return sql.Identifier(REGISTRY, contract.table)


def exists(connection: Connection, contract: Contract) -> bool:
    """Whether the dataset has a registry table."""
    return relation_exists(connection, f"{REGISTRY}.{contract.table}")


def estimated_rows(connection: Connection, contract: Contract) -> int:
    """About how many rows are published, as PostgreSQL last counted them; 0: never."""
    return one_scalar(
        connection,
        int,
        "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass(%s)",
        (f"{REGISTRY}.{contract.table}",),
    )


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    kind: str


def widen(connection: Connection, contract: Contract) -> None:
    """Add the contract's new nullable fields to the registry table; anything else is a migration.

    Raises:
        ConfigError: a field is gone, has another type, or a new one is required.
    """
    found = fetch_all(
        connection,
        _Column,
        "SELECT attname AS name, format_type(atttypid, atttypmod) AS kind FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        (f"{REGISTRY}.{contract.table}",),
    )
    there = {column.name: column.kind for column in found}
    for field in contract.fields:
        wanted = _catalogue_type(field)
        if field.name not in there and not field.required:
            connection.execute(
                query(
                    "ALTER TABLE {t} ADD COLUMN {c} {type}",
                    t=published(contract),
                    c=sql.Identifier(field.name),
                    type=staging.column_type(field),
                )
            )
        elif there.get(field.name) != wanted:
            msg = (
                f"{contract.id}: registry column {field.name} is {there.get(field.name, 'absent')},"
                f" the contract wants {wanted}: this needs a migration"
            )
            raise ConfigError(msg)


def lacking(connection: Connection, contract: Contract, field: str) -> int:
    """How many published rows have no value of a field.

    Args:
        connection: of the hub's database.
        contract: of a dataset that is published.
        field: of it.
    """
    return one_scalar(
        connection,
        int,
        query(
            "SELECT count(*) FROM {t} WHERE {c} IS NULL AND _deleted_at IS NULL",
            t=published(contract),
            c=sql.Identifier(field),
        ),
    )


def _catalogue_type(field: Field) -> str:
    """A field's type as PostgreSQL's catalogue writes it."""
    text = staging.column_type(field).as_string(None)
    return text.replace("timestamptz", "timestamp with time zone")


def adopt(connection: Connection, contract: Contract, transfer: int, version: int) -> None:
    """Turn the first load's staging table into the registry table: no row is written again.

    Args:
        connection: in the transaction that publishes.
        contract: of the dataset.
        transfer: that has staged the rows.
        version: of the registry table from now on.
    """
    table = staging.table(contract, transfer)
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
        query(
            "ALTER TABLE {t} DROP COLUMN IF EXISTS {p}",
            t=table,
            p=sql.Identifier(row_order.POSITION),
        )
    )
    connection.execute(
        query("ALTER TABLE {t} RENAME TO {n}", t=table, n=sql.Identifier(contract.table))
    )
    connection.execute(
        query(
            "ALTER TABLE {t} SET SCHEMA registry", t=sql.Identifier(staging.STAGING, contract.table)
        )
    )


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of staged rows: how many are published, are there already, are too old.

    Attributes:
        stale: older than the published row of their key, by the contract's order.
        returned: those of them whose key is published as deleted.
    """

    published: int
    unchanged: int = 0
    stale: int = 0
    returned: int = 0


@dataclass(frozen=True, slots=True)
class _Compared:
    publish: int
    stale: int
    returned: int
    everything: int


@dataclass(frozen=True, slots=True)
class Merging:
    """Staged rows on their way into the registry.

    Attributes:
        accepted: a person has accepted that older rows replace newer ones.
    """

    connection: Connection
    contract: Contract
    transfer: int
    accepted: bool = False

    def fate(self) -> Fate:
        """What becomes of the staged rows, against the registry."""
        connection, contract = self.connection, self.contract
        if not exists(connection, contract):
            return Fate(staging.count(connection, contract, self.transfer))
        stale = self._stale()
        found = fetch_one(
            connection,
            _Compared,
            query(
                "SELECT count(*) FILTER (WHERE {new} OR {changed}) AS publish,"
                " count(*) FILTER (WHERE {stale}) AS stale,"
                " count(*) FILTER (WHERE {stale} AND t._deleted_at IS NOT NULL) AS returned,"
                " count(*) AS everything FROM {s} s LEFT JOIN {t} t ON {on}",
                new=query("t.{k} IS NULL", k=sql.Identifier(contract.key[0])),
                changed=self._changed(stale),
                stale=stale,
                s=staging.table(contract, self.transfer),
                t=published(contract),
                on=staging.pairs(contract.key),
            ),
        ) or _Compared(0, 0, 0, 0)
        unchanged = found.everything - found.publish - found.stale
        return Fate(found.publish, unchanged, found.stale, found.returned)

    def merge(self, version: int) -> None:
        """Merge the staged rows into the registry.

        Rows whose hash is equal are left alone; where only the hash differs (another hash
        function) it is refreshed without a new version; an older row never overwrites a newer one.

        Args:
            version: of the registry table from now on.
        """
        contract, columns, stale = self.contract, self.contract.names, self._stale()
        staged, changed = staging.table(contract, self.transfer), self._changed(stale)
        former.keep(self.connection, contract, staged, changed, version)
        assignments = sql.SQL(", ").join(query("{c} = s.{c}", c=sql.Identifier(c)) for c in columns)
        self.connection.execute(
            query(
                "MERGE INTO {t} t USING {s} s ON {on}"
                " WHEN MATCHED AND {changed} THEN UPDATE SET {assignments},"
                " _row_hash = s._row_hash, _version = {version}, _transfer_id = {transfer},"
                " _deleted_at = NULL"
                " WHEN MATCHED AND s._row_hash <> t._row_hash AND NOT {stale} THEN"
                " UPDATE SET _row_hash = s._row_hash"
                " WHEN NOT MATCHED THEN INSERT ({columns}, _row_hash, _version, _first_version,"
                " _transfer_id)"
                " VALUES ({inserted}, s._row_hash, {version}, {version}, {transfer})",
                t=published(contract),
                s=staged,
                on=staging.pairs(contract.key),
                changed=changed,
                stale=stale,
                assignments=assignments,
                columns=names(columns),
                inserted=names(columns, "s."),
                version=sql.Literal(version),
                transfer=sql.Literal(self.transfer),
            )
        )

    def _changed(self, stale: sql.Composed) -> sql.Composed:
        return query(
            "(((s._row_hash <> t._row_hash AND ROW({t}) IS DISTINCT FROM ROW({s}))"
            " OR t._deleted_at IS NOT NULL) AND NOT {stale})",
            t=names(self.contract.names, "t."),
            s=names(self.contract.names, "s."),
            stale=stale,
        )

    def _stale(self) -> sql.Composed:
        """Condition: the staged row differs from the published one, and is older."""
        if self.accepted:
            return query("false")
        positions = staging.positioned(self.connection, self.contract, self.transfer)
        return query(
            "((s._row_hash <> t._row_hash OR t._deleted_at IS NOT NULL) AND {older})",
            older=row_order.older(self.contract, positions=positions),
        )
