"""A circuit breaker for each system: one that does not answer is left alone for a while.

After `FAILURES` calls in a row that ended in SourceUnavailable, the next ones fail at once, until
`COOL_S` seconds have passed; then one may try. The state is this process's: `onecard nightly` has
one for the whole night; Airflow's tasks are processes of their own, and have its retries and pools.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from onecard.base.connections import Connection
from onecard.errors import SourceUnavailable

FAILURES = 5
COOL_S = 300.0
_clock = time.monotonic


@dataclass(slots=True)
class Breaker:
    """The state of one system."""

    failures: int = 0
    until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def closed_for(self) -> float:
        """Seconds for which calls still fail at once; after them one call may try."""
        with self.lock:
            left = self.until - _clock()
            if self.failures >= FAILURES and left <= 0:
                self.until = _clock() + COOL_S  # the others wait for how this one ends
            return max(0.0, left) if self.failures >= FAILURES else 0.0

    def left(self) -> float:
        """As `closed_for`, of somebody who does not call now: nothing changes by it."""
        with self.lock:
            return max(0.0, self.until - _clock()) if self.failures >= FAILURES else 0.0

    def note(self, *, failed: bool) -> None:
        """How a call ended."""
        with self.lock:
            self.failures = self.failures + 1 if failed else 0
            self.until = _clock() + COOL_S if self.failures >= FAILURES else 0.0


_breakers: dict[tuple[object, ...], Breaker] = {}
_lock = threading.Lock()


def of(connection: Connection) -> Breaker:
    """The breaker of a system, told by its connection's id and address."""
    with _lock:
        return _breakers.setdefault((connection.id, connection.address), Breaker())


@contextmanager
def watching(connection: Connection) -> Iterator[None]:
    """Count how the block ends.

    Raises:
        SourceUnavailable: the system has failed too often just now; the block is not run.
    """
    breaker = of(connection)
    left = breaker.closed_for()
    if left:
        msg = (
            f"connection {connection.id!r} ({connection.address}) cannot be reached: its last "
            f"{FAILURES} calls have failed, and it is left alone for {left:.0f} s more"
        )
        raise SourceUnavailable(msg)
    failed = False
    try:
        yield
    except SourceUnavailable:
        failed = True
        raise
    finally:
        breaker.note(failed=failed)
