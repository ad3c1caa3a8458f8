"""Reconciliations in the ledger: one line each, and an entry of the audit log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Literal

from onecard.errors import HoldError
from onecard.model.signoffs import SignOff
from onecard.store import audit, holds
from onecard.store.database import Connection

Outcome = Literal["agreed", "healed", "open", "held", "unjudged"]
SHOWN = 20
"""References of so many keys of each kind are kept."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How one reconciliation ended; numbers are rows.

    Attributes:
        subject: dataset or agreement.
        method: `sql` (checksums inside the source's database) or `stream`.
        rows_hub: rows compared that the hub holds; `rows_other` those of the other side.
        missing: the other side has them, the hub neither published nor quarantined them (of an
            inbox: the hub says they were delivered, the inbox has them not).
        extra: the hub holds them, the source has them not (of an inbox: the reverse).
        waiting: newer than the watermark: the next collect takes them.
        quarantined: the source's rows looked at that stand in quarantine.
        tombstoned: published as deleted; `held` those that a person must decide.
        agreeing: of an inbox: rows that are what they should be.
        lapsed: of an inbox: rows that the consumer was to erase; not looked at.
        refs: the first keys of each kind, as keyed references.
    """

    id: int
    subject: str
    method: Literal["sql", "stream"]
    buckets: int = 0
    rows_hub: int = 0
    rows_other: int = 0
    missing: int = 0
    extra: int = 0
    differing: int = 0
    waiting: int = 0
    quarantined: int = 0
    healed: int = 0
    tombstoned: int = 0
    held: int = 0
    agreeing: int = 0
    lapsed: int = 0
    outcome: Outcome = "agreed"
    refs: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def rate(self) -> float | None:
        """Of an inbox, 状态一致率: agreeing rows of all rows on either side; None of no rows."""
        return _rate(self.agreeing, self.agreeing + self.missing + self.differing + self.extra)

    def check(self) -> None:
        """Raise when a person must decide.

        Raises:
            HoldError: more rows are absent than may be published as deleted, or delivered again,
                at once.
        """
        if self.held and "/" not in self.subject:
            msg = (
                f"{self.subject}: {self.held} rows would be delivered again, far more than usual;"
                " nothing was. Look at the inbox; then `onecard release` the held transfer"
                f" (`onecard status`) and `onecard reconcile {self.subject}`"
            )
            raise HoldError(msg)
        if self.held:
            msg = (
                f"{self.subject}: {self.held} of {self.rows_hub} published rows are absent from the"
                f" source, which has {self.rows_other}; none was deleted. Look at the source; then"
                f" `onecard reconcile {self.subject} --release {holds.OPTIONS}`"
            )
            raise HoldError(msg)


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
    return {str(subject): _rate(int(str(part)), int(str(of))) for subject, part, of in rows}


def _rate(part: int, of: int) -> float | None:
    return part / of if of else None
