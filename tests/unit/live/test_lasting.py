"""A thread of the lane lasts until it is told to stop."""

from __future__ import annotations

import threading

import pytest

from onecard.live.lasting import lasting
from tests.waiting import until


class Panic(BaseException):
    """As Polars raises it: no `Exception`."""


@pytest.mark.parametrize("error", [SystemExit(1), Panic(), MemoryError(), None])
def test_what_ends_too_early_begins_anew(
    error: BaseException | None, caplog: pytest.LogCaptureFixture
) -> None:
    begun: list[int] = []
    stop = threading.Event()

    def run() -> None:
        begun.append(1)
        if len(begun) < 4:
            if error is not None:
                raise error
            return
        stop.wait()

    thread = lasting(run, stop, "ear", 0.01)
    thread.start()
    until(lambda: len(begun) == 4, "it has begun again, and stays")
    assert thread.is_alive()
    stop.set()
    thread.join(60)
    assert (thread.is_alive(), len(begun)) == (False, 4)
    assert caplog.text.count("thread 'ear' ended and begins anew") == (error is not None)


def test_what_ends_as_it_is_told_does_not_begin_again() -> None:
    begun: list[int] = []
    stop = threading.Event()
    stop.set()
    thread = lasting(lambda: begun.append(1), stop, "ear", 60)
    thread.start()
    thread.join(60)
    assert begun == [1]
