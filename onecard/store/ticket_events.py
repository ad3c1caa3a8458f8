"""One step of a ticket: its event, its audit entry, and what people in charge hear of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from onecard.model.tickets import Event
from onecard.store import audit, ticket_notices
from onecard.store.database import Connection, one_scalar


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one ticket, for the audit log."""

    ticket: int
    event: str
    dataset: str
    actor: str

    def audit(self, connection: Connection, facts: Mapping[str, object]) -> None:
        """Write the entry; `facts` hold no free text."""
        kind, body = f"ticket.{self.event}", {"ticket": self.ticket, **facts}
        audit.append(connection, kind, self.dataset, self.actor, body)


def note(connection: Connection, ticket: int, happened: Event) -> None:
    """Write an event, and the notice for the people in charge where its kind has one.

    Args:
        connection: in the transaction of the step.
        ticket: its id.
        happened: the event.
    """
    event = one_scalar(
        connection,
        int,
        "INSERT INTO ledger.ticket_event (ticket, at, event, actor, text, transfer, detail)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (
            ticket,
            happened.at,
            happened.event,
            happened.actor,
            happened.text,
            happened.transfer,
            json.dumps(dict(happened.detail)),
        ),
    )
    kind = ticket_notices.OF_EVENTS.get(happened.event)
    if kind is not None:
        ticket_notices.queue(connection, ticket, kind, happened.at, event)
