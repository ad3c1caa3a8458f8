"""One thread for one piece of work: wait, look, do a batch, wait."""

from __future__ import annotations

import logging
import threading

from onecard.live.jobs import Job
from onecard.live.keeper import Keeper
from onecard.live.pace import Backoff, Pace
from onecard.store.leases import Lease
from onecard.store.refusals import as_hub_error

log = logging.getLogger(__name__)


class Runner:
    """Does one job as often as there is something to do, under its lease; slow ones delay nobody.

    Args:
        job: the work.
        keeper: of the leases.
        pace: of the lane.
    """

    def __init__(self, job: Job, keeper: Keeper, pace: Pace) -> None:
        self.job = job
        self._keeper, self._pace = keeper, pace
        self._backoff = Backoff(pace)
        self._wakeup, self._stop = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._lease: Lease | None = None
        self._again, self._said = True, ""
        self._thread = threading.Thread(target=self._run, name=job.name, daemon=True)

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
        wait = 0.0
        while not self._stop.is_set():
            resting = self._backoff.left()
            if resting:  # a wake-up that comes meanwhile stays
                self._stop.wait(min(resting, self._pace.look))
                if self._keeper.lease(self.job.name) is None:
                    self._backoff.over()  # another process has it
                continue
            woken = self._wakeup.wait(wait)
            self._wakeup.clear()
            if not self._stop.is_set():
                more = self._turn(woken=woken)
                wait = self._pace.busy if more else self._pace.look
        self._keeper.release(self.job.name)

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
            if not self.job.due(woken=woken or self._again):
                self._well()
                return False
            more = self.job.run(lease)
        except Exception as caught:  # noqa: BLE001 - one failure stops only itself, and not for long
            self._failed(caught)
            return False
        self._well()
        return more

    def _well(self) -> None:
        self._again = False
        self._backoff.over()
        if self._said:
            log.info("%s: goes on", self.job.name)
        self._said = ""

    def _failed(self, caught: Exception) -> None:
        """Say why, once as long as it stays so, and leave it alone for a while."""
        error, self._again = as_hub_error(caught), True
        if str(error) != self._said:
            log.warning("%s: %s", self.job.name, error)
        self._said = str(error)
        try:
            resting = self.job.resting()
        except Exception as other:  # noqa: BLE001 - a connection that is not there has no breaker
            resting = 0.0
            log.debug("%s: no breaker (%s)", self.job.name, type(other).__name__)
        self._backoff.failed(resting)
