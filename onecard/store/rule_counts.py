"""How many rows failed each rule, and how each expectation ended, of some transfers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg.rows import class_row

from onecard.store.database import Connection

_BROKEN: LiteralString = (
    "SELECT transfer, field, rule, severity, failed FROM ledger.rule_count"
    " WHERE transfer = ANY(%(transfers)s) ORDER BY failed DESC, transfer, field, rule"
)
_EXPECTATIONS: LiteralString = (
    "SELECT transfer, name, severity, passed, observed FROM ledger.finding"
    " WHERE transfer = ANY(%(transfers)s) ORDER BY transfer, name"
)
_UNCHALLENGED: LiteralString = (
    "SELECT subject AS dataset, field, rule FROM ledger.rule_count r"
    " JOIN ledger.transfer t ON t.id = r.transfer WHERE severity = 'error'"
    " AND hub_time > %(since)s AND NOT EXISTS"
    " (SELECT FROM ledger.ticket k WHERE k.dataset = subject AND k.rule = r.rule)"
    " ORDER BY failed DESC, subject, field, rule LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """Rows of one transfer that failed a rule; the field is empty for one of the whole record."""

    transfer: int
    field: str
    rule: str
    severity: str
    failed: int


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """How an expectation ended in one transfer; `observed` is None where it is no number."""

    transfer: int
    name: str
    severity: str
    passed: bool
    observed: float | None


@dataclass(frozen=True, slots=True)
class UnchallengedRule:
    """A broken rule for which there is no ticket yet."""

    dataset: str
    field: str
    rule: str


def broken_rules(connection: Connection, transfers: Collection[int]) -> list[BrokenRule]:
    """The rules that rows of these transfers failed, the most failed first."""
    cursor = connection.cursor(row_factory=class_row(BrokenRule))
    return cursor.execute(_BROKEN, {"transfers": sorted(transfers)}).fetchall()


def expectations(connection: Connection, transfers: Collection[int]) -> list[ExpectationResult]:
    """How the expectations of these transfers ended, by transfer and name."""
    cursor = connection.cursor(row_factory=class_row(ExpectationResult))
    return cursor.execute(_EXPECTATIONS, {"transfers": sorted(transfers)}).fetchall()


def worst_unchallenged(connection: Connection, since: datetime) -> UnchallengedRule | None:
    """The most failed rule of severity error since that moment that nobody has challenged."""
    cursor = connection.cursor(row_factory=class_row(UnchallengedRule))
    return cursor.execute(_UNCHALLENGED, {"since": since}).fetchone()
