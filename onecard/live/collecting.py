"""Collects one dataset whenever its source has changed."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from onecard.collect.look import Look
from onecard.errors import HoldError
from onecard.live.job import NEVER, LaneDesk, under
from onecard.live.pace import Backoff, Pace
from onecard.ports.news import UNTOLD
from onecard.store import database, notifications
from onecard.store.leases import Lease

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A source as it was before the last collect of it.

    Attributes:
        state: what the look said; the same says later that nothing has changed.
        read_at: when that collect ended.
        rejected_at: when it, or the first of those that read the same, rejected rows.
    """

    look: Look | None = None
    state: str = UNTOLD
    read_at: float = NEVER
    rejected_at: float = NEVER

    @property
    def comparable(self) -> bool:
        """Whether a look tells if anything has changed."""
        return self.look is not None and self.state != UNTOLD


class CollectJob:
    """Collects a dataset whenever its source shows something that was not there before.

    The state that is compared is taken before a collect: what comes while it reads is news. Rows
    that a collect rejects are read again now and then as long as they lie behind the watermark: a
    rule by the clock may let them pass by then, and the source does not change for that. A collect
    that is held is not tried again unless the source changes or somebody wakes it, and ever more
    rarely then.
    """

    def __init__(self, desk: LaneDesk, dataset: str, pace: Pace) -> None:
        self.dataset, self.name = dataset, f"collect {dataset}"
        self._desk = self._next = desk
        self._pace, self._hold = pace, Backoff(pace.of_holds)
        self._contract = desk.catalogue.contract(dataset)
        self._seen, self._called, self._again = _Seen(), False, False

    def adopt(self, desk: LaneDesk) -> None:
        """Another text of the contract is another source, from the next look on."""
        self._next = desk

    def due(self, *, woken: bool) -> bool:
        """Whether the source has changed since; where it cannot tell, whether it is time."""
        self._present()
        self._again = False
        if self._hold.failures:
            self._called = self._called or woken
            if self._hold.left():
                return False
            if self._called:
                return True
        seen, waited = self._seen, time.monotonic() - self._seen.read_at >= self._pace.whole
        if seen.look is None or not seen.comparable:
            return woken or waited
        if seen.look.state(whole=woken) != seen.state:
            return True
        overlap = self._contract.source.overlap.span.total_seconds()
        self._again = waited and time.monotonic() - seen.rejected_at < overlap
        return self._again

    def run(self, lease: Lease) -> bool:
        """Collect; returns whether rows were published."""
        collect = under(self._present(), lease).collect(self.dataset)
        look = collect.look()
        state = UNTOLD if look is None else look.state()
        try:
            done = collect.run()
        except HoldError as error:
            log.warning("%s: %s", self.name, error)
            self._seen, self._called = _Seen(look, state, time.monotonic()), False
            self._hold.failed()
            return False
        self._hold.over()
        now = time.monotonic()
        rejected_at = self._seen.rejected_at if self._again else now
        seen = _Seen(look, state, now, rejected_at if done.counts.quarantined else NEVER)
        if look is not None and look.request.since is None:
            following = collect.look()
            if following is not None and following.request.since is not None:
                seen = _Seen()  # the first watermark: from now on there is a state
        self._seen = seen
        return done.counts.published > 0

    def resting(self) -> float:
        """Of the agency's system."""
        return self._present().left_alone(self._contract.source.connection)

    def pass_on(self) -> None:
        """By a notification of the hub's database, which may be lost: the lane looks by itself."""
        with database.connect(self._present().address, autocommit=True) as connection:
            notifications.tell_woken(connection, self.dataset)

    def _present(self) -> LaneDesk:
        """The desk that was adopted last; what was seen of another source is forgotten."""
        desk = self._next
        if desk is not self._desk:
            contract = desk.catalogue.contract(self.dataset)
            if contract != self._contract:
                self._seen = _Seen()
                self._hold.over()
            self._desk, self._contract = desk, contract
        return desk
