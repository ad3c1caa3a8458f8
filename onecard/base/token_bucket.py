"""How often something may happen: token buckets, and a bounded number of them by key."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable


class TokenBucket:
    """Allows `burst` at once and `per_second` in the long run; for one thread.

    Args:
        per_second: tokens that come back in a second.
        burst: tokens that it holds when it is full, as it is at first.
        steady_s: a clock that nobody sets, in seconds.
    """

    def __init__(
        self, per_second: float, burst: int, steady_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second, self._burst, self._steady_s = per_second, burst, steady_s
        self._tokens, self._at = float(burst), steady_s()

    def wait(self) -> float:
        """Seconds until there is a token; 0 when there is one."""
        now = self._steady_s()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        return max(0.0, (1 - self._tokens) / self._per_second)

    def take(self) -> float:
        """Take a token where there is one, and say what `wait` says without it."""
        wait = self.wait()
        if not wait:
            self._tokens -= 1
        return wait


class TokenBuckets:
    """A bucket for each key, in bounded memory: the one that was used least recently goes first.

    Args:
        per_second: as of `TokenBucket`.
        burst: as of `TokenBucket`.
        most: buckets that are kept.
        steady_s: as of `TokenBucket`.
    """

    def __init__(
        self,
        per_second: float,
        burst: int,
        most: int,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second, self._burst, self._steady_s = per_second, burst, steady_s
        self._most = most
        self._buckets: OrderedDict[Hashable, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, key: Hashable) -> float:
        """Seconds until the key has a token; a key that never took one is not kept."""
        found = self._buckets.get(key)
        return found.wait() if found else 0.0

    def take(self, key: Hashable) -> float:
        """Take a token of the key; as `TokenBucket.take`."""
        found = self._buckets.get(key)
        if found is None:
            found = TokenBucket(self._per_second, self._burst, self._steady_s)
            self._buckets[key] = found
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return found.take()
