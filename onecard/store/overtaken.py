"""Rejected rows that a later row of their own reading has overtaken.

Where the order of a reading means something (files, uploads), a file may hold a rejected row and,
behind it, another row of the same record: the agency has mended it there and then. Nothing in the
registry tells later that the rejected row is the older one, as both came by one transfer; so it is
told here, while places of both are known, and the row has ended as if the other one had come with
the next night:

    mended      a good row of its record stands behind it
    superseded  its record is rejected again behind it, with other values
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import class_row

from onecard.base.sql_text import query
from onecard.store import registry, row_order, staging, wanted_keys
from onecard.store.database import Connection, fetch_all, scalars
from onecard.store.sealing import SealedValues
from schemas.models.contract import Contract

AT_ONCE = 10_000
"""Rejected rows that are compared in one statement."""


@dataclass(frozen=True, slots=True)
class Waiting(SealedValues):
    """A rejected row that nothing has overtaken so far.

    Attributes:
        place: in the reading.
        line: of the table of rejected rows, for `mend` in the same transaction.
    """

    place: int
    line: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A record of which a rejected row tells.

    Attributes:
        row: that was rejected.
        key: values of the record's key, as texts.
        sequence: of the rejected row, as far as PostgreSQL counts; None where the contract names
            none, or it cannot be read.
    """

    row: Waiting
    key: tuple[str, ...]
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """A published row of a record of which a rejected row tells.

    Attributes:
        number: which of the records that were asked for, from 1.
    """

    number: int
    row_hash: int
    deleted: bool


def supersede(connection: Connection, contract: Contract, transfer: int) -> None:
    """End rejected rows behind which their record is rejected again.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: whose rows they are.
    """
    connection.execute(
        query(
            "UPDATE {bad} b SET ended = 'superseded' FROM (SELECT record_ref, max(place) AS last"
            " FROM {bad} WHERE record_ref IS NOT NULL GROUP BY record_ref) n"
            " WHERE b.record_ref = n.record_ref AND b.place < n.last",
            bad=staging.rejected(contract, transfer),
        )
    )


def waiting(
    connection: Connection, contract: Contract, transfer: int
) -> Iterator[Sequence[Waiting]]:
    """Rejected rows with a record and a place that have not ended, some at a time.

    Args:
        connection: inside a transaction.
        contract: of the dataset.
        transfer: whose rows they are.
    """
    statement = query(
        "SELECT fingerprint, payload, key_epoch, suite, place, ctid::text AS line"
        " FROM {bad} WHERE ended IS NULL AND place IS NOT NULL AND record_ref IS NOT NULL",
        bad=staging.rejected(contract, transfer),
    )
    with connection.cursor("waiting_rows", row_factory=class_row(Waiting)) as cursor:
        cursor.execute(statement)
        while found := cursor.fetchmany(AT_ONCE):
            yield found


def staged_behind(
    connection: Connection, contract: Contract, transfer: int, wanted: Sequence[Wanted]
) -> list[int]:
    """Which of some rejected rows have a good row of their record staged behind them, from 1.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: whose rows they are.
        wanted: records of rejected rows.
    """
    statement = _of_wanted(contract, query("k.number"), staging.table(contract, transfer))
    later = query(" AND {p} > k.place", p=sql.Identifier("t", row_order.POSITION))
    return scalars(connection, int, statement + later, _values(contract, wanted))


def published(
    connection: Connection, contract: Contract, wanted: Sequence[Wanted]
) -> list[Published]:
    """What the registry has of those records, unless it is an older version of one.

    Args:
        connection: of the hub's database.
        contract: of a dataset that is published.
        wanted: records of rejected rows.
    """
    shown = query("k.number, t._row_hash AS row_hash, t._deleted_at IS NOT NULL AS deleted")
    statement = _of_wanted(contract, shown, registry.published(contract))
    return fetch_all(connection, Published, statement, _values(contract, wanted))


def mend(
    connection: Connection, contract: Contract, transfer: int, rows: Sequence[Waiting]
) -> None:
    """Note that rejected rows are mended by the reading that brought them.

    Args:
        connection: in the transaction that has read them.
        contract: of the dataset.
        transfer: whose rows they are.
        rows: that were overtaken by good ones.
    """
    statement = query(
        "UPDATE {bad} SET ended = 'mended' WHERE ctid = ANY(%s::tid[])",
        bad=staging.rejected(contract, transfer),
    )
    connection.execute(statement, ([row.line for row in rows],))


def _of_wanted(contract: Contract, shown: sql.Composed, table: sql.Identifier) -> sql.Composed:
    """Query: rows `t` of the records `k` that are wanted, without older versions of them."""
    older = query("false")
    if contract.sequence:
        older = query("coalesce({s} < k.sequence, false)", s=sql.Identifier("t", contract.sequence))
    return query(
        "SELECT {shown} FROM unnest(%s::bigint[], %s::bigint[], {arrays}) WITH ORDINALITY"
        " AS k (place, sequence, {keys}, number) JOIN {table} t ON {same} WHERE NOT {older}",
        shown=shown,
        arrays=wanted_keys.arrays(contract),
        keys=wanted_keys.columns(contract),
        table=table,
        same=wanted_keys.same(contract),
        older=older,
    )


def _values(contract: Contract, wanted: Sequence[Wanted]) -> list[list[object]]:
    keys = wanted_keys.values(contract, [w.key for w in wanted])
    return [[w.row.place for w in wanted], [w.sequence for w in wanted], *keys]
