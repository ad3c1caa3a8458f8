"""Open lines to other systems that wait for their next use, as long as somebody keeps them.

To open one costs more than most of what a small transfer asks of it: a login, a handshake, a look
at a catalogue. So whoever runs transfers one after the other in one process keeps them (`kept`),
and without anybody who does each is closed as it ends. Who puts one on a shelf has taken from it
what its user has left; who takes one sees to it that the other side is still there.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

LONGEST_S = 60.0
"""One that waited longer is closed: a burst leaves no idle lines behind."""

T = TypeVar("T")


class Shelf(Generic[T]):
    """Open lines of one kind, by address; those put last are taken first.

    Args:
        close: ends one of them, and raises nothing.
    """

    def __init__(self, close: Callable[[T], object]) -> None:
        self._close = close
        self._waiting: dict[str, list[tuple[float, T]]] = {}
        _shelves.append(self)

    def take(self, address: str) -> T | None:
        """One that waits, or None.

        Args:
            address: as it was put.
        """
        _close_old()
        with _now.lock:
            waiting = self._waiting.get(address)
            return waiting.pop()[1] if waiting else None

    def put(self, address: str, session: T) -> None:
        """Let a clean session wait; where nobody keeps any, it is closed.

        Args:
            address: of the other side, with all that its login depends on.
            session: is not used by its giver any more.
        """
        with _now.lock:
            keeps = _now.keepers > 0
            if keeps:
                self._waiting.setdefault(address, []).append((time.monotonic(), session))
        if not keeps:
            self._end([session])
        _close_old()

    def clear(self) -> None:
        """Close all that wait."""
        with _now.lock:
            found, self._waiting = self._waiting, {}
        self._end([session for waiting in found.values() for _, session in waiting])

    def forget(self) -> dict[str, list[tuple[float, T]]]:
        """Let go of all that wait without a word to their server."""
        found, self._waiting = self._waiting, {}
        return found

    def close_old(self) -> None:
        """Close those that have waited too long."""
        limit = time.monotonic() - LONGEST_S
        with _now.lock:
            found = [s for w in self._waiting.values() for since, s in w if since < limit]
            for address, waiting in self._waiting.items():
                self._waiting[address] = [line for line in waiting if line[0] >= limit]
        self._end(found)

    def _end(self, found: list[T]) -> None:
        for session in found:
            self._close(session)


class _State:
    """Of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.keepers = 0
        self.of_parent: list[object] = []


_now = _State()
_shelves: list[Shelf[Any]] = []


@contextmanager
def kept() -> Iterator[None]:
    """Keep lines until the block ends; blocks may stand in each other and beside each other."""
    with _now.lock:
        _now.keepers += 1
    try:
        yield
    finally:
        with _now.lock:
            _now.keepers -= 1
            last = not _now.keepers
        if last:
            _close_waiting()


def keeps() -> bool:
    """Whether anybody keeps lines now."""
    return _now.keepers > 0


def _close_old() -> None:
    """Of every kind: one that nobody asks for any more would keep its lines."""
    for shelf in _shelves:
        shelf.close_old()


def _close_waiting() -> None:
    """Also before a fork: two processes that share a line would ruin it for both."""
    for shelf in _shelves:
        shelf.clear()


def _after_fork() -> None:
    """Another thread may have held the lock, or put a session back meanwhile: the parent has it."""
    _now.lock = threading.Lock()
    _now.of_parent += [shelf.forget() for shelf in _shelves]


os.register_at_fork(before=_close_waiting, after_in_child=_after_fork)
