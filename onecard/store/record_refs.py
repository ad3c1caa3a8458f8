"""Records found again by their references (`onecard.store.referrer`): published, or rejected."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import LiteralString, NamedTuple

from psycopg import sql
from psycopg.rows import tuple_row

from onecard.base.sql_text import query
from onecard.crypto.keys import KeyStore
from onecard.errors import ConfigError
from onecard.store import quarantine, registry
from onecard.store.database import Connection, fetch_all, scalars
from onecard.store.referrer import Referrer, key_of
from schemas.models.contract import Contract

_BATCH = 20_000
LONGEST_KEY = 200
"""Characters of one key value."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record is found.

    Attributes:
        published: whether the registry has it.
        quarantined: ids of held rows of it.
    """

    published: bool = False
    quarantined: tuple[int, ...] = field(default=())


class Newer(NamedTuple):
    """A record's row since a version: its own version and the transfer that brought it."""

    version: int
    transfer: int


def checked_key(contract: Contract, values: Sequence[str]) -> tuple[str, ...]:
    """The key's values without spaces around them.

    Raises:
        ConfigError: too few, too many, empty or no text; names the key's fields, no value.
    """
    found = tuple(value.strip() for value in values)
    if len(found) != len(contract.key):
        wanted = ", ".join(contract.key)
        msg = f"{contract.id}: the key has {len(contract.key)} values ({wanted}), not {len(found)}"
        raise ConfigError(msg)
    for name, value in zip(contract.key, found, strict=True):
        if not value or len(value) > LONGEST_KEY or not value.isprintable():
            msg = f"{contract.id}: key field {name}: write 1 to {LONGEST_KEY} printable characters"
            raise ConfigError(msg)
    return found


def locate(connection: Connection, contract: Contract, key: Sequence[str], keys: KeyStore) -> Place:
    """Where the record of that key stands now: published, held in quarantine, both or nowhere.

    Args:
        connection: of the hub's database.
        contract: of its dataset.
        key: values of its key, as `checked_key` gives them.
        keys: hold the quarantine keys.
    """
    wanted = tuple(key)
    referred = set(_referred(connection, contract, wanted, keys))
    held = tuple(sorted(referred | set(_unreferred(connection, contract, wanted, keys))))
    if not registry.exists(connection, contract):
        return Place(quarantined=held)
    where = sql.SQL(" AND ").join(
        query("{c}::text = %s", c=sql.Identifier(name)) for name in contract.key
    )
    statement = query(
        "SELECT FROM {t} WHERE {where} AND _deleted_at IS NULL",
        t=registry.published(contract),
        where=where,
    )
    return Place(connection.execute(statement, tuple(key)).fetchone() is not None, held)


_HELD: LiteralString = (
    " FROM quarantine.record WHERE dataset = %(dataset)s AND agreement IS NULL AND status = 'held'"
)


@dataclass(frozen=True, slots=True)
class _Made:
    """By what references of a dataset's held rows were made."""

    key_epoch: str
    suite: str


def _referred(
    connection: Connection, contract: Contract, key: tuple[str, ...], keys: KeyStore
) -> Iterator[int]:
    """Held rows of a record, by their references: none of them is opened."""
    values: dict[str, object] = {"dataset": contract.id}
    statement = "SELECT DISTINCT key_epoch, suite" + _HELD + " AND record_ref IS NOT NULL"
    for made in fetch_all(connection, _Made, statement, values):
        referrer = Referrer(contract, keys.quarantine_of(made.key_epoch), made.suite)
        (ref,) = referrer.refs([key])
        yield from scalars(
            connection,
            int,
            "SELECT id" + _HELD + " AND record_ref = %(ref)s",
            values | {"ref": ref},
        )


def _unreferred(
    connection: Connection, contract: Contract, key: tuple[str, ...], keys: KeyStore
) -> Iterator[int]:
    """Held rows of a record that have no reference: rejected before there were any."""
    values = {"dataset": contract.id}
    statement = "SELECT id" + _HELD + " AND record_ref IS NULL ORDER BY id"
    found = scalars(connection, int, statement, values)
    for row, cells in quarantine.each_revealed(connection, found, keys):
        if key_of(contract, cells) == key:
            yield row.id


def published_since(
    connection: Connection, referrer: Referrer, refs: Collection[bytes], version: int
) -> dict[bytes, Newer]:
    """Those of `refs` whose row is newer than a version.

    Args:
        connection: without an open server-side cursor.
        referrer: of the dataset, under the key that made `refs`.
        refs: references of records.
        version: of the registry table.
    """
    contract = referrer.contract
    if not registry.exists(connection, contract):
        return {}
    columns = sql.SQL(", ").join(
        query("{c}::text", c=sql.Identifier(name)) for name in contract.key
    )
    statement = query(
        "SELECT _version, _transfer_id, {columns} FROM {t} WHERE _version > %s",
        columns=columns,
        t=registry.published(contract),
    )
    wanted = set(refs)
    found: dict[bytes, Newer] = {}
    with (
        connection.transaction(),
        connection.cursor("newer_rows", row_factory=tuple_row) as cursor,
    ):
        cursor.execute(statement, (version,))
        while rows := cursor.fetchmany(_BATCH):
            keys = [row[2:] for row in rows]
            for ref, row in zip(referrer.refs(keys), rows, strict=True):
                if ref in wanted:
                    found[ref] = Newer(row[0], row[1])
    return found


def held_in(
    connection: Connection, referrer: Referrer, transfer: int, keys: KeyStore
) -> Iterator[bytes]:
    """References of the held rows that this transfer, or a later one, rejected.

    Args:
        connection: of the hub's database.
        referrer: of the dataset.
        transfer: the collect.
        keys: hold the quarantine keys.
    """
    found = scalars(
        connection,
        int,
        "SELECT id FROM quarantine.record WHERE dataset = %s AND agreement IS NULL"
        " AND status = 'held' AND last_transfer >= %s ORDER BY id",
        (referrer.contract.id, transfer),
    )
    for _, values in quarantine.each_revealed(connection, found, keys):
        key = key_of(referrer.contract, values)
        if key is not None:
            yield from referrer.refs([key])
