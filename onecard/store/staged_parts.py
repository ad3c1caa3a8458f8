"""What one partition has staged, beside the good and the rejected rows; and how parts become one.

`staging.<table>__<attempt>__met` keeps which published rows stood in the partition: their hashes
and their last places in the reading, as arrays of 8-byte integers, a row for many of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString

from psycopg import sql

from onecard.base.sql_text import names, query
from onecard.store import row_order, staging
from onecard.store.database import Connection, fetch_all, one_scalar
from schemas.models.contract import Contract

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from onecard.store.known_hashes import KnownHashes

AT_ONCE = 1_000_000
"""Hashes in one row of the table: 8 MB, and as much for their places."""
_BAD: LiteralString = (
    "fingerprint, origin, row_number, reasons, payload, key_epoch, suite, record_ref, place"
)


@dataclass(frozen=True, slots=True)
class _Met:
    hashes: bytes
    places: bytes


def create(connection: Connection, contract: Contract, attempt: int, *, positions: bool) -> None:
    """Make the tables of one attempt at a partition.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        attempt: whose tables they are.
        positions: the rows bring their places in the reading.
    """
    staging.create(connection, contract, attempt, first=False, positions=positions)
    body = query(
        "CREATE UNLOGGED TABLE {t} (hashes bytea, places bytea)", t=_met(contract, attempt)
    )
    connection.execute(body)


def keep_met(connection: Connection, contract: Contract, attempt: int, known: KnownHashes) -> None:
    """Write which published rows a partition has met.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        attempt: that met them.
        known: what it met.
    """
    hashes, places = known.met_rows()
    statement = query("INSERT INTO {t} VALUES (%s, %s)", t=_met(contract, attempt))
    for start in range(0, len(hashes), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        connection.execute(statement, (hashes[part].tobytes(), places[part].tobytes()))


def met(
    connection: Connection, contract: Contract, attempt: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The published rows that an attempt has met: their hashes, and their last places.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        attempt: that met them.
    """
    import numpy as np  # noqa: PLC0415 - only where rows flow

    statement = query("SELECT hashes, places FROM {t}", t=_met(contract, attempt))
    found = fetch_all(connection, _Met, statement)
    hashes, places = b"".join(m.hashes for m in found), b"".join(m.places for m in found)
    return np.frombuffer(hashes, np.int64), np.frombuffer(places, np.int64)


def count_met(connection: Connection, contract: Contract, attempt: int) -> int:
    """How many published rows an attempt has met.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        attempt: that met them.
    """
    statement = query(
        "SELECT coalesce(sum(length(hashes)), 0)::bigint / 8 FROM {t}", t=_met(contract, attempt)
    )
    return one_scalar(connection, int, statement)


def join(
    connection: Connection, contract: Contract, transfer: int, attempt: int
) -> tuple[int, int]:
    """Copy what an attempt has staged into the transfer's own tables.

    Args:
        connection: in the transaction that gathers.
        contract: of the dataset.
        transfer: whose tables get them.
        attempt: whose rows they are.

    Returns:
        How many good rows, and how many rejected ones.
    """
    columns = [*contract.names, "_row_hash"]
    if staging.positioned(connection, contract, transfer):
        columns.append(row_order.POSITION)
    copy = query(
        "INSERT INTO {into} ({columns}) SELECT {columns} FROM {t}",
        into=staging.table(contract, transfer),
        columns=names(columns),
        t=staging.table(contract, attempt),
    )
    good = connection.execute(copy).rowcount
    bad = query(
        "INSERT INTO {into} ({columns}) SELECT {columns} FROM {t}",
        into=staging.rejected(contract, transfer),
        columns=sql.SQL(_BAD),
        t=staging.rejected(contract, attempt),
    )
    rejected = connection.execute(bad).rowcount
    mended = query(
        "INSERT INTO {into} SELECT record, status FROM {t}",
        into=staging.mended(contract, transfer),
        t=staging.mended(contract, attempt),
    )
    connection.execute(mended)
    return good, rejected


def _met(contract: Contract, attempt: int) -> sql.Identifier:
    return sql.Identifier(staging.STAGING, staging.table_name(contract, attempt) + "__met")
