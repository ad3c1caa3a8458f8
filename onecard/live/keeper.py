"""Keeps this process's leases: takes its share of the work, renews it, lets others have theirs.

Each process has a lease of its own name too, so that all know how many there are: the work is
divided evenly, and a process that comes or goes gets or leaves its part within seconds.
"""

from __future__ import annotations

import logging
import math
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Collection, Sequence

from onecard.base import failpoints
from onecard.daemon.complaint import Complaint
from onecard.errors import OnecardError
from onecard.live.pace import Pace
from onecard.store import database, leases
from onecard.store.leases import PROCESS, Lease, Standing

log = logging.getLogger(__name__)

KEPT_S = 86_400.0
"""So long the line of a process that is gone stays to be seen."""
MOST_HOST = 40
"""Characters of a machine's name in a holder's, which names sessions too: PostgreSQL cuts at 63."""


def new_holder() -> str:
    """A name for this process that no other has: machine, number, chance."""
    return f"{socket.gethostname()[:MOST_HOST]}/{os.getpid()}/{secrets.token_hex(4)}"


class Keeper:
    """The leases of one process.

    Args:
        address: of the hub's database.
        pace: says for how long leases are taken.
        wanted: names of all work that there is, as the catalogue has it now.
        taken: is told each name whose lease was taken.
    """

    def __init__(
        self,
        address: str,
        pace: Pace,
        wanted: Callable[[], Collection[str]],
        taken: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self.holder = new_holder()
        self._address, self._pace = address, pace
        self._wanted, self._taken = wanted, taken
        self._lock = threading.Lock()
        self._held: dict[str, Lease] = {}
        self._surplus: frozenset[str] = frozenset()
        self._returned: list[Lease] = []
        self._renewed_at = float("-inf")
        self._own: Lease | None = None

    @property
    def alive(self) -> bool:
        """Whether the leases are known to be this process's, by its own clock as well."""
        return time.monotonic() - self._renewed_at < self._pace.span

    def lease(self, name: str) -> Lease | None:
        """The lease under which work may begin now; one of others' share is returned instead.

        Args:
            name: of the work, of which none is in hand.
        """
        with self._lock:
            found = self._held.get(name)
        if found is not None and name in self._surplus:
            self.release(name)
            return None
        return found if self.alive else None

    def holds(self, name: str) -> bool:
        """Whether this process has the lease, with or without work in hand.

        Args:
            name: of the work.
        """
        with self._lock:
            return name in self._held

    def release(self, name: str) -> None:
        """Leave a piece of work, of which none is in hand, to others.

        Args:
            name: of the work.
        """
        with self._lock:
            found = self._held.pop(name, None)
            if found is not None:
                self._returned.append(found)

    def run(self, stop: threading.Event) -> None:
        """Keep the leases until it is told to stop; a database that is away is asked again."""
        complaint = Complaint(log, "leases cannot be renewed")
        while not stop.is_set():
            try:
                with database.connect(self._address, autocommit=True) as connection:
                    leases.forget(connection, PROCESS, KEPT_S)
                    while True:
                        self.renew(connection)
                        complaint.over()
                        if stop.wait(self._pace.renew):
                            return
            except Exception as error:  # noqa: BLE001 - it goes on renewing whatever failed
                complaint.say(error)
            stop.wait(self._pace.look)

    def renew(self, connection: database.Connection) -> None:
        """One round: renew, return, look who else is there, take what is free.

        Args:
            connection: of the hub's database, outside a transaction.
        """
        asked_at, span = time.monotonic(), self._pace.span
        self._be_counted(connection)
        with self._lock:
            held, returned = list(self._held.values()), self._returned
            self._returned = []
        for lease in returned:
            leases.give_back(connection, lease)
            failpoints.reach("lease.returned")
            log.info("lease returned: %s", lease.name)
        kept = set(leases.renew(connection, held, span)) if held else set()
        for lease in held:
            if lease not in kept:
                self._lost(lease)
        self._renewed_at = asked_at
        failpoints.reach("lease.renewed")
        self._share(connection, leases.standing(connection))

    def _be_counted(self, connection: database.Connection) -> None:
        """As a process, as long as there is work that it could do, or any in its hands."""
        if self._held or self._wanted():
            name, span = PROCESS + self.holder, self._pace.span
            self._own = leases.take(connection, name, self.holder, span) or self._own
        elif self._own is not None:
            leases.give_back(connection, self._own)
            self._own = None

    def _share(self, connection: database.Connection, lines: Sequence[Standing]) -> None:
        """Take what is free, up to an even share; what is beyond it is to be returned."""
        wanted = sorted(self._wanted())
        live = [line for line in lines if line.held]
        processes = sum(line.name.startswith(PROCESS) for line in live)
        share = math.ceil(len(wanted) / max(1, processes))
        others = {line.name for line in live if line.holder != self.holder}
        with self._lock:
            mine = sorted(self._held)
        kept = [name for name in mine if name in wanted][:share]
        self._surplus = frozenset(mine) - frozenset(kept)
        free = [name for name in wanted if name not in others and name not in mine]
        coming = free[: max(0, share - len(mine))]
        self._end_silent(connection, [line for line in lines if line.name in coming], live)
        for name in coming:
            taken = leases.take(connection, name, self.holder, self._pace.span)
            if taken is not None:
                failpoints.reach("lease.taken")
                with self._lock:
                    self._held[name] = taken
                log.info("lease taken: %s", name)
                self._taken(name)

    def _end_silent(
        self,
        connection: database.Connection,
        left: Sequence[Standing],
        live: Sequence[Standing],
    ) -> None:
        """End the sessions of processes that are silent, with the locks that they hold.

        One that was stopped or cut off would keep its delivery's lock and its lines from others.

        Args:
            connection: of the hub's database.
            left: leases that are about to be taken.
            live: leases whose time is not over: their holders are heard of.
        """
        heard = {line.holder for line in live} | {self.holder}
        for holder in {line.holder for line in left} - heard:
            if leases.end_sessions(connection, holder):
                log.warning("sessions of a process that is silent were ended: %s", holder)

    def _lost(self, lease: Lease) -> None:
        with self._lock:
            lost = self._held.get(lease.name) == lease
            if lost:
                del self._held[lease.name]
        if lost:
            log.warning("lease lost: %s; another process does this work now", lease.name)

    def end(self) -> None:
        """Return everything, so that others take it at once; where it fails, they wait a span."""
        with self._lock:
            own = [self._own] if self._own is not None else []
            left = [*self._returned, *self._held.values(), *own]
            self._held, self._returned, self._own = {}, [], None
        self._renewed_at = float("-inf")
        if not left:
            return
        try:
            with database.connect(self._address, autocommit=True) as connection:
                for lease in left:
                    leases.give_back(connection, lease)
                    failpoints.reach("lease.returned")
        except OnecardError as error:
            log.warning("leases were not returned: %s", error)
