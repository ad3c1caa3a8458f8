"""Partitions of a collect: which are expected, begun by whom, done with what.

Tables `ledger.partition_plan` and `ledger.partition`. A partition that is begun again has another
attempt: what the earlier one has staged, or stages yet, stands in tables of its own and is never
looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from onecard.model.partitions import Begun, PartitionLine, PartitionPlan
from onecard.store.database import Connection, fetch_all, fetch_one

_GIVE: LiteralString = (
    " SET attempt = given.id, attempts = attempts || given.id, begun_by = %(by)s,"
    " begun_at = clock_timestamp()"
    " FROM (SELECT nextval(pg_get_serial_sequence('ledger.transfer', 'id')) AS id) given"
)


def plan(connection: Connection, transfer: int, made: PartitionPlan) -> None:
    """Write what is expected.

    Args:
        connection: in a transaction.
        transfer: the collect.
        made: how it is read.
    """
    connection.execute(
        "INSERT INTO ledger.partition_plan (transfer, parts, whole, mark, contract, apart)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (transfer, made.parts, made.whole, made.mark, made.contract, made.apart),
    )
    connection.execute(
        "INSERT INTO ledger.partition (transfer, number) SELECT %s, generate_series(0, %s - 1)",
        (transfer, made.parts),
    )


def planned(connection: Connection, transfer: int) -> PartitionPlan | None:
    """What is expected; None: the source is read in one."""
    return fetch_one(
        connection,
        PartitionPlan,
        "SELECT parts, whole, mark, contract, apart FROM ledger.partition_plan WHERE transfer = %s",
        (transfer,),
    )


def begin(connection: Connection, transfer: int, number: int, by: str) -> Begun | None:
    """Give a partition to a worker, whoever had it before; None: it is done.

    Args:
        connection: of the hub's database.
        transfer: the collect.
        number: of the partition.
        by: names the worker.
    """
    statement: LiteralString = (
        "UPDATE ledger.partition" + _GIVE + " WHERE transfer = %(transfer)s"
        " AND number = %(number)s AND done_at IS NULL RETURNING number, attempt"
    )
    given = {"transfer": transfer, "number": number, "by": by}
    return fetch_one(connection, Begun, statement, given)


def begin_next(connection: Connection, transfer: int, by: str) -> Begun | None:
    """Give the next partition that nobody has begun to a worker; None: there is none.

    Args:
        connection: of the hub's database.
        transfer: the collect.
        by: names the worker.
    """
    statement: LiteralString = (
        "UPDATE ledger.partition" + _GIVE + " WHERE transfer = %(transfer)s AND number ="
        " (SELECT number FROM ledger.partition WHERE transfer = %(transfer)s"
        " AND attempt IS NULL ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED)"
        " RETURNING number, attempt"
    )
    return fetch_one(connection, Begun, statement, {"transfer": transfer, "by": by})


def finish(connection: Connection, transfer: int, begun: Begun, outcome: Mapping[str, Any]) -> bool:
    """Note that a partition is read; False: it was given to another worker meanwhile.

    Args:
        connection: of the hub's database.
        transfer: the collect.
        begun: the partition as it was given to this worker.
        outcome: counts, digest, checkpoint; JSON values only.
    """
    done = connection.execute(
        "UPDATE ledger.partition SET done_at = clock_timestamp(), outcome = %s"
        " WHERE transfer = %s AND number = %s AND attempt = %s AND done_at IS NULL",
        (Jsonb(dict(outcome)), transfer, begun.number, begun.attempt),
    )
    return done.rowcount == 1


def reopen(connection: Connection, transfer: int, number: int) -> None:
    """What a partition has staged is gone: it must be read again.

    Args:
        connection: of the hub's database.
        transfer: the collect.
        number: of the partition.
    """
    connection.execute(
        "UPDATE ledger.partition SET done_at = NULL, outcome = NULL"
        " WHERE transfer = %s AND number = %s",
        (transfer, number),
    )


def lines(connection: Connection, transfer: int) -> list[PartitionLine]:
    """All partitions of a transfer, in their order."""
    return fetch_all(
        connection,
        PartitionLine,
        "SELECT number, attempt, attempts, done_at IS NOT NULL AS done, outcome"
        " FROM ledger.partition WHERE transfer = %s ORDER BY number",
        (transfer,),
    )
