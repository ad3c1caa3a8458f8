"""How a dataset, an agency and the city stand in a month: score, grade, and what keeps it down.

The score says how good the data is, the grade also whether targets are met and problems are put
right: `scheme.yaml` has the caps (ADR 0053). An agency stands the same in its own report and in the
city's; each standing is worked out once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from quality.reports.facts import Facts
from quality.reports.indicators import merged, overdue
from quality.reports.measures import judged, score, share
from quality.reports.problems import ListedProblem
from quality.reports.scheme import Dimension, ScoringScheme
from quality.reports.scope import Figures, Month, ReportScope
from schemas.models.catalogue import Catalogue

TOTAL = "total"
"""The unit that stands for all of a report's datasets."""
CapReason = Literal["targets", "overdue", "weakest"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One unit in one month; places are those of the scheme's grades, 0 the best.

    Attributes:
        unit: dataset, agency or `total`.
        score: out of 100; None where no row was read, then there is no grade either.
        by_score: the grade that the score alone would give.
        place: the grade that it has.
        caps: what keeps the grade below that of the score, the hardest first.
        missed: its key figures that miss their targets.
        measured: how many of its key figures were measured.
        late: its problems that are overdue; `problems`: all of the month.
        weakest: the member with the worst grade; empty for a dataset.
    """

    unit: str
    score: float | None = None
    by_score: int | None = None
    place: int | None = None
    caps: tuple[CapReason, ...] = ()
    missed: tuple[str, ...] = ()
    measured: int = 0
    late: int = 0
    problems: int = 0
    weakest: str = ""

    def figures(self) -> Figures:
        """Its counts, by key."""
        return {
            f"missed.{self.unit}.part": len(self.missed),
            f"missed.{self.unit}.of": self.measured,
            f"overdue.{self.unit}.part": self.late,
            f"overdue.{self.unit}.of": self.problems,
        }


class Standings:
    """Standings of one month, from one reading of the ledger."""

    def __init__(
        self,
        known: Catalogue,
        scheme: ScoringScheme,
        facts: Facts,
        month: date,
        problems: Sequence[ListedProblem],
    ) -> None:
        """Take what standings are made of.

        Args:
            known: contracts and registers.
            scheme: how a month is scored.
            facts: of at least this month.
            month: its first day.
            problems: of the month, of the whole city.
        """
        self._known, self._scheme, self._problems = known, scheme, problems
        self._facts, self._month = facts, month
        self._found: dict[str, Standing] = {}

    def of(self, scope: ReportScope) -> dict[str, Standing]:
        """The standing of each unit of a report, and of `total`."""
        if scope.whole:
            names = list(scope.units())
            units = {name: self._whole(ReportScope.of(self._known, name)) for name in names}
        else:
            units = {c.id: self._dataset(scope, c.id) for c in scope.contracts}
        return units | {TOTAL: replace(self._whole(scope), unit=TOTAL)}

    def _whole(self, scope: ReportScope) -> Standing:
        """An agency, or the city: named `total` in its own report, and by its id in the city's."""
        if scope.agency not in self._found:
            if scope.whole:
                members = [self._whole(ReportScope.of(self._known, a)) for a in scope.units()]
            else:
                members = [self._dataset(scope, c.id) for c in scope.contracts]
            self._found[scope.agency] = self._judge(scope, scope.agency, members)
        return self._found[scope.agency]

    def _dataset(self, scope: ReportScope, dataset: str) -> Standing:
        if dataset not in self._found:
            contract = next(c for c in scope.contracts if c.id == dataset)
            self._found[dataset] = self._judge(scope.alone(contract), dataset, ())
        return self._found[dataset]

    def _judge(self, scope: ReportScope, unit: str, members: Sequence[Standing]) -> Standing:
        ids = {c.id for c in scope.contracts}
        own = [p for p in self._problems if p.contract.id in ids]
        figures = judged(Month(self._facts, scope, self._month), self._scheme)
        figures |= overdue(own) | merged(self._known.registers)
        kpis = self._scheme.kpis.items()
        mine = {k: v.met(share(figures, f"kpi.{k}")) for k, v in kpis if scope.whole or not v.whole}
        found = Standing(
            unit,
            score=score(figures, [c.id for c in scope.contracts], self._scheme),
            missed=tuple(k for k, met in mine.items() if met is False),
            measured=sum(met is not None for met in mine.values()),
            late=int(figures["kpi.overdue.part"] or 0),
            problems=len(own),
        )
        return graded(found, members, self._scheme)


def graded(found: Standing, members: Sequence[Standing], scheme: ScoringScheme) -> Standing:
    """A standing with its grade.

    Args:
        found: with score, missed targets and problems.
        members: of whom it is made; empty for a dataset.
        scheme: grades and caps.
    """
    if found.score is None:
        return found
    by_score = scheme.place(found.score)
    late = 100 * found.late / found.problems if found.problems else 0.0
    limits: dict[CapReason, int] = {
        "targets": scheme.capped("targets", len(found.missed)),
        "overdue": scheme.capped("overdue", late),
    }
    judged_members = [(m.place, m) for m in members if m.place is not None]
    worst = max(judged_members, key=lambda pair: pair[0], default=None)
    if worst is not None:
        limits["weakest"] = worst[0] - scheme.caps.weakest
    return replace(
        found,
        by_score=by_score,
        place=max(by_score, *limits.values()),
        caps=_hardest(limits, by_score),
        weakest=worst[1].unit if worst else "",
    )


def _hardest(limits: Mapping[CapReason, int], by_score: int) -> tuple[CapReason, ...]:
    holding = [(place, reason) for reason, place in limits.items() if place > by_score]
    return tuple(reason for _, reason in sorted(holding, key=lambda pair: -pair[0]))


def dimension_place(
    level: float | None, dimension: Dimension, missed: Sequence[str], scheme: ScoringScheme
) -> int | None:
    """The grade of one dimension, by its place; None where it was not measured.

    Args:
        level: the dimension's, 0 to 1.
        dimension: which.
        missed: key figures that miss their targets; those of this dimension cap its grade.
        scheme: grades and caps.
    """
    if level is None:
        return None
    own = sum(scheme.kpis[k].dimension == dimension for k in missed)
    return max(scheme.place(100 * level), scheme.capped("targets", own))
