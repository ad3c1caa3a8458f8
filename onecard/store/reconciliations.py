"""Reconciliations in the ledger: one line each, and an entry of the audit log."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime

from onecard.model.reconciliations import Reconciled, rate
from onecard.model.signoffs import SignOff
from onecard.store import audit
from onecard.store.database import Connection

SHOWN = 20
"""References of so many keys of each kind are kept."""


def start(
    connection: Connection, kind: str, subject: str, at: datetime, since: datetime | None
) -> int:
    """Write the first line; returns the reconciliation's id.

    The subject is locked: an earlier run of it that is still `running` was cut off.
    """
    connection.execute(
        "UPDATE ledger.reconciliation SET outcome = 'failed', finished_at = clock_timestamp()"
        " WHERE subject = %s AND outcome = 'running'",
        (subject,),
    )
    row = connection.execute(
        "INSERT INTO ledger.reconciliation (kind, subject, hub_time, since) VALUES (%s, %s, %s, %s)"
        " RETURNING id",
        (kind, subject, at, since),
    ).fetchone()
    return int(str(row[0])) if row else 0


def finish(
    connection: Connection, done: Reconciled, actor: str, vouched: SignOff | None = None
) -> None:
    """Write how it ended, and the audit entry, in one transaction."""
    values = asdict(done)
    number, subject = values.pop("id"), values.pop("subject")
    values["refs"] = json.dumps(values["refs"])
    assignments = ", ".join(f"{name} = %s" for name in values)
    statement = f"UPDATE ledger.reconciliation SET {assignments}"  # noqa: S608 - our own names
    statement += ", finished_at = clock_timestamp() WHERE id = %s"
    body = {n: v for n, v in values.items() if n != "refs"} | {"reconciliation": number}
    if vouched:
        body |= {"released_by": vouched.by, "reason": vouched.reason}
    with connection.transaction():
        connection.execute(statement.encode(), [*values.values(), number])
        audit.append(connection, f"reconcile.{done.outcome}", subject, actor, body)


def failed(connection: Connection, number: int, subject: str, error: Exception, actor: str) -> None:
    """Note that it did not come to an end."""
    with connection.transaction():
        connection.execute(
            "UPDATE ledger.reconciliation SET outcome = 'failed', finished_at = clock_timestamp()"
            " WHERE id = %s",
            (number,),
        )
        body = {"reconciliation": number, "error": type(error).__name__}
        audit.append(connection, "reconcile.failed", subject, actor, body)


def before(connection: Connection, subject: str, number: int) -> int:
    """Id of the subject's last complete reconciliation before this one, or 0."""
    row = connection.execute(
        "SELECT max(id) FROM ledger.reconciliation WHERE subject = %s AND id < %s"
        " AND since IS NULL AND outcome NOT IN ('running', 'failed')",
        (subject, number),
    ).fetchone()
    return int(str(row[0])) if row and row[0] is not None else 0


def rates(connection: Connection) -> dict[str, float | None]:
    """By agreement, the rate of agreement when its inbox was last judged."""
    rows = connection.execute(
        "SELECT DISTINCT ON (subject) subject, agreeing, agreeing + missing + differing + extra"
        " FROM ledger.reconciliation WHERE kind = 'agreement'"
        " AND outcome IN ('agreed', 'healed', 'open', 'held') ORDER BY subject, id DESC"
    ).fetchall()
    return {str(subject): rate(int(str(part)), int(str(of))) for subject, part, of in rows}
