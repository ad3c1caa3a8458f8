"""What the lane needs of the hub, and what a piece of its work is."""

from __future__ import annotations

from typing import Protocol

from onecard.base.connections import Connections
from onecard.daemon.watcher import WatchedDesk
from onecard.reconcile.services import TransferDesk
from onecard.store import leases
from onecard.store.leases import Guard, Lease
from onecard.store.log_signing import SignLog

NEVER = float("-inf")
"""When something happened that has not happened yet, by a clock that nobody sets."""


class LaneDesk(TransferDesk, WatchedDesk, Protocol):
    """A desk whose transfers can be bound to a lease; `onecard.app.wiring.Hub` is one.

    Attributes:
        connections: of the agencies' systems, and of those who may wake the lane.
    """

    connections: Connections

    def guarded(self, guard: Guard, holder: str) -> LaneDesk:
        """The same desk, whose transfers ask this guard in sessions of this name.

        Args:
            guard: asked before anything is published, leaves or is confirmed.
            holder: of the lease; sessions of the hub's database bear it.
        """
        ...

    def signing(self, sign_log: SignLog) -> LaneDesk:
        """The same desk, whose transfers have the audit log signed another way.

        Args:
            sign_log: told of each transfer that is on record.
        """
        ...

    def left_alone(self, connection_id: str) -> float:
        """Seconds for which a system that failed too often is not called."""
        ...


class Job(Protocol):
    """Work that is done under a lease, a batch at a time; by one thread, but for `adopt`."""

    @property
    def name(self) -> str:
        """Of its lease."""

    def adopt(self, desk: LaneDesk) -> None:
        """Go on with a catalogue that was read anew, once what is in hand has ended."""

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
    return desk.guarded(lambda connection: leases.check(connection, lease), lease.holder)
