"""Who has confirmed what happened to a card, as the ledger says it, and when."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from demo.lane import LaneProcess
from onecard.app.wiring import Hub
from onecard.model.transfers import Transfer
from onecard.store import database, transfer_history
from schemas.models.agreement import Agreement

WITHIN_S = 120.0
"""Who has not confirmed by then is told of as missing."""
LOOK_S, ASK_S = 0.05, 0.5
"""Between two looks at the ledger; between two questions whether anything is due."""
PUBLISHED = "the loss is in the registry"
_PUBLISHED = "SELECT _transfer_id FROM registry.hrss__card_status_event WHERE effective_at = %s"


@dataclass(slots=True)
class Confirmations:
    """Follows one event of a card through the ledger, from its collect to each confirmation.

    Attributes:
        hub: whose ledger.
        agreements: under which consumers may have to be told.
        before: the newest transfer before the event.
        at: when the event was; no other has this time.
        ended: is told of each step.
        published: when the registry had it.
        confirmed: when which consumer confirmed.
        idle: under which agreements nothing is to be told.
    """

    hub: Hub
    agreements: Sequence[Agreement]
    before: int
    at: datetime
    ended: Callable[[str], None]
    published: datetime | None = None
    confirmed: dict[str, datetime] = field(default_factory=dict)
    idle: set[str] = field(default_factory=set)

    @property
    def over(self) -> bool:
        """Whether each consumer has confirmed, or has nothing to get."""
        return len(self.confirmed) + len(self.idle) == len(self.agreements)

    def follow(self, process: LaneProcess) -> None:
        """Wait until everybody has confirmed, or the time is over.

        Args:
            process: the lane.

        Raises:
            FatalError: it has ended by itself.
        """
        end = time.monotonic() + WITHIN_S
        ask_at = time.monotonic() + ASK_S
        while not self.over and time.monotonic() < end:
            process.require_running()
            time.sleep(LOOK_S)
            self.look()
            if time.monotonic() >= ask_at and not self.over:
                self.ask()
                ask_at = time.monotonic() + ASK_S

    def look(self) -> None:
        """What the ledger has by now."""
        with database.connect(self.hub.address, autocommit=True) as connection:
            if self.published is None:
                transfer = database.scalar(connection, int, _PUBLISHED, (self.at,))
                ran = transfer_history.ran(connection, transfer) if transfer else None
                if ran is None or ran.finished is None:
                    return
                self.published = ran.finished
                self.ended(PUBLISHED)
            for line in transfer_history.since(connection, self.before):
                self._note(line)

    def ask(self) -> None:
        """Whom the loss does not concern: nothing is due there, and nothing has left."""
        if self.published is None:
            return
        known = {*self.confirmed, *self.idle}
        waiting = [a.id for a in self.agreements if a.id not in known]
        quiet = [name for name in waiting if not self.hub.deliver(name).due()]
        self.look()  # what was confirmed before it was asked is in the ledger by now
        for name in quiet:
            if name not in self.confirmed:
                self.idle.add(name)
                self.ended(f"{name}: not concerned")

    def _note(self, transfer: Transfer) -> None:
        """A delivery that was confirmed after the loss was published."""
        name, at = transfer.subject, transfer.finished_at
        known = {a.id for a in self.agreements}
        confirmed = transfer.direction == "deliver" and transfer.status == "confirmed"
        if not confirmed or not transfer.sent_rows or name not in known or at is None:
            return
        if self.published and at >= self.published and name not in self.confirmed:
            self.confirmed[name] = at
            self.ended(name)
