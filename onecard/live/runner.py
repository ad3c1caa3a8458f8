"""One thread for one piece of work: wait, look, do a batch, wait."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from onecard.daemon.complaint import Complaint
from onecard.live.job import Job
from onecard.live.keeper import Keeper
from onecard.live.lasting import lasting
from onecard.live.pace import Backoff, Pace
from onecard.store.leases import Lease

log = logging.getLogger(__name__)


@dataclass(slots=True)
class WorkCounts:
    """What one piece of work has come to since it began here; written by its own thread alone.

    Attributes:
        looks: whether there was anything to do.
        batches: that ended well, or were held for a person.
        failures: of looks and of batches.
    """

    looks: int = 0
    batches: int = 0
    failures: int = 0


class Runner:
    """Does one job as often as there is something to do, under its lease; slow ones delay nobody.

    Args:
        job: the work.
        keeper: of the leases.
        pace: of the lane.
        after: has done the same work, and may have a batch in hand: it ends before this one begins.
    """

    def __init__(self, job: Job, keeper: Keeper, pace: Pace, after: Runner | None = None) -> None:
        self.job, self.counts = job, WorkCounts()
        self._keeper, self._pace, self._after = keeper, pace, after
        self._backoff = Backoff(pace)
        self._wakeup, self._stop = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._lease: Lease | None = None
        self._again, self._complaint = True, Complaint(log, job.name)
        self._thread = lasting(self._run, self._stop, job.name, pace.look)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> bool:
        """Look at once; returns whether no earlier wake-up was waiting."""
        with self._lock:
            new = not self._wakeup.is_set()
            self._wakeup.set()
        return new

    def retire(self) -> None:
        """Begin no other batch."""
        self._stop.set()
        self._wakeup.set()

    @property
    def running(self) -> bool:
        """Whether its thread has not ended."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait until the batch in hand has ended."""
        self._thread.join()

    def _run(self) -> None:
        if self._after is not None:
            self._after.join()
            self._after = None
        wait, self._again = 0.0, True
        while not self._stop.is_set():
            resting = self._resting()
            if resting:  # a wake-up that comes meanwhile stays
                self._stop.wait(min(resting, self._pace.look))
                continue
            woken = self._woken(wait)
            if not self._stop.is_set():
                more = self._turn(woken=woken)
                wait = self._pace.busy if more else self._pace.look
        self._keeper.release(self.job.name)

    def _woken(self, wait: float) -> bool:
        """Take the wake-up that is there or comes; one that comes as the wait ends counts too."""
        self._wakeup.wait(wait)
        with self._lock:
            woken = self._wakeup.is_set()
            self._wakeup.clear()
        return woken

    def _resting(self) -> float:
        """Seconds to wait yet: after a failure of its own, or for the system behind it."""
        if self._keeper.lease(self.job.name) is None:
            self._backoff.over()  # another process has it
            return 0.0
        return max(self._backoff.left(), self._left_alone())

    def _left_alone(self) -> float:
        """Seconds for which the circuit breaker leaves the system alone, as it is now."""
        try:
            return self.job.resting()
        except Exception as error:  # noqa: BLE001 - a connection that is not there has no breaker
            log.debug("%s: no breaker (%s)", self.job.name, type(error).__name__)
            return 0.0

    def _turn(self, *, woken: bool) -> bool:
        """Look, and do what is there; returns whether more may follow at once."""
        lease = self._keeper.lease(self.job.name)
        try:
            if lease is None:
                self._lease = None
                if woken:
                    self.job.pass_on()
                return False
            if lease != self._lease:  # nobody told us what came before
                self._lease, self._again = lease, True
            self.counts.looks += 1
            if not self.job.due(woken=woken or self._again):
                self._well()
                return False
            more = self.job.run(lease)
        except BaseException as caught:  # noqa: BLE001 - a failure, an exit or a panic stops only itself
            self._failed(caught)
            return False
        self._well()
        self.counts.batches += 1
        return more

    def _well(self) -> None:
        self._again = False
        self._backoff.over()
        if self._complaint.over():
            log.info("%s: goes on", self.job.name)

    def _failed(self, caught: BaseException) -> None:
        """Say why, once as long as it stays so, and leave it alone for a while."""
        self._again = True
        self.counts.failures += 1
        self._complaint.say(caught)
        self._backoff.failed()
