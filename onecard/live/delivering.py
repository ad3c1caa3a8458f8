"""Delivers one agreement whenever a dataset that it reads was published."""

from __future__ import annotations

import logging
import time

from onecard.errors import HoldError
from onecard.live.job import NEVER, LaneDesk, under
from onecard.live.pace import Backoff, Pace
from onecard.operations.delivery import deliver
from onecard.store import database, releases, transfer_lookup, waiting_carriers
from onecard.store.leases import Lease

log = logging.getLogger(__name__)


class DeliverJob:
    """Delivers an agreement whenever a dataset that it reads was published.

    Where it has left out new carriers, as the old ones are not blocked everywhere yet, it looks
    again at each turn. A delivery that is held is tried again when a person has released it, when
    its text has changed, and, ever more rarely, when something was published since.
    """

    def __init__(self, desk: LaneDesk, agreement: str, pace: Pace) -> None:
        self.agreement, self.name = agreement, f"deliver {agreement}"
        self._desk = self._next = desk
        self._text = desk.catalogue.agreement(agreement)
        self._pace, self._hold = pace, Backoff(pace.of_holds)
        self._looked_at, self._well, self._called = NEVER, False, False
        self._waiting = False

    def adopt(self, desk: LaneDesk) -> None:
        """The text may be another: whether it may leave is asked before the next batch."""
        self._next = desk

    def due(self, *, woken: bool) -> bool:
        """Whether the consumer may have to get anything; now and then it is asked unwoken.

        After a failure the ledger is asked first: an agreement that is stopped leaves no trace.
        """
        self._present()
        if self._hold.failures:
            self._called = self._called or woken
            woken = self._released() or (self._called and not self._hold.left())
            if not woken:
                return False
        now = time.monotonic()
        if not woken and now - self._looked_at < self._interval:
            return False
        self._looked_at = now
        if woken and self._well:
            return True
        found = self._desk.deliver(self.agreement).due()
        self._well = True
        if not found:
            self._hold.over()  # what was too much is not there any more
            self._waiting = self._left_out()
        return found

    def run(self, lease: Lease) -> bool:
        """Deliver; more follows only when it is woken again."""
        desk = self._present()
        self._well = False
        try:
            self._waiting = deliver(under(desk, lease), self.agreement).waiting > 0
        except HoldError as error:
            log.warning("%s: %s", self.name, error)
            self._hold.failed()
            self._called = False
            return False
        self._hold.over()
        self._well = True
        return False

    def resting(self) -> float:
        """Of the consumer's system."""
        desk = self._present()
        block = self._text.delivery
        return desk.left_alone(block.connection) if block else 0.0

    def pass_on(self) -> None:
        """Nothing: every process hears what is published."""

    @property
    def _interval(self) -> float:
        """Seconds between two looks that nobody asks for; new carriers do not wait for long."""
        return self._pace.look if self._waiting else self._pace.whole

    def _left_out(self) -> bool:
        """Whether new carriers wait, also where another process has left them out."""
        with database.connect(self._desk.address, autocommit=True) as connection:
            return waiting_carriers.any_of(connection, self.agreement)

    def _released(self) -> bool:
        """Whether a person has released the delivery that is held; the next one passes then."""
        with database.connect(self._desk.address, autocommit=True) as connection:
            following = transfer_lookup.newest(connection) + 1
            return releases.delivery_before(connection, self.agreement, following)

    def _present(self) -> LaneDesk:
        """The desk that was adopted last."""
        desk = self._next
        if desk is not self._desk:
            text = desk.catalogue.agreement(self.agreement)
            if text != self._text:
                self._hold.over()
            self._looked_at, self._well = NEVER, False
            self._desk, self._text = desk, text
        return desk
