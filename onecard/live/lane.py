"""The lane: everything of the event lane, each with a thread of its own, until it is ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from onecard.crypto.signing import Signer
from onecard.daemon.callers import Callers
from onecard.daemon.watcher import Watcher
from onecard.errors import OnecardError, UsageError, unknown
from onecard.live.callers import callers_of
from onecard.live.collecting import CollectJob
from onecard.live.delivering import DeliverJob
from onecard.live.ear import Ear
from onecard.live.job import LaneDesk
from onecard.live.jobs import jobs
from onecard.live.keeper import Keeper
from onecard.live.lasting import lasting
from onecard.live.pace import Pace
from onecard.live.runner import Runner, WorkCounts
from onecard.live.signing import LaneSigning

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work.

    Attributes:
        name: of its lease: `collect DATASET` or `deliver AGREEMENT`.
        counts: since it began in this process.
        held: whether this process has the lease.
    """

    name: str
    counts: WorkCounts
    held: bool


class Lane:
    """Collects and delivers what is in the event lane, as soon as there is something to move.

    Args:
        make: makes the hub; again when a file of the catalogue has changed.
        pace: how often it looks.

    Raises:
        OnecardError: the database, the settings or the catalogue cannot be used.
    """

    def __init__(self, make: Callable[[], LaneDesk], pace: Pace | None = None) -> None:
        self._pace, desk = pace or Pace(), make()
        self._desk: LaneDesk | None = desk
        self._callers = Callers(())
        self._stop, self._kept = threading.Event(), threading.Event()
        self._runners: dict[str, Runner] = {}
        self._retiring: list[Runner] = []
        self._left_out: frozenset[str] = frozenset()
        self._keeper = Keeper(desk.address, self._pace, self._wanted, self._taken)
        self._ear = Ear(desk.address, self._pace, self._published, self._woken)
        self._watcher = Watcher(make, desk, self._adopt, self._deny)
        self._signing = LaneSigning(desk.address)
        look = self._pace.look
        self._lasting = [
            lasting(lambda: self._keeper.run(self._kept), self._kept, "leases", look),
            lasting(lambda: self._signing.run(self._kept), self._kept, "signing", look),
        ]
        self._threads = [
            lasting(lambda: self._ear.run(self._stop, self._read), self._stop, "ear", look),
            lasting(lambda: self._watcher.run(self._stop, look), self._stop, "catalogue", look),
        ]

    @property
    def datasets(self) -> tuple[str, ...]:
        """Ids of the datasets that it collects."""
        found = (r.job for r in list(self._runners.values()))
        return tuple(job.dataset for job in found if isinstance(job, CollectJob))

    @property
    def agreements(self) -> tuple[str, ...]:
        """Ids of the agreements that it delivers."""
        found = (r.job for r in list(self._runners.values()))
        return tuple(job.agreement for job in found if isinstance(job, DeliverJob))

    def start(self) -> None:
        """Begin; everything that has waited is done first."""
        if self._desk is not None:
            settings, keys = self._desk.settings, self._desk.keys
            self._signing.begin(Signer(settings.suite, keys), settings.home / "audit")
            self._adopt(self._desk)
        for thread in (*self._lasting, *self._threads):
            thread.start()

    def end(self) -> None:
        """End after the batches in hand, and return the leases; one that never began ends too."""
        self._stop.set()
        for thread in self._threads:
            _wait_for(thread)
        for name in list(self._runners):
            self._retire(name)
        for runner in self._retiring:
            runner.join()
        self._kept.set()  # until here the leases of the batches in hand were renewed
        for thread in self._lasting:
            _wait_for(thread)
        self._keeper.end()

    def wake(self, dataset: str) -> bool:
        """Have the source of a dataset looked at now, by whichever process collects it.

        Args:
            dataset: its id.

        Returns:
            Whether no earlier wake-up was waiting.

        Raises:
            UsageError: the lane does not collect it.
        """
        runner = self._runners.get(f"collect {dataset}")
        if runner is None:
            raise UsageError(unknown("dataset of the event lane", dataset, self.datasets))
        return runner.wake()

    def ready(self) -> bool:
        """Whether it can work: database and leases, catalogue and keys, and each of its threads."""
        desk = self._desk
        if desk is None or not self._keeper.alive or not self._whole:
            return False
        try:
            desk.keys.quarantine()
        except OnecardError:
            return False
        return True

    def work(self) -> tuple[Work, ...]:
        """All that it does, and what it has come to in this process, by name."""
        found = sorted(self._runners.items())
        return tuple(Work(n, r.counts, held=self._keeper.holds(n)) for n, r in found)

    def callers(self) -> Callers:
        """Who may wake what, by the catalogue as it is now."""
        return self._callers

    @property
    def _whole(self) -> bool:
        """Whether no thread of it has died."""
        threads = all(thread.is_alive() for thread in (*self._lasting, *self._threads))
        return threads and all(runner.running for runner in list(self._runners.values()))

    def _adopt(self, desk: LaneDesk) -> None:
        """Go on with a catalogue: what is new begins, what is gone or broken ends."""
        desk = desk.signing(self._signing.later)
        found = jobs(desk, self._pace)
        for name in [n for n in self._runners if n not in found]:
            self._retire(name)
            log.info("%s is in the event lane no more", name)
        for name, job in found.items():
            known = self._runners.get(name)
            if known is not None:
                known.job.adopt(desk)
                known.wake()
                continue
            before = [r for r in self._retiring if r.job.name == name]
            runner = Runner(job, self._keeper, self._pace, before[-1] if before else None)
            runner.start()
            self._runners[name] = runner
        self._desk, self._callers = desk, callers_of(desk.catalogue, desk.connections)
        problems = frozenset(map(str, desk.catalogue.problems))
        for problem in sorted(problems - self._left_out):
            log.error("left out: %s", problem)
        self._left_out = problems

    def _deny(self) -> None:
        """Without a catalogue nothing moves."""
        self._desk, self._callers = None, Callers(())
        for name in list(self._runners):
            self._retire(name)

    def _retire(self, name: str) -> None:
        """Begin no other batch of it; the one in hand ends."""
        runner = self._runners.pop(name)
        runner.retire()
        self._retiring = [r for r in (*self._retiring, runner) if r.running]

    def _wanted(self) -> frozenset[str]:
        """Names of the work that there is; none any more when the lane ends."""
        return frozenset() if self._stop.is_set() else frozenset(self._runners)

    def _taken(self, name: str) -> None:
        """The lease is there: begin."""
        runner = self._runners.get(name)
        if runner is not None:
            runner.wake()

    def _read(self) -> frozenset[str]:
        """Datasets whose publication concerns a delivery."""
        desk = self._desk
        if desk is None:
            return frozenset()
        known = desk.catalogue.agreements
        return frozenset(d for a in self.agreements if a in known for d in known[a].datasets)

    def _published(self, dataset: str) -> None:
        desk = self._desk
        if desk is None:
            return
        for runner in list(self._runners.values()):
            job = runner.job
            if isinstance(job, DeliverJob):
                agreement = desk.catalogue.agreements.get(job.agreement)
                if agreement is not None and dataset in agreement.datasets:
                    runner.wake()

    def _woken(self, dataset: str) -> None:
        """A wake-up that another process has passed on: for whoever has the lease."""
        name = f"collect {dataset}"
        runner = self._runners.get(name)
        if runner is not None and self._keeper.holds(name):
            runner.wake()


def _wait_for(thread: threading.Thread) -> None:
    """Wait until a thread has ended, if it has ever begun."""
    if thread.ident is not None:
        thread.join()
