"""Work ahead in a thread of its own: an iterator, a few items before its consumer; or one thing."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from onecard.base import allocator, interrupts, timeouts

T = TypeVar("T")
_END = object()
_BRIEFLY_S = 0.2
"""Where the process ends: long enough for a thread that can end."""


def prefetch(items: Iterable[T], what: str, depth: int = 2, patience: int = 2) -> Generator[T]:
    """The items in their order; what the iterator raises is raised here.

    Args:
        items: iterated in another thread, from its start to its end or until nobody asks on.
        what: gives the items, for messages.
        depth: how many items may wait.
        patience: how many times `timeouts.seconds` an item may take; more than the items' own
            prefetch has, so that it gives up first.

    Raises:
        SourceUnavailable: no item came for so long as the hub has patience; the thread, which
            hangs in some driver, is left behind.
    """
    allocator.keep_freed()
    limit, hangs = patience * timeouts.seconds(), False
    ready: queue.Queue[Any] = queue.Queue(maxsize=depth)
    stop = threading.Event()
    thread = threading.Thread(target=_run, args=(items, ready, stop), name="ahead", daemon=True)
    thread.start()
    try:
        while (item := ready.get(timeout=limit)) is not _END:
            if isinstance(item, _Raised):
                raise item.error
            yield item
    except queue.Empty:
        hangs = True
        raise timeouts.silent(what, limit) from None
    finally:
        stop.set()
        thread.join(0 if hangs else _BRIEFLY_S if interrupts.pending() else limit)


def beside(work: Callable[[], T]) -> Future[T]:
    """Do one thing meanwhile; it must end by itself."""
    threads = ThreadPoolExecutor(1)
    try:
        return threads.submit(work)
    finally:
        threads.shutdown(wait=False)


class _Raised:
    """What an iterator raised, on its way to the consumer."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _run(items: Iterable[Any], ready: queue.Queue[Any], stop: threading.Event) -> None:
    try:
        for item in items:
            _put(item, ready, stop)
            if stop.is_set():
                return
        _put(_END, ready, stop)
    except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
        _put(_Raised(error), ready, stop)


def _put(item: object, ready: queue.Queue[Any], stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            ready.put(item, timeout=0.5)
        except queue.Full:
            continue
        return
