"""News of tickets for the people in charge: each notice once to each receiver, whatever fails.

A notice waits in the database (`onecard.store.ticket_notices`) until everybody was told. Senders at
the same time take different notices. A receiver who was told and of whom that could not be noted
any more, because the process died in between, gets the message again under the same mark.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from onecard.base import workdays
from onecard.base.times import ZONE
from onecard.errors import ConfigError, as_onecard_error, unknown
from onecard.operations.alarm_channels import SENDERS
from onecard.operations.alarm_file import (
    AgencyChannels,
    Email,
    TicketChannels,
    Webhook,
    configured,
)
from onecard.operations.alarms import Sender, Told
from onecard.operations.ticket_message import TicketMessage
from onecard.ports.desk import Desk
from onecard.store import database, ticket_notices, tickets
from onecard.store.database import Connection
from onecard.store.ticket_notices import Notice

DAYS_BEFORE = 2
"""Working days before a deadline on which it is told of."""
STALE = timedelta(days=30)
"""A notice that could not be sent for so long is news no more."""
FAILURES = 3
"""So many messages in a row that fail, and a connection is tried no more in this round."""
_NOBODY = AgencyChannels()


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody who is told of a notice.

    Attributes:
        name: by which it is remembered that they were told.
        agency: whose page the message names.
    """

    name: str
    agency: str
    channel: Email | Webhook


def tell(desk: Desk, senders: Mapping[str, Sender] | None = None) -> list[Told]:
    """Send what waits, reminders among it; nothing where ONECARD_ALARMS has no `tickets`.

    Args:
        desk: the hub.
        senders: default: mail and webhook.

    Returns:
        By connection, how many messages were sent, and what is wrong with it.

    Raises:
        ConfigError: the settings name an agency that is not there.
    """
    wanted = configured()
    if wanted is None or wanted.tickets is None:
        return []
    for agency in wanted.tickets.agencies:
        if agency not in desk.catalogue.agencies:
            msg = "alarms: tickets.agencies: " + unknown("agency", agency, desk.catalogue.agencies)
            raise ConfigError(msg)
    return _Telling(desk, wanted.tickets, senders or SENDERS).all()


class _Telling:
    """One round over all that waits."""

    def __init__(self, desk: Desk, wanted: TicketChannels, senders: Mapping[str, Sender]) -> None:
        self._desk, self._wanted, self._senders = desk, wanted, senders
        self._sent: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._problems: dict[str, str] = {}
        self._seen: list[int] = []

    def all(self) -> list[Told]:
        """Remind, then send; by connection how it went."""
        with database.connect(self._desk.address, autocommit=True) as connection:
            remind(connection, self._desk.settings.now())
            while self._next(connection):
                pass
        names = sorted({*self._sent, *self._problems})
        return [Told(f"tickets:{n}", self._sent[n], 0, self._problems.get(n, "")) for n in names]

    def _next(self, connection: Connection) -> bool:
        """Send the next notice that nobody else is sending; False: there is none."""
        with connection.transaction():
            notice = ticket_notices.following(connection, self._seen)
            if notice is None:
                return False
            self._seen.append(notice.id)
            now = self._desk.settings.now()
            known = ticket_notices.receivers(connection, notice.id)
            waiting = [r for r in receivers(notice, self._wanted) if r.name not in known]
            if now - notice.made_at > STALE:
                waiting = []
            reached = {r.name for r in waiting if self._send(notice, r)}
            ticket_notices.note_receivers(connection, notice.id, reached, now)
            if len(reached) == len(waiting):
                ticket_notices.end(connection, notice.id, now)
            else:
                ticket_notices.put_off(connection, notice.id)
        return True

    def _send(self, notice: Notice, receiver: Receiver) -> bool:
        """Whether it was sent; a connection that fails again and again is left for this round."""
        name = receiver.channel.connection
        if self._failed[name] >= FAILURES:
            return False
        try:
            connection = self._desk.connections.get(name)
            message = self._message(notice, receiver)
            self._senders[receiver.channel.kind](connection, receiver.channel, message)
        except Exception as caught:  # noqa: BLE001 - Airflow's too, of a connection that it has not
            error = as_onecard_error(caught)
            self._problems[name] = f"{type(error).__name__}: {error}"
            self._failed[name] += 1
            return False
        self._sent[name] += 1
        self._failed[name] = 0
        return True

    def _message(self, notice: Notice, receiver: Receiver) -> TicketMessage:
        contract = self._desk.catalogue.contracts.get(notice.dataset)
        base = self._wanted.portal.rstrip("/")
        page = f"{base}/{receiver.agency}/tickets/{notice.ticket}" if base else ""
        whose = hashlib.sha256(receiver.name.encode()).hexdigest()[:12]
        return TicketMessage(
            at=notice.made_at,
            mark=f"onecard-ticket-{notice.ticket}-{notice.id}-{whose}",
            kind=notice.kind,
            ticket=notice.ticket,
            dataset=notice.dataset,
            title_of_dataset=contract.title if contract else notice.dataset,
            due_on=notice.due_on,
            agency=receiver.agency,
            page=page,
        )


def remind(connection: Connection, now: datetime) -> None:
    """Write notices of deadlines that come soon or are over, once of each.

    Args:
        connection: of the hub's database.
        now: the hub's time.
    """
    today = now.astimezone(ZONE).date()
    waiting = [t for s in ("open", "acknowledged") for t in tickets.listed(connection, None, s)]
    for ticket in waiting:
        if ticket.overdue(today):
            ticket_notices.queue(connection, ticket.id, "overdue", now)
        elif workdays.between(today, ticket.due_on) <= DAYS_BEFORE:
            ticket_notices.queue(connection, ticket.id, "due_soon", now)


def receivers(notice: Notice, wanted: TicketChannels) -> Sequence[Receiver]:
    """Who is told of a notice: whoever works on the ticket, else the agency's addresses.

    Of an answer those who have raised it are told as well, and of what is overdue the agency beside
    its owner. A webhook of an agency hears all of it.

    Args:
        notice: which.
        wanted: addresses and webhooks.
    """
    found = [*_side(notice.agency, notice.owner, wanted)]
    if notice.kind == "answered":
        found += _side(notice.opened_for, notice.opened_by, wanted)
    if notice.kind == "overdue":
        found += _side(notice.agency, "", wanted)
    return list({r.name: r for r in found}.values())


def _side(agency: str, person: str, wanted: TicketChannels) -> Iterator[Receiver]:
    channels = wanted.agencies.get(agency, _NOBODY)
    own = wanted.people.get(person)
    if wanted.mail is not None:
        for address in (own,) if own else channels.to:
            mail = Email(
                kind="email",
                connection=wanted.mail.connection,
                from_=wanted.mail.from_,
                to=(address,),
            )
            yield Receiver(f"mail:{address}", agency, mail)
    if channels.webhook is not None:
        yield Receiver(f"webhook:{agency}", agency, channels.webhook)
