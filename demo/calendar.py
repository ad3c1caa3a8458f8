"""The demo's clock: day n is n days after 2026-11-23; its night runs at 02:00 next morning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from demo.chance import Chance

ZONE = ZoneInfo("Asia/Shanghai")
DAY_ZERO = date(2026, 11, 23)
CLOSING_HOUR = 20
"""The last change of every day happens at this hour sharp: the watermark is then known."""
_MICROSECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the city."""

    number: int

    @property
    def date(self) -> date:
        """The calendar date."""
        return DAY_ZERO + timedelta(days=self.number)

    @property
    def night(self) -> datetime:
        """When the nightly sync of this day runs."""
        return datetime.combine(self.date + timedelta(days=1), datetime.min.time(), ZONE).replace(
            hour=2
        )

    @property
    def closing(self) -> datetime:
        """The moment of the day's last change."""
        return datetime.combine(self.date, datetime.min.time(), ZONE).replace(hour=CLOSING_HOUR)

    def moments(self, chance: Chance, salt: str, *, back_days: int = 1) -> pl.Series:
        """Opening-hour moments of this day, or of the `back_days` days up to it; first = closing."""
        end = int(self.closing.timestamp())
        seconds = chance.below(salt, 11 * 3600) + 60
        days = chance.below(salt + "-days", back_days) if back_days > 1 else np.int64(0)
        found = end - seconds - days * 86_400
        if len(found):
            found[0] = end
        return instants(found)


def instants(seconds: np.ndarray) -> pl.Series:
    """Seconds since 1970 as UTC instants."""
    return pl.Series(seconds * _MICROSECOND).cast(pl.Datetime("us", "UTC"))
