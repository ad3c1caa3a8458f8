"""Whose report it is, and the frames of one month of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl

from quality.reports.facts import Facts, before, following
from schemas.models.agreement import Agreement
from schemas.models.catalogue import Catalogue
from schemas.models.contract import Contract

CITY = "bureau"
"""Whose report is the whole city's."""
Number = int | float | None
Figures = dict[str, Number]


@dataclass(frozen=True, slots=True)
class ReportScope:
    """Whose report it is: one providing agency's, or the whole city's (the bureau's).

    Attributes:
        contracts: of the datasets that are on board; all figures are of these.
        agreements: under which something is delivered.
        onboarding: of the datasets that are not yet; nothing of them is counted.
        asked: agreements under which single persons are asked for.
        single: it is of one dataset alone, which is judged by itself.
    """

    agency: str
    contracts: tuple[Contract, ...]
    agreements: tuple[Agreement, ...]
    whole: bool
    onboarding: tuple[Contract, ...] = ()
    asked: tuple[Agreement, ...] = ()
    single: bool = False

    @classmethod
    def of(cls, known: Catalogue, agency: str) -> ReportScope:
        """The scope of an agency: its datasets and what is delivered of them."""
        whole = not any(c.agency == agency for c in known.contracts.values())
        mine = [c for _, c in sorted(known.contracts.items()) if whole or c.agency == agency]
        contracts = [c for c in mine if not known.onboarding(c.id)]
        ids = {c.id for c in contracts}
        theirs = [a for _, a in sorted(known.agreements.items()) if a.dataset in ids]
        on_board = [a for a in theirs if not known.onboarding(a.id)]
        return cls(
            agency,
            tuple(contracts),
            tuple(a for a in on_board if a.delivered),
            whole,
            tuple(c for c in mine if known.onboarding(c.id)),
            tuple(a for a in on_board if a.asked),
        )

    def alone(self, contract: Contract) -> ReportScope:
        """One of its datasets, and what is delivered of it."""
        mine = tuple(a for a in self.agreements if a.dataset == contract.id)
        return ReportScope(contract.agency, (contract,), mine, whole=False, single=True)

    def members(self, unit: str) -> tuple[str, ...]:
        """The datasets of a unit, or of all for `total`."""
        found = self.contracts if unit == "total" else self.units().get(unit, ())
        return tuple(c.id for c in found)

    def units(self) -> dict[str, tuple[Contract, ...]]:
        """What is scored by itself: the datasets of an agency, the agencies of the city."""
        units: dict[str, tuple[Contract, ...]] = {}
        for contract in self.contracts:
            unit = contract.agency if self.whole else contract.id
            units[unit] = (*units.get(unit, ()), contract)
        return units


class Month:
    """The frames of one month and one scope."""

    def __init__(self, facts: Facts, scope: ReportScope, month: date) -> None:
        """Take the rows of one month and scope.

        Args:
            facts: of several months.
            scope: whose report it is.
            month: its first day.
        """
        self.facts, self.scope, self.month = facts, scope, month
        datasets = [c.id for c in scope.contracts]
        agreements = [a.id for a in scope.agreements]
        self._of = {"dataset": datasets, "agreement": agreements, "subject": datasets + agreements}

    def frame(self, name: str) -> pl.DataFrame:
        """One frame's rows of this month and scope; columns as in `report_frames.FRAMES`."""
        frame = self.facts[name]
        if "day" in frame.columns:
            days = (pl.col("day") >= self.month) & (pl.col("day") < following(self.month))
            frame = frame.filter(days)
        elif "month" in frame.columns:
            frame = frame.filter(pl.col("month") == self.month)
        for column, wanted in self._of.items():
            if column in frame.columns:
                frame = frame.filter(pl.col(column).is_in(wanted))
        return frame

    def days(self) -> int:
        """Days of the month on which the hub ran already: from its first to the newest."""
        first = max(self.facts.first or self.month, self.month)
        last = min(following(self.month) - timedelta(days=1), self.facts.as_of.date())
        return max((last - first).days + 1, 0) if self.facts.first else 0


def own_tickets(at: Month) -> list[dict[str, Any]]:
    """Tickets for the scope's agency or dataset, as rows; none of what is onboarding."""
    new = [c.id for c in at.scope.onboarding]
    frame = at.facts["tickets"].filter(~pl.col("dataset").is_in(new))
    if not at.scope.whole:
        frame = frame.filter(pl.col("agency") == at.scope.agency)
    if at.scope.single:
        frame = frame.filter(pl.col("dataset").is_in([c.id for c in at.scope.contracts]))
    return frame.to_dicts()


def within(day: object, month: date) -> bool:
    """Whether a day, if it is one, lies in the month."""
    return isinstance(day, date) and month <= day < following(month)


def rows_by(frame: pl.DataFrame, key: str) -> dict[str, dict[str, int]]:
    """The frame's other columns as dictionaries, by the column `key`."""
    return {str(row.pop(key)): row for row in frame.to_dicts()}


def months(last: date, count: int) -> Iterable[date]:
    """The `count` months up to `last`, oldest first."""
    return [before(last, n) for n in range(count - 1, -1, -1)]
