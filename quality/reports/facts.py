"""The facts of a report's span of days, read from the ledger once for all reports."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import polars as pl

from onecard.store import report_facts, report_frames
from onecard.store.database import Connection
from onecard.store.report_frames import Span

_LONG = ("collects", "rules", "tickets")
"""Facts of which scores over 13 months and the recurrence of problems are made."""
OF_STANDINGS = (
    *("collects", "deliveries", "rules", "findings", "blocked", "reviewed", "receipts"),
    *("inboxes", "tickets"),
)
"""Facts of which the standings of any month are made."""
BESIDE_STANDINGS = ("seconds",)
"""Facts that are looked at beside them, and on which no standing depends."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `start` to the one before `end`."""

    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Facts:
    """Frames of counts, named and with columns as in `onecard.store.report_frames.FRAMES`.

    Attributes:
        first: day of the hub's first transfer.
        complete: by dataset, the newest published collect that read all of its source.
        filled: by dataset, the day from which it holds data.
    """

    frames: Mapping[str, pl.DataFrame]
    first: date | None
    as_of: datetime
    complete: Mapping[str, int]
    filled: Mapping[str, date]

    def __getitem__(self, name: str) -> pl.DataFrame:
        """One frame, with the columns of its name in `report_frames.FRAMES`."""
        return self.frames[name]

    def as_at(self, connection: Connection, month: date) -> Facts:
        """The same as the reading of one of its months alone would give it.

        Args:
            connection: of the hub's database.
            month: its first day.
        """
        end = following(month)
        opened = self.frames["tickets"].filter(pl.col("opened") < end)
        complete = report_facts.complete_readings(connection, midnight(end, self.as_of))
        return replace(self, frames={**self.frames, "tickets": opened}, complete=complete)


def read(
    connection: Connection,
    days: Period,
    as_of: datetime,
    only: Collection[str] = report_frames.FRAMES,
    long: Collection[str] = _LONG,
) -> Facts:
    """Read the facts of some days.

    What is shown of one month and the month before only is read of these two months.

    Args:
        connection: of the hub's database.
        days: which.
        as_of: the hub's time; its zone is that in which days begin.
        only: frames that are wanted.
        long: those of them that are read of all days.
    """
    end = midnight(days.end, as_of)
    recent = max(days.start, before((days.end - timedelta(days=1)).replace(day=1)))
    frames = {}
    for name in only:
        first = days.start if name in long else recent
        frames[name] = report_frames.frame(connection, name, Span(midnight(first, as_of), end))
    return Facts(
        frames=frames,
        first=report_facts.first_day(connection),
        as_of=as_of,
        complete=report_facts.complete_readings(connection, end),
        filled=report_facts.filled_since(connection),
    )


def midnight(day: date, zone_of: datetime) -> datetime:
    """The beginning of a day in the zone of a moment."""
    return datetime.combine(day, datetime.min.time(), zone_of.tzinfo)


def following(month: date) -> date:
    """The first day of the next month."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def before(month: date, count: int = 1) -> date:
    """The first day of the month `count` months earlier."""
    number = month.year * 12 + month.month - 1 - count
    return date(number // 12, number % 12 + 1, 1)
