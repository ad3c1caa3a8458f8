"""News of tickets for the people in charge: each notice once to each receiver, whatever fails.

A notice waits in the database (`onecard.store.ticket_notices`) until everybody was told, or until
it is no news any more. Senders at the same time take different notices. A receiver who was told and
of whom that could not be noted any more, because the process died in between, gets the message
again under the same mark.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from onecard.base import workdays
from onecard.base.times import ZONE
from onecard.errors import ConfigError, as_onecard_error, unknown
from onecard.model.tickets import WAITING, Status
from onecard.operations.alarm_channels import SENDERS, ReceiverRefused
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
from onecard.store import database, ticket_notices
from onecard.store.database import Connection
from onecard.store.ticket_notices import Notice, NoticeKind

DAYS_BEFORE = 2
"""Working days before a deadline on which it is told of."""
STALE = timedelta(days=30)
"""A notice that could not be sent for so long is news no more."""
log = logging.getLogger(__name__)
FAILURES = 3
"""So many messages in a row that fail, and a connection is tried no more in this round."""
_WHILE: Mapping[NoticeKind, tuple[Status, ...]] = {
    "opened": WAITING,
    "handed_over": WAITING,
    "reopened": WAITING,
    "due_soon": WAITING,
    "overdue": WAITING,
    "answered": ("answered", "closed"),
    "closed": ("closed",),
}
"""In which states of its ticket a notice is still news."""
_Went = Literal["sent", "failed", "left"]
"""How telling one receiver went; `left`: it was not tried."""
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


def tell(
    desk: Desk, senders: Mapping[str, Sender] | None = None, *, reminding: bool = True
) -> list[Told]:
    """Send what waits, reminders among it; nothing where ONECARD_ALARMS has no `tickets`.

    Args:
        desk: the hub.
        senders: default: mail and webhook.
        reminding: whether deadlines are looked at, which a day changes and no step of a ticket.

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
    with database.connect(desk.address, autocommit=True) as connection:
        if reminding:
            remind(connection, desk.settings.now())
        return _Telling(desk, wanted.tickets, senders or SENDERS).all(connection)


def try_telling(desk: Callable[[], Desk], *, reminding: bool = True) -> None:
    """As `tell`, behind work that is done: what goes wrong is logged, and waits for the next time.

    Args:
        desk: makes the hub.
        reminding: as there.
    """
    try:
        for told in tell(desk(), reminding=reminding):
            if told.problem:
                log.warning("news of tickets wait: %s: %s", told.channel, told.problem)
    except Exception as caught:  # noqa: BLE001 - the work is done, whatever becomes of its news
        error = as_onecard_error(caught)
        log.warning("news of tickets wait: %s: %s", type(error).__name__, error)


class _Telling:
    """One round over all that waits."""

    def __init__(self, desk: Desk, wanted: TicketChannels, senders: Mapping[str, Sender]) -> None:
        self._desk, self._wanted, self._senders = desk, wanted, senders
        self._sent: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._refused: set[str] = set()
        self._problems: defaultdict[str, list[str]] = defaultdict(list)

    def all(self, connection: Connection) -> list[Told]:
        """Send; by connection how it went."""
        for number in ticket_notices.waiting(connection):
            with ticket_notices.held(connection, number) as notice:
                if notice is not None:
                    self._tell(connection, notice)
        return [
            Told(f"tickets:{n}", self._sent[n], 0, "; ".join(self._problems.get(n, ())))
            for n in sorted({*self._sent, *self._problems})
        ]

    def _tell(self, connection: Connection, notice: Notice) -> None:
        """Tell whoever was not told yet, and note each at once."""
        if not is_news(notice, self._desk.settings.now()):
            ticket_notices.end(connection, notice.id, self._desk.settings.now())
            return
        known, went = ticket_notices.receivers(connection, notice.id), set[_Went]()
        for receiver in receivers(notice, self._wanted):
            if receiver.name in known:
                continue
            how = self._send(notice, receiver)
            if how == "sent":
                now = self._desk.settings.now()
                ticket_notices.note_receiver(connection, notice.id, receiver.name, now)
            went.add(how)
        if "failed" in went:
            ticket_notices.put_off(connection, notice.id)
        elif "left" not in went:
            ticket_notices.end(connection, notice.id, self._desk.settings.now())

    def _send(self, notice: Notice, receiver: Receiver) -> _Went:
        """A connection that fails again and again is left for this round, as is who is refused."""
        name = receiver.channel.connection
        if self._failed[name] >= FAILURES or receiver.name in self._refused:
            return "left"
        try:
            connection = self._desk.connections.get(name)
            message = self._message(notice, receiver)
            self._senders[receiver.channel.kind](connection, receiver.channel, message)
        except ReceiverRefused as caught:
            self._refused.add(receiver.name)
            self._note_problem(name, f"{receiver.name}: {type(caught).__name__}: {caught}")
            return "failed"
        except Exception as caught:  # noqa: BLE001 - Airflow's too, of a connection that it has not
            self._failed[name] += 1
            error = as_onecard_error(caught)
            self._note_problem(name, f"{type(error).__name__}: {error}")
            return "failed"
        self._sent[name] += 1
        self._failed[name] = 0
        return "sent"

    def _note_problem(self, name: str, problem: str) -> None:
        if problem not in self._problems[name]:
            self._problems[name].append(problem)

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
    ticket_notices.queue_deadlines(connection, today, last_soon(today), now)


def last_soon(today: date) -> date:
    """The last deadline that comes soon, seen from a day."""
    return workdays.after(today, DAYS_BEFORE + 1).day - timedelta(days=1)


def is_news(notice: Notice, now: datetime) -> bool:
    """Whether what a notice says is still so: nobody is asked for what is done or over.

    Args:
        notice: with its ticket as it stands.
        now: the hub's time.
    """
    if now - notice.made_at > STALE or notice.status not in _WHILE[notice.kind]:
        return False
    if notice.kind == "due_soon" and now.astimezone(ZONE).date() > notice.due_on:
        return False
    return notice.kind not in ("due_soon", "overdue") or notice.due_on == notice.due_now


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
