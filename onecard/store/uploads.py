"""Uploads that agencies bring, `ledger.upload`: an id counts once, with one content."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Literal, LiteralString

from onecard.model.uploads import Declared, Upload, UploadLimits
from onecard.store import locks
from onecard.store.database import Connection, fetch_all, fetch_one, one_scalar

Refused = Literal["spool", "day"]
"""Why an upload is not begun: no room for the dataset; too many of the caller's within a day."""
DAY = timedelta(days=1)

_ALL: LiteralString = (
    "SELECT dataset, upload::text, caller, encode(digest, 'hex') AS digest, length, state, number,"
    " outcome, transfer, opened_at, ended_at FROM ledger.upload"
)


def find(connection: Connection, dataset: str, upload: str) -> Upload | None:
    """An upload, or None.

    Args:
        connection: of the hub's database.
        dataset: its id.
        upload: a UUID.
    """
    statement = _ALL + " WHERE dataset = %s AND upload = %s"
    return fetch_one(connection, Upload, statement, (dataset, upload))


def can_be_noted(connection: Connection) -> bool:
    """Whether an upload could be put on record now: the server is no copy that is only read."""
    return not one_scalar(connection, bool, "SELECT pg_is_in_recovery()")


def begin(
    connection: Connection,
    declared: Declared,
    caller: str,
    limits: UploadLimits,
    now: datetime,
) -> Upload | Refused:
    """The upload of that id, made where there is none and there is room for it.

    Args:
        connection: of the hub's database; a transaction is made.
        declared: what the caller says of it.
        caller: the agency.
        limits: how much it may bring.
        now: the hub's time.
    """
    with one_of_dataset(connection, declared.dataset):
        found = find(connection, declared.dataset, declared.upload)
        if found is not None:
            return found
        if _waiting_bytes(connection, declared.dataset) + declared.length > limits.waiting_bytes:
            return "spool"
        if _begun(connection, caller, now - DAY) >= limits.a_day:
            return "day"
        connection.execute(
            "INSERT INTO ledger.upload (dataset, upload, caller, digest, length, opened_at)"
            " VALUES (%s, %s, %s, decode(%s, 'hex'), %s, %s)",
            (
                declared.dataset,
                declared.upload,
                caller,
                declared.digest,
                declared.length,
                now,
            ),
        )
        return Upload(
            declared.dataset,
            declared.upload,
            caller,
            declared.digest,
            declared.length,
            state="open",
            number=None,
            outcome=None,
            transfer=None,
            opened_at=now,
            ended_at=None,
        )


@contextmanager
def one_of_dataset(connection: Connection, dataset: str) -> Iterator[None]:
    """A transaction that no other process makes for the dataset's uploads at the same time.

    Args:
        connection: of the hub's database.
        dataset: its id.
    """
    with connection.transaction():
        locks.hold_in_transaction(connection, locks.Kind.UPLOAD, dataset)
        yield


def next_number(connection: Connection) -> int:
    """A number behind all that were given; one that was not used is never given again."""
    return one_scalar(connection, int, "SELECT nextval('ledger.upload_number')")


def judge(connection: Connection, upload: Upload, outcome: Mapping[str, Any]) -> None:
    """Note what the gate says of an upload that is still open.

    Args:
        connection: of the hub's database.
        upload: that is whole.
        outcome: counts, rules, numbers of rows; no value of a row.
    """
    connection.execute(
        "UPDATE ledger.upload SET outcome = %s WHERE dataset = %s AND upload = %s"
        " AND state = 'open'",
        (json.dumps(outcome), upload.dataset, upload.upload),
    )


def refuse(
    connection: Connection, upload: Upload, outcome: Mapping[str, Any], now: datetime
) -> None:
    """Note that an upload is not taken as a whole.

    Args:
        connection: of the hub's database.
        upload: that is whole.
        outcome: why.
        now: the hub's time.
    """
    connection.execute(
        "UPDATE ledger.upload SET state = 'refused', outcome = %s, ended_at = %s"
        " WHERE dataset = %s AND upload = %s AND state = 'open'",
        (json.dumps(outcome), now, upload.dataset, upload.upload),
    )


def wait(connection: Connection, upload: Upload, number: int) -> None:
    """Note that an upload waits to be collected.

    Args:
        connection: of the hub's database, in the transaction in which its file got its place.
        upload: that was judged.
        number: its place in the order of collecting.
    """
    connection.execute(
        "UPDATE ledger.upload SET state = 'waiting', number = %s"
        " WHERE dataset = %s AND upload = %s AND state = 'open'",
        (number, upload.dataset, upload.upload),
    )


def publish(
    connection: Connection,
    dataset: str,
    taken: Mapping[str, int],
    transfer: int,
    now: datetime,
) -> None:
    """Note that uploads are published, in the transaction that publishes their rows.

    One whose place was not on record yet, for its process was killed, is on record from here on.

    Args:
        connection: of the hub's database.
        dataset: its id.
        taken: number by upload; those that an earlier collect has published stay that one's.
        transfer: the collect.
        now: the hub's time.
    """
    connection.execute(
        "UPDATE ledger.upload u SET state = 'published', number = t.number, transfer = %s,"
        " ended_at = %s FROM unnest(%s::uuid[], %s::bigint[]) AS t (upload, number)"
        " WHERE u.dataset = %s AND u.upload = t.upload AND u.state <> 'published'",
        (transfer, now, list(taken), list(taken.values()), dataset),
    )


def unfinished(connection: Connection, dataset: str) -> list[Upload]:
    """Uploads that are open or wait, the oldest first.

    Args:
        connection: of the hub's database.
        dataset: its id.
    """
    statement = _ALL + " WHERE dataset = %s AND state IN ('open', 'waiting') ORDER BY id"
    return fetch_all(connection, Upload, statement, (dataset,))


def expire(connection: Connection, dataset: str, upload: str, now: datetime) -> None:
    """Note that an upload was too old, and is gone.

    Args:
        connection: of the hub's database.
        dataset: its id.
        upload: a UUID.
        now: the hub's time.
    """
    connection.execute(
        "UPDATE ledger.upload SET state = 'expired', ended_at = %s"
        " WHERE dataset = %s AND upload = %s AND state IN ('open', 'waiting')",
        (now, dataset, upload),
    )


def _waiting_bytes(connection: Connection, dataset: str) -> int:
    return one_scalar(
        connection,
        int,
        "SELECT coalesce(sum(length), 0)::bigint FROM ledger.upload"
        " WHERE dataset = %s AND state IN ('open', 'waiting')",
        (dataset,),
    )


def _begun(connection: Connection, caller: str, since: datetime) -> int:
    return one_scalar(
        connection,
        int,
        "SELECT count(*) FROM ledger.upload WHERE caller = %s AND opened_at > %s",
        (caller, since),
    )
