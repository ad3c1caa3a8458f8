"""Collects one dataset whenever its source has changed."""

from __future__ import annotations

import logging
import time

from onecard.collect.look import Look
from onecard.collect.run import Collect
from onecard.errors import HoldError
from onecard.live.job import NEVER, LaneDesk, under
from onecard.live.pace import Backoff, Pace
from onecard.live.view import View
from onecard.store import database, notifications
from onecard.store.leases import Lease

log = logging.getLogger(__name__)


class CollectJob:
    """Collects a dataset whenever its source shows something that was not there before.

    What is compared was seen before a collect: what comes while it reads is news. A source that
    says where it ends is read on from there, a number of pages at once; what lies before, back to
    the watermark less the overlap, is read again with the first collect, and then once in
    `Pace.whole` as long as anything comes: only these move the watermark, so that a row that came
    late is found as if each collect read all of it.

    Rows that a collect rejects are read again now and then as long as they lie behind the
    watermark: a rule by the clock may let them pass by then, and the source does not change for
    that. A collect that is held is not tried again unless the source changes or somebody wakes it,
    and ever more rarely then.
    """

    def __init__(self, desk: LaneDesk, dataset: str, pace: Pace) -> None:
        self.dataset, self.name = dataset, f"collect {dataset}"
        self._desk = self._next = desk
        self._pace, self._hold = pace, Backoff(pace.of_holds)
        self._contract = desk.catalogue.contract(dataset)
        self._called, self._again = False, False
        self._forget()

    def adopt(self, desk: LaneDesk) -> None:
        """Another text of the contract is another source, from the next look on."""
        self._next = desk

    def due(self, *, woken: bool) -> bool:
        """Whether the source has changed since; where it cannot tell, whether it is time."""
        self._present()
        self._again, self._news = False, None
        if self._hold.failures:
            self._called = self._called or woken
            if self._hold.left():
                return False
            if self._called:
                return True
        waited = time.monotonic() - self._whole_at >= self._pace.whole
        if self._whole is None:
            return woken or waited
        return self._come(waited=waited) or self._late(woken=woken, waited=waited)

    def _come(self, *, waited: bool) -> bool:
        """Whether anything stands at the end of the source that did not before."""
        if self._end is None:
            return False
        if self._more:  # it was looked at right before the last collect
            self._news = self._end
            return True
        found = self._end.again()
        if not found.differs(self._end):
            return False
        if not (waited or self._held):
            self._news = found
        return True

    def _late(self, *, woken: bool, waited: bool) -> bool:
        """Whether all of it is to be read: something has come before the end, or it is time."""
        assert self._whole is not None  # noqa: S101 - asked by `due`
        if self._read_on:
            return waited
        if (self._end is None or woken or waited) and self._whole.again().differs(self._whole):
            return True
        if not waited:
            return False
        overlap = self._contract.source.overlap.span.total_seconds()
        now = time.monotonic()
        self._again = now - self._rejected_at < overlap
        self._whole_at = now
        return self._again

    def run(self, lease: Lease) -> bool:
        """Collect; returns whether rows were published."""
        collect = under(self._present(), lease).collect(self.dataset)
        if self._news is not None:
            return self._on(collect, self._news)
        look = collect.look()
        whole = None if look is None else View.of(look)
        end = None if whole is None else whole.end()
        published, rejected = self._collected(collect, None)
        self._whole = whole if whole is not None and whole.told else None
        self._end, self._read_on, self._held = end, False, published is None
        self._more = False
        if published is None:
            return False
        now = time.monotonic()
        first_rejected = self._rejected_at if self._again else now
        self._whole_at = now
        self._rejected_at = first_rejected if rejected else NEVER
        if look is not None and look.request.since is None and _bounded(collect.look()):
            self._forget()  # the first watermark: from now on there is a state
        return published > 0

    def _on(self, collect: Collect, seen: View) -> bool:
        """Collect from where the source ended before; returns whether rows were published."""
        end = seen.end()
        published, rejected = self._collected(collect, seen)
        if published is None:  # what is held may be read again, with all that lies before it
            look = collect.look()
            self._whole = None if look is None else View.of(look)
            self._end, self._read_on, self._held, self._more = end, False, True, False
            return False
        self._end, self._read_on, self._more = end, True, seen.state.more
        if rejected:
            self._rejected_at = time.monotonic()
        return published > 0

    def _collected(self, collect: Collect, seen: View | None) -> tuple[int | None, int]:
        """Rows that a collect has published, None where it is held, and rows that it rejected."""
        try:
            done = collect.run(place=None if seen is None else seen.look.place)
        except HoldError as error:
            log.warning("%s: %s", self.name, error)
            self._called, self._whole_at, self._rejected_at = False, time.monotonic(), NEVER
            self._hold.failed()
            return None, 0
        self._hold.over()
        return done.counts.published, done.counts.quarantined

    def resting(self) -> float:
        """Of the agency's system."""
        return self._present().left_alone(self._contract.source.connection)

    def pass_on(self) -> None:
        """By a notification of the hub's database, which may be lost: the lane looks by itself."""
        with database.connect(self._present().address, autocommit=True) as connection:
            notifications.tell_woken(connection, self.dataset)

    def _forget(self) -> None:
        """Nothing is known of the source."""
        self._whole: View | None = None  # all behind the watermark, before it was last read
        self._end: View | None = None  # from where the source ended, before the last collect
        self._news: View | None = None  # what `due` has just found there
        self._read_on = False  # something was collected since all of it was
        self._held = False  # the last collect is held
        self._more = False  # the last collect has not read to the end
        self._whole_at = self._rejected_at = NEVER

    def _present(self) -> LaneDesk:
        """The desk that was adopted last; what was seen of another source is forgotten."""
        desk = self._next
        if desk is not self._desk:
            contract = desk.catalogue.contract(self.dataset)
            if contract != self._contract:
                self._forget()
                self._hold.over()
            self._desk, self._contract = desk, contract
        return desk


def _bounded(look: Look | None) -> bool:
    """Whether there is a watermark."""
    return look is not None and look.request.since is not None
