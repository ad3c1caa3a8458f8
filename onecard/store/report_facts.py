"""Single facts of the ledger for the stewards' reports: first days, complete readings, samples.

Days are days of the hub's clock in Asia/Shanghai. Nothing here holds a row's value.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import LiteralString

from onecard.base.sql_text import query
from onecard.store.database import Connection, fetch_all, scalar
from onecard.store.days import DAY

_FIRST: LiteralString = (
    "SELECT least((SELECT min({day}) FROM ledger.transfer), (SELECT min(day) FROM ledger.lane_day))"
)
_COMPLETE: LiteralString = (
    "SELECT subject AS dataset, max(id) AS transfer FROM ledger.transfer"
    " WHERE direction = 'collect' AND NOT replay AND status = 'published' AND whole"
    " AND source_rows IS NOT NULL AND rows_read > 0 AND hub_time < %(end)s GROUP BY subject"
)
_FILLED: LiteralString = (
    "SELECT subject AS dataset, min(day) AS day FROM (SELECT subject, {day} AS day"
    " FROM ledger.transfer WHERE direction = 'collect' AND NOT replay AND status = 'published'"
    " AND published + unchanged > 0 UNION ALL SELECT subject, day FROM ledger.lane_day"
    " WHERE direction = 'collect' AND published + unchanged > 0) f GROUP BY subject"
)
_SAMPLES: LiteralString = (
    "SELECT DISTINCT ON (dataset, x->>0, x->>1) dataset, x->>0 AS field, x->>1 AS rule,"
    " last_transfer AS transfer, row_number FROM quarantine.record,"
    " jsonb_array_elements(reasons) AS x WHERE agreement IS NULL"
    " AND dataset = ANY(%(datasets)s) ORDER BY dataset, x->>0, x->>1, id DESC"
)


@dataclass(frozen=True, slots=True)
class CompleteReading:
    """The newest published collect that read the whole of a dataset's source."""

    dataset: str
    transfer: int


@dataclass(frozen=True, slots=True)
class FirstFilled:
    """The day from which a dataset holds data."""

    dataset: str
    day: date


@dataclass(frozen=True, slots=True)
class Sample:
    """A quarantined row that failed a rule, by transfer and row number."""

    dataset: str
    field: str
    rule: str
    transfer: int
    row_number: int


def first_day(connection: Connection) -> date | None:
    """Day of the hub's first transfer."""
    return scalar(connection, date, query(_FIRST, day=DAY))


def complete_readings(connection: Connection, end: datetime) -> dict[str, int]:
    """By dataset, its newest published collect before that moment that read all of its source.

    A folder of files is a feed of news: no reading of it is complete.
    """
    found = fetch_all(connection, CompleteReading, _COMPLETE, {"end": end})
    return {line.dataset: line.transfer for line in found}


def filled_since(connection: Connection) -> dict[str, date]:
    """By dataset, the day from which it holds data."""
    found = fetch_all(connection, FirstFilled, query(_FILLED, day=DAY))
    return {line.dataset: line.day for line in found}


def samples(connection: Connection, datasets: Collection[str]) -> list[Sample]:
    """For each field and rule of these datasets, the newest quarantined row that failed it."""
    return fetch_all(connection, Sample, _SAMPLES, {"datasets": list(datasets)})
