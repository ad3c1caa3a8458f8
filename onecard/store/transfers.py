"""The ledger's line of each transfer, `ledger.transfer`: opened, carried on, ended.

All functions take an open connection, so that what belongs together is one transaction.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from onecard.errors import SupersededError
from onecard.model.checkpoints import Checkpoint
from onecard.model.transfers import (
    LIVE,
    Abandoned,
    CollectLine,
    Counts,
    DeliveryCounts,
    Intaken,
)
from onecard.store.database import Connection, fetch_all, fetch_one, one_scalar, scalar

_COUNTS: LiteralString = (
    "rows_read, published, unchanged, quarantined, deduplicated, filtered_by_policy"
)
_SET_COUNTS: LiteralString = (
    " rows_read = %(rows_read)s, published = %(published)s, unchanged = %(unchanged)s,"
    " quarantined = %(quarantined)s, deduplicated = %(deduplicated)s,"
    " filtered_by_policy = %(filtered_by_policy)s"
)


def open_transfer(
    connection: Connection, direction: str, subject: str, policy_version: str, at: datetime
) -> int:
    """Write the first line of a transfer and return its id.

    Args:
        connection: of the hub's database.
        direction: `collect` or `deliver`.
        subject: dataset or agreement.
        policy_version: of the contract or agreement.
        at: the hub's time.
    """
    return one_scalar(
        connection,
        int,
        "INSERT INTO ledger.transfer (direction, subject, status, policy_version, hub_time)"
        " VALUES (%s, %s, 'running', %s, %s) RETURNING id",
        (direction, subject, policy_version, at),
    )


def status(connection: Connection, transfer: int) -> str:
    """State of a transfer; empty when there is none."""
    statement = "SELECT status FROM ledger.transfer WHERE id = %s"
    return scalar(connection, str, statement, (transfer,)) or ""


def hub_time(connection: Connection, transfer: int) -> datetime:
    """The hub's time at which a transfer was opened."""
    statement = "SELECT hub_time FROM ledger.transfer WHERE id = %s"
    return one_scalar(connection, datetime, statement, (transfer,))


def lock_status(connection: Connection, transfer: int) -> str:
    """As `status`; it stays as it is until the transaction ends."""
    statement = "SELECT status FROM ledger.transfer WHERE id = %s FOR UPDATE"
    return scalar(connection, str, statement, (transfer,)) or ""


def message(connection: Connection, transfer: int) -> str:
    """What was last said of a transfer."""
    statement = "SELECT message FROM ledger.transfer WHERE id = %s"
    return scalar(connection, str, statement, (transfer,)) or ""


def collect_line(connection: Connection, transfer: int) -> CollectLine | None:
    """What stands in the ledger of a collect, or None."""
    return fetch_one(
        connection,
        _collect_line,
        "SELECT status, message, digest, checkpoint, version, whole, source_rows, replay, "
        + _COUNTS
        + " FROM ledger.transfer WHERE id = %s",
        (transfer,),
    )


def fail_abandoned(
    connection: Connection, direction: str, subject: str, before: int
) -> list[Abandoned]:
    """Mark older transfers of a subject that never ended as failed: who ran them is gone.

    Call it with the subject claimed or locked, so that none of them can end well any more.

    Args:
        connection: of the hub's database.
        direction: `collect` or `deliver`.
        subject: dataset or agreement.
        before: the transfer that takes over.

    Returns:
        Those that were cut off, oldest first.
    """
    found = fetch_all(
        connection,
        Abandoned,
        "UPDATE ledger.transfer SET status = 'failed', finished_at = clock_timestamp(),"
        " message = 'cut off; transfer ' || %(before)s || ' took over'"
        " WHERE direction = %(direction)s AND subject = %(subject)s AND id < %(before)s"
        " AND status = ANY(%(live)s)"
        " RETURNING id AS transfer, coalesce(delivery_id, '') AS delivery",
        {"direction": direction, "subject": subject, "before": before, "live": list(LIVE)},
    )
    return sorted(found, key=lambda dead: dead.transfer)


def cut_off(connection: Connection, direction: str, subject: str) -> bool:
    """Whether a transfer of a subject never ended; with the subject locked, nobody runs it.

    Args:
        connection: of the hub's database.
        direction: `collect` or `deliver`.
        subject: dataset or agreement.
    """
    return one_scalar(
        connection,
        bool,
        "SELECT EXISTS (SELECT FROM ledger.transfer WHERE direction = %s AND subject = %s"
        " AND status = ANY(%s))",
        (direction, subject, list(LIVE)),
    )


def record_staged(connection: Connection, transfer: int, intaken: Intaken) -> None:
    """A collect has read, checked and staged.

    Args:
        connection: in the transaction that holds the dataset.
        transfer: the collect.
        intaken: what it has found.

    Raises:
        SupersededError: it has been ended meanwhile.
    """
    done = connection.execute(
        "UPDATE ledger.transfer SET status = 'staged', whole = %(whole)s,"
        " source_rows = %(source_rows)s, checkpoint = %(checkpoint)s, message = %(message)s,"
        " digest = %(digest)s,"
        + _SET_COUNTS
        + " WHERE id = %(transfer)s AND status IN ('running', 'staged')",
        {
            **asdict(intaken.counts),
            "whole": intaken.whole,
            "source_rows": intaken.source_rows,
            "checkpoint": Jsonb(intaken.checkpoint),
            "message": intaken.message,
            "digest": intaken.digest,
            "transfer": transfer,
        },
    )
    if not done.rowcount:
        _require(connection, transfer, "audited", "held", "published")


