"""Single facts of the ledger for the stewards' reports: first days, newest collects, samples.

Days are days of the hub's clock in Asia/Shanghai. Nothing here holds a row's value.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import LiteralString

from psycopg.rows import class_row, scalar_row

from onecard.store.database import Connection, query
from onecard.store.report_frames import DAY

_FIRST: LiteralString = "SELECT min({day}) FROM ledger.transfer"
_NEWEST: LiteralString = (
    "SELECT subject AS dataset, max(id) AS transfer FROM ledger.transfer"
    " WHERE direction = 'collect' AND NOT replay AND status = 'published'"
    " AND hub_time < %(end)s GROUP BY subject"
)
_FILLED: LiteralString = (
    "SELECT subject AS dataset, min({day}) AS day FROM ledger.transfer"
    " WHERE direction = 'collect' AND NOT replay AND status = 'published'"
    " AND published + unchanged > 0 GROUP BY subject"
)
_SAMPLES: LiteralString = (
    "SELECT DISTINCT ON (dataset, x->>0, x->>1) dataset, x->>0 AS field, x->>1 AS rule,"
    " last_transfer AS transfer, row_number FROM quarantine.record,"
    " jsonb_array_elements(reasons) AS x WHERE agreement IS NULL"
    " AND dataset = ANY(%(datasets)s) ORDER BY dataset, x->>0, x->>1, id DESC"
)


@dataclass(frozen=True, slots=True)
class NewestCollect:
    """The newest published collect of a dataset."""

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
    cursor = connection.cursor(row_factory=scalar_row)
    found: date | None = cursor.execute(query(_FIRST, day=DAY)).fetchone()
    return found


def newest_collects(connection: Connection, end: datetime) -> dict[str, int]:
    """By dataset, its newest published collect before that moment."""
    cursor = connection.cursor(row_factory=class_row(NewestCollect))
    return {found.dataset: found.transfer for found in cursor.execute(_NEWEST, {"end": end})}


def filled_since(connection: Connection) -> dict[str, date]:
    """By dataset, the day from which it holds data."""
    cursor = connection.cursor(row_factory=class_row(FirstFilled))
    return {found.dataset: found.day for found in cursor.execute(query(_FILLED, day=DAY))}


def samples(connection: Connection, datasets: Collection[str]) -> list[Sample]:
    """For each field and rule of these datasets, the newest quarantined row that failed it."""
    cursor = connection.cursor(row_factory=class_row(Sample))
    return cursor.execute(_SAMPLES, {"datasets": list(datasets)}).fetchall()
