"""Reconciliations in the ledger: one line each, and an entry of the audit log."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from onecard.model.reconciliations import ReconciliationResult, rate
from onecard.model.signoffs import SignOff
from onecard.store import audit
from onecard.store.database import Connection, fetch_all, one_scalar, scalar

SHOWN = 20
"""References of so many keys of each kind are kept."""
_NO_END = 2**63 - 1


_FINISH = (
    "UPDATE ledger.reconciliation SET method = %(method)s, buckets = %(buckets)s,"
    " rows_hub = %(rows_hub)s, rows_other = %(rows_other)s, missing = %(missing)s,"
    " extra = %(extra)s, differing = %(differing)s, older = %(older)s, waiting = %(waiting)s,"
    " quarantined = %(quarantined)s, healed = %(healed)s, tombstoned = %(tombstoned)s,"
    " held = %(held)s, agreeing = %(agreeing)s, lapsed = %(lapsed)s, outcome = %(outcome)s,"
    " refs = %(refs)s, finished_at = clock_timestamp() WHERE id = %(id)s"
)


def start(
    connection: Connection, kind: str, subject: str, at: datetime, since: datetime | None
) -> int:
    """Write the first line; returns the reconciliation's id.

    The subject is locked: an earlier run of it that is still `running` was cut off.

    Args:
        connection: of the hub's database.
        kind: `dataset` or `agreement`.
        subject: its id.
        at: the hub's time.
        since: rows from here on are compared; None: all.
    """
    connection.execute(
        "UPDATE ledger.reconciliation SET outcome = 'failed', finished_at = clock_timestamp()"
        " WHERE subject = %s AND outcome = 'running'",
        (subject,),
    )
    return one_scalar(
        connection,
        int,
        "INSERT INTO ledger.reconciliation (kind, subject, hub_time, since) VALUES (%s, %s, %s, %s)"
        " RETURNING id",
        (kind, subject, at, since),
    )


def finish(
    connection: Connection, done: ReconciliationResult, actor: str, vouched: SignOff | None = None
) -> None:
    """Write how it ended, and the audit entry, in one transaction.

    Args:
        connection: of the hub's database.
        done: what was found and mended.
        actor: who asked.
        vouched: who let many deletes pass, if anybody did.
    """
    values = asdict(done)
    number, subject = values.pop("id"), values.pop("subject")
    body = {n: v for n, v in values.items() if n != "refs"} | {"reconciliation": number}
    if vouched:
        body |= {"released_by": vouched.by, "reason": vouched.reason}
    with connection.transaction():
        connection.execute(_FINISH, {**asdict(done), "refs": json.dumps(dict(done.refs))})
        audit.append(connection, f"reconcile.{done.outcome}", subject, actor, body)


def failed(connection: Connection, number: int, subject: str, error: Exception, actor: str) -> None:
    """Note that it did not come to an end, unless it did.

    Args:
        connection: of the hub's database.
        number: the reconciliation's id.
        subject: dataset or agreement.
        error: why; only its kind is kept.
        actor: who asked.
    """
    with connection.transaction():
        noted = connection.execute(
            "UPDATE ledger.reconciliation SET outcome = 'failed', finished_at = clock_timestamp()"
            " WHERE id = %s AND finished_at IS NULL",
            (number,),
        )
        if not noted.rowcount:
            return
        body = {"reconciliation": number, "error": type(error).__name__}
        audit.append(connection, "reconcile.failed", subject, actor, body)


def before(connection: Connection, subject: str, number: int) -> int:
    """Id of the subject's last complete reconciliation before this one, or 0.

    Args:
        connection: of the hub's database.
        subject: dataset or agreement.
        number: this reconciliation's id.
    """
    found = scalar(
        connection,
        int,
        "SELECT max(id) FROM ledger.reconciliation WHERE subject = %s AND id < %s"
        " AND since IS NULL AND outcome NOT IN ('running', 'failed')",
        (subject, number),
    )
    return found or 0


def newest(connection: Connection, subject: str) -> int:
    """Id of the subject's last complete reconciliation, or 0."""
    return before(connection, subject, _NO_END)


@dataclass(frozen=True, slots=True)
class _Judged:
    subject: str
    agreeing: int
    compared: int


def rates(connection: Connection) -> dict[str, float | None]:
    """By agreement, the rate of agreement when its inbox was last judged."""
    found = fetch_all(
        connection,
        _Judged,
        "SELECT DISTINCT ON (subject) subject, agreeing, agreeing + missing + differing + extra"
        " AS compared"
        " FROM ledger.reconciliation WHERE kind = 'agreement'"
        " AND outcome IN ('agreed', 'healed', 'open', 'held') ORDER BY subject, id DESC",
    )
    return {line.subject: rate(line.agreeing, line.compared) for line in found}
