"""Operators who were suspended from single calls in a month, as figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from onecard.model.holds import agency_of
from onecard.model.misuse import Suspension
from onecard.store import suspensions
from onecard.store.database import Connection
from onecard.store.report_frames import Span
from quality.reports.scheme import Language
from quality.reports.scope import Figures, ReportScope
from schemas.models.callers import CallerSystem
from schemas.models.catalogue import Catalogue
from schemas.models.misuse import MisuseRule
from schemas.models.problem import InvalidFile


@dataclass(frozen=True, slots=True)
class MonthSuspensions:
    """Suspensions of one operator by one rule in a month.

    Attributes:
        agency: of the caller; empty where nobody knows any more.
        providers: agencies whose data the operator had asked for.
        times: how many there were.
        most: the largest number that a rule has counted.
        lifted: how many a person has lifted before their end.
        first: when the first began.
        last: when the last began.
    """

    agency: str
    caller: str
    operator: str
    rule: str
    providers: frozenset[str]
    times: int
    most: int
    lifted: int
    first: datetime
    last: datetime

    @property
    def key(self) -> str:
        """Of its figures."""
        return f"misuse.{self.caller}.{self.operator}.{self.rule}"


@dataclass(frozen=True, slots=True)
class MonthMisuse:
    """All of a month, of every scope, by caller, operator and rule.

    Attributes:
        callers: systems by sid, for their titles.
        rules: by name, for their titles.
    """

    lines: tuple[MonthSuspensions, ...]
    callers: Mapping[str, CallerSystem]
    rules: Mapping[str, MisuseRule]

    @classmethod
    def read(cls, connection: Connection, known: Catalogue, span: Span) -> MonthMisuse:
        """Suspensions that began in a span.

        Args:
            connection: of the hub's database.
            known: agreements, callers and rules.
            span: of their beginnings.
        """
        by: dict[tuple[str, str, str], list[Suspension]] = {}
        for found in suspensions.begun(connection, span.start, span.end):
            by.setdefault((found.caller, found.operator, found.rule), []).append(found)
        lines = tuple(_line(found, known) for _, found in sorted(by.items()))
        try:
            rules = {str(name): rule for name, rule in known.misuse.rules.by_name().items()}
            return cls(lines, known.callers, rules)
        except InvalidFile:  # what happened is told all the same, by ids
            return cls(lines, {}, {})

    def of(self, scope: ReportScope) -> MonthMisuse:
        """Those of a scope's agency: of its own operators, and of others who asked for its data."""
        mine = tuple(
            line
            for line in self.lines
            if scope.whole or scope.agency == line.agency or scope.agency in line.providers
        )
        return MonthMisuse(mine, self.callers, self.rules)

    def figures(self) -> Figures:
        """All numbers, by key."""
        figures: Figures = {}
        for line in self.lines:
            figures[f"{line.key}.times"] = line.times
            figures[f"{line.key}.most"] = line.most
            figures[f"{line.key}.lifted"] = line.lifted
        return figures

    def system(self, caller: str, language: Language) -> str:
        """A caller's title; its sid where it is not known any more.

        Args:
            caller: its sid.
            language: of the title.
        """
        found = self.callers.get(caller)
        if found is None:
            return caller
        return found.title if language == "zh" else found.title_en

    def rule(self, name: str, language: Language) -> str:
        """A rule's title.

        Args:
            name: of the rule.
            language: of the title.
        """
        found = self.rules.get(name)
        if found is None:
            return name
        return found.title if language == "zh" else found.title_en


def _line(found: list[Suspension], known: Catalogue) -> MonthSuspensions:
    first, last = found[0], found[-1]
    named = {name for one in found for name in one.agreements}
    texts = [known.agreements[name] for name in named if name in known.agreements]
    return MonthSuspensions(
        agency=last.agency if last.agency in known.agencies else "",
        caller=last.caller,
        operator=last.operator,
        rule=last.rule,
        providers=frozenset(agency_of(dataset) for text in texts for dataset in text.datasets),
        times=len(found),
        most=max(one.number for one in found),
        lifted=sum(one.lifted_at is not None for one in found),
        first=first.at,
        last=last.at,
    )
