"""What the lane does again and again: collect one dataset, deliver one agreement."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from onecard.base.connections import Connections
from onecard.collect.look import Look
from onecard.live.pace import Pace
from onecard.operations.delivery import deliver
from onecard.ports.news import UNTOLD
from onecard.reconcile.services import TransferDesk
from onecard.store import database, leases, notifications
from onecard.store.leases import Guard, Lease

NEVER = float("-inf")


class LaneDesk(TransferDesk, Protocol):
    """A desk whose transfers can be bound to a lease; `onecard.app.wiring.Hub` is one.

    Attributes:
        connections: of the agencies' systems, and of those who may wake the lane.
    """

    connections: Connections

    def guarded(self, guard: Guard) -> LaneDesk:
        """The same desk, whose transfers ask this guard."""
        ...

    def left_alone(self, connection_id: str) -> float:
        """Seconds for which a system that failed too often is not called."""
        ...


class Job(Protocol):
    """Work that is done under a lease, a batch at a time."""

    @property
    def name(self) -> str:
        """Of its lease."""

    def adopt(self, desk: LaneDesk) -> None:
        """Go on with a catalogue that was read anew."""

    def due(self, *, woken: bool) -> bool:
        """Whether there may be anything to do; leaves no trace.

        Args:
            woken: somebody said so.
        """
        ...

    def run(self, lease: Lease) -> bool:
        """Do what is there to do; returns whether more may follow at once."""
        ...

    def resting(self) -> float:
        """Seconds for which the system behind it is left alone by the circuit breaker."""
        ...

    def pass_on(self) -> None:
        """Hand a wake-up on to the process that has the lease."""


def under(desk: LaneDesk, lease: Lease) -> LaneDesk:
    """The desk, whose transfers go on only as long as the lease stands.

    Args:
        desk: of the present catalogue.
        lease: as it was taken.
    """
    return desk.guarded(lambda connection: leases.check(connection, lease))


class CollectJob:
    """Collects a dataset whenever its source shows something that was not there before.

    The state that is compared is taken before a collect: what comes while it reads is news.
    """

    def __init__(self, desk: LaneDesk, dataset: str, pace: Pace) -> None:
        self.dataset, self.name = dataset, f"collect {dataset}"
        self._desk, self._pace = desk, pace
        self._contract = desk.catalogue.contract(dataset)
        self._look: Look | None = None
        self._state, self._read_at = UNTOLD, NEVER

    def adopt(self, desk: LaneDesk) -> None:
        """Another text of the contract is another source."""
        contract = desk.catalogue.contract(self.dataset)
        if contract != self._contract:
            self._look, self._state, self._read_at = None, UNTOLD, NEVER
        self._desk, self._contract = desk, contract

    def due(self, *, woken: bool) -> bool:
        """Whether the source has changed since; where it cannot tell, whether it is time."""
        if self._look is None or self._state == UNTOLD:
            return woken or time.monotonic() - self._read_at >= self._pace.whole
        return self._look.state() != self._state

    def run(self, lease: Lease) -> bool:
        """Collect; returns whether rows were published."""
        collect = under(self._desk, lease).collect(self.dataset)
        look = collect.look()
        state = UNTOLD if look is None else look.state()
        done = collect.run()
        self._look, self._state, self._read_at = look, state, time.monotonic()
        if look is not None and look.request.since is None:
            following = collect.look()
            if following is not None and following.request.since is not None:
                self._read_at = NEVER  # the first watermark: from now on there is a state
        return done.counts.published > 0

    def resting(self) -> float:
        """Of the agency's system."""
        return self._desk.left_alone(self._contract.source.connection)

    def pass_on(self) -> None:
        """By a notification of the hub's database, which may be lost: the lane looks by itself."""
        with database.connect(self._desk.address, autocommit=True) as connection:
            notifications.tell_woken(connection, self.dataset)


class DeliverJob:
    """Delivers an agreement whenever a dataset that it reads was published."""

    def __init__(self, desk: LaneDesk, agreement: str, pace: Pace) -> None:
        self.agreement, self.name = agreement, f"deliver {agreement}"
        self._desk, self._pace = desk, pace
        self._looked_at, self._well = NEVER, False

    def adopt(self, desk: LaneDesk) -> None:
        """The text may be another: whether it may leave is asked before the next batch."""
        self._desk, self._looked_at, self._well = desk, NEVER, False

    def due(self, *, woken: bool) -> bool:
        """Whether the consumer may have to get anything; now and then it is asked unwoken.

        After a failure the ledger is asked first: an agreement that is stopped leaves no trace.
        """
        now = time.monotonic()
        if not woken and now - self._looked_at < self._pace.whole:
            return False
        self._looked_at = now
        if woken and self._well:
            return True
        found = self._desk.deliver(self.agreement).due()
        self._well = True
        return found

    def run(self, lease: Lease) -> bool:
        """Deliver; more follows only when it is woken again."""
        self._well = False
        deliver(under(self._desk, lease), self.agreement)
        self._well = True
        return False

    def resting(self) -> float:
        """Of the consumer's system."""
        block = self._desk.catalogue.agreement(self.agreement).delivery
        return self._desk.left_alone(block.connection) if block else 0.0

    def pass_on(self) -> None:
        """Nothing: every process hears what is published."""


def jobs(desk: LaneDesk, pace: Pace) -> Mapping[str, CollectJob | DeliverJob]:
    """Everything in the event lane, by the names of the leases.

    Args:
        desk: names contracts and agreements; what is broken is not among them.
        pace: of the lane.
    """
    known = desk.catalogue
    collects = [c.id for c in known.contracts.values() if c.lane == "event"]
    delivers = [a.id for a in known.agreements.values() if a.served and a.mode == "event"]
    found: list[CollectJob | DeliverJob] = [CollectJob(desk, d, pace) for d in sorted(collects)]
    found += [DeliverJob(desk, a, pace) for a in sorted(delivers)]
    return {job.name: job for job in found}
