"""The demo's clock: day n is n days after 2026-10-15; its night runs at 02:00 next morning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from demo.chance import Chance

ZONE = ZoneInfo("Asia/Shanghai")
DAY_ZERO = date(2026, 10, 15)
CLOSING_HOUR = 20
"""All changes of a day lie before this hour."""
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
        """Opening-hour moments of this day; of the stock (day 0), of the `back_days` up to it."""
        end = int(self.closing.timestamp())
        seconds = chance.below(salt, 11 * 3600) + 60
        spread = back_days > 1 and self.number == 0
        days = chance.below(salt + "-days", back_days) if spread else np.int64(0)
        return instants(end - seconds - days * 86_400)


def instants(seconds: np.ndarray) -> pl.Series:
    """Seconds since 1970 as UTC instants."""
    return pl.Series(seconds * _MICROSECOND).cast(pl.Datetime("us", "UTC"))
