"""Collects one dataset whenever its source has changed."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from onecard.collect.look import Look
from onecard.collect.publish import Collected
from onecard.collect.run import Collect
from onecard.errors import HoldError, RetriableError
from onecard.live.job import NEVER, LaneDesk, under
from onecard.live.pace import Backoff, Pace
from onecard.live.view import View
from onecard.store import database, notifications
from onecard.store.leases import Lease

log = logging.getLogger(__name__)

TRIES = 3
"""So often in a row a source may fail for the time being before it is not read on from its end."""


@dataclass(slots=True)
class _Seen:
    """What is known of a source between two collects.

    Attributes:
        whole: all behind the watermark, as it was before it was last read; None: it cannot tell.
        end: from where the source ended, before the last collect; None: it does not say where.
        news: what was just found there, and is to be read.
        read_on: something was collected since all of it was.
        more: more has come behind the end than one look has seen.
        held: the last collect is held.
        whole_at: when all behind the watermark was last read, or looked at in vain.
        rejected_at: when the last collect, or the first of those that read the same, rejected rows.
    """

    whole: View | None = None
    end: View | None = None
    news: View | None = None
    read_on: bool = False
    more: bool = False
    held: bool = False
    whole_at: float = NEVER
    rejected_at: float = NEVER


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

    Where a source refuses to be read on from its end, or fails again and again there, all behind
    the watermark is read next: the cursor of a page may be known to it no more.
    """

    def __init__(self, desk: LaneDesk, dataset: str, pace: Pace) -> None:
        self.dataset, self.name = dataset, f"collect {dataset}"
        self._desk = self._next = desk
        self._pace, self._hold = pace, Backoff(pace.of_holds)
        self._contract = desk.catalogue.contract(dataset)
        self._called, self._again = False, False
        self._seen, self._failures = _Seen(), 0

    def adopt(self, desk: LaneDesk) -> None:
        """Another text of the contract is another source, from the next look on."""
        self._next = desk

    def due(self, *, woken: bool) -> bool:
        """Whether the source has changed since; where it cannot tell, whether it is time."""
        with self._forgetting():
            found = self._due(woken=woken)
        if not found:
            self._failures = 0
        return found

    def _due(self, *, woken: bool) -> bool:
        self._present()
        self._again, self._seen.news = False, None
        if self._hold.failures:
            self._called = self._called or woken
            if self._hold.left():
                return False
            if self._called:
                return True
        waited = time.monotonic() - self._seen.whole_at >= self._pace.whole
        if self._seen.whole is None:
            return woken or waited
        return self._come(waited=waited) or self._late(woken=woken, waited=waited)

    def _come(self, *, waited: bool) -> bool:
        """Whether anything stands at the end of the source that did not before."""
        if self._seen.end is None:
            return False
        if self._seen.more:  # it was looked at right before the last collect
            self._seen.news = self._seen.end
            return True
        found = self._seen.end.again()
        if not found.differs(self._seen.end):
            return False
        if not (waited or self._seen.held):
            self._seen.news = found
        return True

    def _late(self, *, woken: bool, waited: bool) -> bool:
        """Whether all of it is to be read: something has come before the end, or it is time."""
        assert self._seen.whole is not None  # noqa: S101 - asked by `due`
        if self._seen.read_on:
            return waited
        asked = self._seen.end is None or woken or waited
        if asked and self._seen.whole.again().differs(self._seen.whole):
            return True
        if not waited:
            return False
        overlap = self._contract.source.overlap.span.total_seconds()
        now = time.monotonic()
        self._again = now - self._seen.rejected_at < overlap
        self._seen.whole_at = now
        return self._again

    def run(self, lease: Lease) -> bool:
        """Collect; returns whether rows were published."""
        with self._forgetting():
            found = self._run(lease)
        self._failures = 0
        return found

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        """What fails for good, or again and again, leaves nothing that was seen of the source."""
        try:
            yield
        except Exception as error:
            self._failures += 1
            if self._failures >= TRIES or not isinstance(error, RetriableError):
                self._seen = _Seen()
            raise

    def _run(self, lease: Lease) -> bool:
        collect = under(self._present(), lease).collect(self.dataset)
        if self._seen.news is not None:
            return self._on(collect, self._seen.news)
        look = collect.look()
        whole = None if look is None else View.of(look)
        end = None if whole is None else whole.end()
        told = whole if whole is not None and whole.says_anything else None
        done = self._collected(collect, None)
        now = time.monotonic()
        if done is None:
            self._seen = _Seen(told, end, held=True, whole_at=now)
            return False
        since = self._seen.rejected_at if self._again else now
        rejected_at = since if done.counts.quarantined else NEVER
        self._seen = _Seen(told, end, more=_more(end), whole_at=now, rejected_at=rejected_at)
        if look is not None and look.request.since is None and _bounded(collect.look()):
            self._seen = _Seen()  # the first watermark: from now on there is a state
        return done.counts.published > 0

    def _on(self, collect: Collect, news: View) -> bool:
        """Collect from where the source ended before; returns whether rows were published."""
        end = news.end()
        done = self._collected(collect, news)
        if done is None:  # what is held is read again, with all that lies before it
            look = collect.look()
            whole = None if look is None else View.of(look)
            self._seen = _Seen(whole, end, held=True, whole_at=time.monotonic())
            return False
        known = self._seen
        known.end, known.read_on = end, True
        known.more = end is not news and (news.state.more or _more(end))
        if done.counts.quarantined:
            known.rejected_at = time.monotonic()
        return done.counts.published > 0

    def _collected(self, collect: Collect, news: View | None) -> Collected | None:
        """How a collect has ended; None where it is held for a person."""
        try:
            done = collect.run(place=None if news is None else news.look.place)
        except HoldError as error:
            log.warning("%s: %s", self.name, error)
            self._called = False
            self._hold.failed()
            return None
        self._hold.over()
        return done

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


def _more(end: View | None) -> bool:
    """Whether more has come behind an end than one look has seen."""
    return end is not None and end.state.more


def _bounded(look: Look | None) -> bool:
    """Whether there is a watermark."""
    return look is not None and look.request.since is not None
