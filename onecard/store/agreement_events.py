"""Events of agreements' lives: the append-only table, and what stands in the audit log beside it.

Each event keeps the whole text that it is about, so that any two that were approved can be compared
for good. `onecard.store.agreement_lives` says what the events come to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onecard.model.agreements import AgreementEvent, LifeEvent
from onecard.store import audit
from onecard.store.database import Connection, fetch_all
from schemas.models.agreement import Agreement


@dataclass(frozen=True, slots=True)
class Act:
    """Who acted, and by which document or for which reason."""

    actor: str
    document: str


def record(connection: Connection, agreement: Agreement, event: LifeEvent, act: Act) -> None:
    """Write down what happened to an agreement, and the text that it happened to.

    Args:
        connection: of the hub's database; a transaction is made.
        agreement: as it stands in its file.
        event: what happened.
        act: by whom, and why.
    """
    with connection.transaction():
        connection.execute(
            "INSERT INTO ledger.agreement_event"
            " (agreement, version, fingerprint, event, actor, document, content)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (
                agreement.id,
                agreement.version,
                agreement.fingerprint,
                event,
                act.actor,
                act.document,
                agreement.canonical_text,
            ),
        )
        body = {
            "version": agreement.version,
            "fingerprint": agreement.fingerprint,
            "document": act.document,
        }
        audit.append(connection, f"agreement.{event}", agreement.id, act.actor, body)


def newest_first(connection: Connection, agreement: str) -> list[AgreementEvent]:
    """The agreement's events, newest first."""
    return fetch_all(
        connection,
        AgreementEvent,
        "SELECT id, event, version, fingerprint, actor, document, content, at"
        " FROM ledger.agreement_event WHERE agreement = %s ORDER BY id DESC",
        (agreement,),
    )


@dataclass(frozen=True, slots=True)
class _Text:
    agreement: str
    content: Mapping[str, Any]


def ever_of(connection: Connection, consumer: str) -> dict[str, Mapping[str, Any]]:
    """All agreements that were ever approved for a consumer: the newest text of each, by id.

    Those whose file is gone or broken are among them.
    """
    found = fetch_all(
        connection,
        _Text,
        "SELECT DISTINCT ON (agreement) agreement, content FROM ledger.agreement_event"
        " WHERE content->>'consumer' = %s AND event IN ('approved', 'suspended')"
        " ORDER BY agreement, id DESC",
        (consumer,),
    )
    return {line.agreement: line.content for line in found}
