"""Headlines of months that are over, from one reading of the ledger for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from onecard.store.database import Connection
from quality.reports import facts as ledger_facts
from quality.reports import problems
from quality.reports.corrections import Headlines, headlines
from quality.reports.facts import Facts, Period, before, following
from quality.reports.indicators import merged, overdue
from quality.reports.measures import judged
from quality.reports.problems import ListedProblem
from quality.reports.scheme import ScoringScheme
from quality.reports.scope import CITY, Month, ReportScope
from quality.reports.standings import TOTAL, Standings
from schemas.models.catalogue import Catalogue


class Past:
    """Some months, each as a report of it alone would see it now."""

    def __init__(
        self,
        connection: Connection,
        known: Catalogue,
        scheme: ScoringScheme,
        months: Sequence[date],
        now: datetime,
    ) -> None:
        """Read the ledger of these months.

        Args:
            connection: of the hub's database; it stays in use.
            known: contracts and agreements.
            scheme: how a month is judged.
            months: first days, in their order, one or more.
            now: the hub's time.
        """
        self._connection, self._known, self._scheme = connection, known, scheme
        days = Period(before(months[0]), following(months[-1]))
        needed = ledger_facts.OF_STANDINGS
        wanted = (*needed, *ledger_facts.BESIDE_STANDINGS)
        self._facts = ledger_facts.read(connection, days, now, wanted, needed)

    def month(self, month: date) -> PastMonth:
        """One of the months.

        Args:
            month: its first day.
        """
        facts = self._facts.as_at(self._connection, month)
        city, levels = ReportScope.of(self._known, CITY), self._known.service_levels
        at = Month(facts, city, month)
        listed = problems.listed(self._connection, at, levels, sampled=False)
        standings = Standings(self._known, self._scheme, facts, month, listed)
        return PastMonth(self._known, self._scheme, facts, month, listed, standings)


@dataclass(frozen=True, slots=True)
class PastMonth:
    """One month, with the problems and the standings of the whole city."""

    known: Catalogue
    scheme: ScoringScheme
    facts: Facts
    month: date
    problems: Sequence[ListedProblem]
    standings: Standings

    def headlines(self, agency: str) -> Headlines:
        """What the report of an agency says of the month.

        Args:
            agency: its id, or that of the whole city.
        """
        scope = ReportScope.of(self.known, agency)
        ids = scope.members(TOTAL)
        figures = judged(Month(self.facts, scope, self.month), self.scheme)
        figures |= overdue([p for p in self.problems if p.contract.id in ids])
        figures |= merged(self.known.registers)
        return headlines(self.standings.of(scope), figures, self.scheme)
