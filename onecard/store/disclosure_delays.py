"""Lawful delays: cases of which residents are told only from a day on (PIPL articles 18, 35)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from onecard.errors import PolicyError
from onecard.store import audit
from onecard.store.database import Connection


@dataclass(frozen=True, slots=True)
class Delay:
    """One delay.

    Attributes:
        agreement: under which the case asks.
        case_no: of the consumer.
        until: residents are told from this day on.
        basis: statute and article.
    """

    agreement: str
    case_no: str
    until: date
    basis: str


def put(connection: Connection, delay: Delay, actor: str, today: date) -> None:
    """Put a delay on record; of several of one case the latest day counts.

    Args:
        connection: of the hub's database; a transaction is made.
        delay: of which case, until when, on which basis.
        actor: who decides.
        today: the hub's day.

    Raises:
        PolicyError: it has ended already, or has no basis.
    """
    if delay.until <= today or not delay.basis.strip():
        msg = f"{delay.agreement}: a delay ends on a later day and names statute and article"
        raise PolicyError(msg)
    with connection.transaction():
        connection.execute(
            "INSERT INTO ledger.disclosure_delay (agreement, case_no, until, basis, actor)"
            " VALUES (%s, %s, %s, %s, %s)",
            (delay.agreement, delay.case_no, delay.until, delay.basis, actor),
        )
        body = {"case": delay.case_no, "until": delay.until.isoformat(), "basis": delay.basis}
        audit.append(connection, "disclosures.delayed", delay.agreement, actor, body)
