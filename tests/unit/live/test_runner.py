"""A piece of work in its thread: woken, failing, resting, losing its lease."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import pytest

from onecard.errors import SourceUnavailable
from onecard.live.job import LaneDesk
from onecard.live.keeper import Keeper
from onecard.live.pace import Backoff, Pace
from onecard.live.runner import Runner
from onecard.store.leases import Lease
from tests.waiting import until

QUICK = Pace(look=0.01, busy=0.01, first=0.01, most=0.02)
LEASE = Lease("collect a/b", "me", 1)


class Panic(BaseException):
    """As Polars raises it: no `Exception`."""


@dataclass
class Work:
    """A job that notes what it is asked, and fails as often as it is told to."""

    name: str = LEASE.name
    news: int = 0
    fails: int = 0
    rest: float = 0.0
    rests: float = 0.0
    panics: bool = False
    asked: list[bool] = field(default_factory=list)
    done: list[Lease] = field(default_factory=list)
    passed_on: int = 0

    def adopt(self, desk: LaneDesk) -> None:
        raise NotImplementedError

    def due(self, *, woken: bool) -> bool:
        self.asked.append(woken)
        return self.news > len(self.done)

    def run(self, lease: Lease) -> bool:
        if self.panics:
            self.panics = False
            raise Panic
        if self.fails:
            self.fails, self.rest = self.fails - 1, self.rests
            msg = "the system is down"
            raise SourceUnavailable(msg)
        self.done.append(lease)
        return True

    def resting(self) -> float:
        return self.rest

    def pass_on(self) -> None:
        self.passed_on += 1


@dataclass
class Leases:
    """Stands in for the keeper."""

    given: Lease | None = LEASE
    released: threading.Event = field(default_factory=threading.Event)

    def lease(self, _name: str) -> Lease | None:
        return self.given

    def release(self, _name: str) -> None:
        self.released.set()


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def held() -> Leases:
    return Leases()


@pytest.fixture
def runner(work: Work, held: Leases) -> Iterator[Runner]:
    found = Runner(work, cast("Keeper", held), QUICK)
    yield found
    found.retire()
    found.join()
    assert held.released.is_set()


def test_it_looks_by_itself_and_works_when_there_is_something(work: Work, runner: Runner) -> None:
    runner.start()
    until(lambda: len(work.asked) > 3, "looks")
    assert work.done == []
    assert work.asked[:3] == [True, False, False]  # what came before it had the lease is looked for
    work.news = 1
    until(lambda: work.done == [LEASE], "the batch")


def test_wake_ups_are_kept_one_is_enough(work: Work, runner: Runner) -> None:
    assert runner.wake()
    assert not runner.wake()
    runner.start()
    until(runner.wake, "the wake-up is taken")


def test_without_the_lease_it_hands_wake_ups_on(work: Work, held: Leases, runner: Runner) -> None:
    held.given = None
    work.news = 1
    runner.start()
    runner.wake()
    until(lambda: work.passed_on == 1, "the wake-up goes on")
    assert work.done == []
    held.given = LEASE
    until(lambda: work.done == [LEASE], "the batch, once the lease is there")


def test_a_failure_is_said_once_and_tried_again_by_itself(
    work: Work, runner: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    work.news, work.fails = 1, 3
    with caplog.at_level(logging.INFO):
        runner.start()
        until(lambda: work.done == [LEASE], "the batch after failures")
        until(lambda: "goes on" in caplog.text, "a word that it goes on")
    said = [r.getMessage() for r in caplog.records if "the system is down" in r.getMessage()]
    assert said == [f"{LEASE.name}: the system is down"]
    counts = runner.counts
    assert (counts.failures, counts.batches) == (3, 1)
    assert counts.looks >= 4


def test_a_wake_up_that_comes_as_the_wait_ends_is_not_lost(work: Work, runner: Runner) -> None:
    class Late(threading.Event):
        """Is set right after a wait has ended without it."""

        def wait(self, timeout: float | None = None) -> bool:
            found = super().wait(timeout)
            if len(work.asked) == 1:
                self.set()
            return found

    runner._wakeup = Late()
    runner.start()
    until(lambda: len(work.asked) > 2, "looks")
    assert work.asked[:3] == [True, True, False]


def test_a_panic_of_an_extension_stops_nothing_and_is_said_by_its_type(
    work: Work, runner: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    work.news, work.panics = 1, True
    runner.start()
    until(lambda: work.done == [LEASE], "the batch after the panic")
    assert f"{LEASE.name}: internal error: Panic in " in caplog.text


def test_an_exit_within_a_batch_stops_nothing(work: Work, runner: Runner) -> None:
    class Exits(list[bool]):
        """Raises once when it is noted that there was a look."""

        def append(self, woken: bool, /) -> None:
            super().append(woken)
            if len(self) == 1:
                raise SystemExit

    work.asked, work.news = Exits(), 1
    runner.start()
    until(lambda: work.done == [LEASE], "the batch after the exit")
    assert runner.running


def test_a_thread_that_ends_begins_anew_and_looks_at_once(
    work: Work, held: Leases, runner: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    lease = held.lease

    def fails_once(_name: str) -> Lease | None:
        held.lease = lease  # type: ignore[method-assign]
        raise MemoryError

    work.news = 1
    held.lease = fails_once  # type: ignore[method-assign]
    runner.start()
    until(lambda: work.done == [LEASE], "the batch of the thread's second life")
    assert f"thread '{LEASE.name}' ended and begins anew" in caplog.text
    assert work.asked[0]


def test_a_system_that_is_left_alone_is_called_as_soon_as_it_may_be(
    work: Work, runner: Runner
) -> None:
    work.news, work.fails, work.rests = 1, 1, 3600.0
    runner.start()
    until(lambda: work.fails == 0, "the failure")
    runner.wake()
    until(lambda: runner._backoff.left() == 0, "its own wait is over")
    assert (work.asked, work.done) == ([True], [])
    assert not runner.wake(), "the wake-up stays"
    work.rest = 0.0  # another piece of work has found that the system is back
    until(lambda: work.done == [LEASE], "the batch")


def test_who_has_no_lease_does_not_rest(work: Work, held: Leases, runner: Runner) -> None:
    held.given, work.rest = None, 3600.0
    runner.start()
    runner.wake()
    until(lambda: work.passed_on == 1, "the wake-up goes on")


def test_work_begins_once_who_did_it_before_has_ended(work: Work, held: Leases) -> None:
    class Slow(Work):
        """A batch that goes on until it is let go."""

        def run(self, lease: Lease) -> bool:
            begun.set()
            assert let_go.wait(60)
            return super().run(lease)

    begun, let_go = threading.Event(), threading.Event()
    before = Runner(Slow(news=1), cast("Keeper", held), QUICK)
    work.news = 1
    runner = Runner(work, cast("Keeper", held), QUICK, before)
    before.start()
    assert begun.wait(60)
    before.retire()
    runner.start()
    try:
        assert runner.running
        runner._thread.join(0.05)
        assert work.asked == []
        let_go.set()
        until(lambda: work.done == [LEASE], "the batch")
        assert not before.running
    finally:
        let_go.set()
        runner.retire()
        runner.join()


def test_each_failure_doubles_the_wait_up_to_a_bound() -> None:
    backoff = Backoff(Pace(first=10.0, most=60.0))
    bounds = [(5, 10), (10, 20), (20, 40), (30, 60), (30, 60)]
    for least, most in bounds:
        backoff.failed()
        assert least - 1 < backoff.left() <= most
    backoff.over()
    assert backoff.left() == 0
