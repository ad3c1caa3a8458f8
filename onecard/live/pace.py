"""How often the lane looks, how long it waits after a failure."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds.

    Attributes:
        look: between two looks at a source or at the hub's database.
        busy: before the next look at a source that has just given rows.
        whole: between two collects of a source that can only be read, between two looks at an
            agreement that nobody has woken, and before a source whose rows were rejected is read
            again.
        first: to wait after a failure; each further one doubles it.
        most: to wait at most.
        held: to wait at most before work that is held for a person is tried again.
        span: for which a lease is taken.
        renew: between two renewals.
    """

    look: float = 1.0
    busy: float = 0.25
    whole: float = 60.0
    first: float = 1.0
    most: float = 60.0
    held: float = 3600.0
    span: float = 10.0
    renew: float = 2.0

    @property
    def of_holds(self) -> Pace:
        """How long to wait after a transfer was held: each try leaves another held transfer."""
        return replace(self, first=self.whole, most=self.held)


@dataclass(slots=True)
class Backoff:
    """How long one piece of work is left alone, after so many failures in a row."""

    pace: Pace
    failures: int = 0
    until: float = field(default=0.0, init=False)

    def failed(self) -> None:
        """Wait twice as long as before, and a little more or less than others."""
        wait = min(self.pace.most, self.pace.first * 2.0 ** min(self.failures, 30))
        self.failures += 1
        spread = random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, no secret
        self.until = time.monotonic() + wait * spread

    def over(self) -> None:
        """It went well."""
        self.failures, self.until = 0, 0.0

    def left(self) -> float:
        """Seconds that are left to wait."""
        return max(0.0, self.until - time.monotonic())