def record_single_row(connection: Connection, transfer: int, checkpoint: Checkpoint) -> None:
    """A collect of one row out of quarantine needs no audit, and moves no watermark.

    Args:
        connection: of the hub's database.
        transfer: the collect.
        checkpoint: of the dataset, as it was before.

    Raises:
        SupersededError: it has been ended meanwhile.
    """
    done = connection.execute(
        "UPDATE ledger.transfer SET status = 'audited', checkpoint = %s, replay = true"
        " WHERE id = %s AND status = 'staged'",
        (Jsonb(checkpoint), transfer),
    )
    if not done.rowcount:
        _require(connection, transfer)


def record_audited(connection: Connection, transfer: int, was: str, said: str) -> None:
    """A collect may be published.

    Args:
        connection: in the transaction that holds the dataset.
        transfer: the collect.
        was: its state when the step began.
        said: its message from now on.

    Raises:
        SupersededError: it has been ended meanwhile.
    """
    done = connection.execute(
        "UPDATE ledger.transfer SET status = 'audited', message = %s"
        " WHERE id = %s AND status IN (%s, 'audited')",
        (said, transfer, was),
    )
    if not done.rowcount:
        _require(connection, transfer, "published")


def record_published(connection: Connection, transfer: int, version: int, counts: Counts) -> None:
    """A collect is published.

    Args:
        connection: in the transaction that publishes.
        transfer: the collect.
        version: of the registry table from now on.
        counts: the accounting identity's terms, in rows.

    Raises:
        SupersededError: it has been ended meanwhile.
    """
    done = connection.execute(
        "UPDATE ledger.transfer SET status = 'published', version = %(version)s,"
        " finished_at = clock_timestamp(),"
        + _SET_COUNTS
        + " WHERE id = %(transfer)s AND status = ANY(%(live)s)",
        {**asdict(counts), "version": version, "transfer": transfer, "live": list(LIVE)},
    )
    if not done.rowcount:
        _require(connection, transfer)


def _require(connection: Connection, transfer: int, *further: str) -> None:
    """Whether a transfer that a step cannot move on has gone further by another run of the step."""
    now = status(connection, transfer)
    if now not in further:
        msg = f"transfer {transfer} is {now or 'not there'} by now; nothing published"
        raise SupersededError(msg)


def record_end(connection: Connection, transfer: int, status: str, said: str) -> None:
    """A transfer did not end well, or one of its steps must be run again.

    Args:
        connection: of the hub's database.
        transfer: the transfer.
        status: `failed`, `held`, or `audited` where the step may be run again.
        said: why.
    """
    connection.execute(
        "UPDATE ledger.transfer SET status = %(status)s, message = %(said)s, finished_at ="
        " CASE WHEN %(status)s IN ('failed', 'held') THEN clock_timestamp() ELSE finished_at END"
        " WHERE id = %(transfer)s",
        {"status": status, "said": said, "transfer": transfer},
    )


def mark_replay(connection: Connection, transfer: int) -> None:
    """A delivery sends rows again: it says nothing of what is usual."""
    connection.execute("UPDATE ledger.transfer SET replay = true WHERE id = %s", (transfer,))


def record_delivery_id(connection: Connection, transfer: int, delivery: str) -> None:
    """A delivery has its id.

    Args:
        connection: of the hub's database.
        transfer: the attempt.
        delivery: id of the delivery, the same for every attempt at one window.
    """
    connection.execute(
        "UPDATE ledger.transfer SET delivery_id = %s WHERE id = %s", (delivery, transfer)
    )


def record_confirmed(
    connection: Connection,
    transfer: int,
    counts: DeliveryCounts,
    expires_at: datetime,
    remarks: str = "",
) -> None:
    """The consumer has confirmed a delivery.

    Args:
        connection: in the transaction that confirms.
        transfer: the delivery.
        counts: what was selected, kept back, sent and deleted.
        expires_at: when the consumer is to erase it.
        remarks: what is odd about the consumer's answers.
    """
    connection.execute(
        "UPDATE ledger.transfer SET status = 'confirmed', finished_at = clock_timestamp(),"
        " rows_read = %(rows_read)s, quarantined = %(quarantined)s,"
        " filtered_by_policy = %(filtered_by_policy)s, sent_rows = %(sent_rows)s,"
        " sent_parts = %(sent_parts)s, digest = %(digest)s, message = %(remarks)s,"
        " deleted_rows = coalesce(%(deleted_rows)s, deleted_rows), expires_at = %(expires_at)s"
        " WHERE id = %(transfer)s",
        {
            **asdict(counts),
            "transfer": transfer,
            "remarks": remarks,
            "expires_at": expires_at,
        },
    )


def _collect_line(**columns: Any) -> CollectLine:  # noqa: ANN401 - a row by its columns
    return CollectLine(counts=Counts.taken_from(columns), **columns)
