"""Calls about single persons in a month: how they were answered, how soon, and by what refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from onecard.model.call_figures import FEW_CALLS, KINDS, QUANTILES, RefusalKind, RefusedCalls
from onecard.model.call_lines import CallLine, call_lines
from onecard.store import call_figures
from onecard.store.database import Connection
from onecard.store.report_frames import Span
from quality.reports.scope import Figures, ReportScope
from schemas.models.catalogue import Catalogue

NOBODY = "-"
"""In keys: no agreement, or no caller that was proved."""


@dataclass(frozen=True, slots=True)
class MonthCall:
    """Calls of one system under one agreement, or residents' look-ups of their own data."""

    line: CallLine

    @property
    def key(self) -> str:
        """Of its figures."""
        return f"call.{self.line.name or NOBODY}.{self.line.caller}"

    @property
    def few(self) -> bool:
        """Whether percentiles say little."""
        return 0 < self.line.answered.calls < FEW_CALLS


@dataclass(frozen=True, slots=True)
class MonthRefusal:
    """Calls of one system under one agreement that were refused by one rule.

    Attributes:
        agreement: its id; empty: none, or nobody was proved.
        caller: sid; empty: nobody was proved.
    """

    agreement: str
    caller: str
    kind: RefusalKind
    calls: int

    @property
    def key(self) -> str:
        """Of its figure."""
        return f"refusal.{self.agreement or NOBODY}.{self.caller or NOBODY}.{self.kind}"


@dataclass(frozen=True, slots=True)
class MonthCalls:
    """All of a month, of one scope or of every scope."""

    calls: tuple[MonthCall, ...]
    refusals: tuple[MonthRefusal, ...]

    @classmethod
    def read(cls, connection: Connection, known: Catalogue, span: Span) -> MonthCalls:
        """What was asked in a span.

        Args:
            connection: of the hub's database.
            known: agreements, and the systems that may call.
            span: both ends are beginnings of days.
        """
        answered = call_figures.answered_calls(connection, span.start, span.end)
        refused = call_figures.refused_calls(connection, span.start, span.end)
        lines = call_lines(known, answered, refused)
        return cls(tuple(MonthCall(line) for line in lines), _by_kind(refused))

    def of(self, scope: ReportScope) -> MonthCalls:
        """Those under a scope's agreements; the whole city's has all the others too."""
        if scope.whole:
            return self
        ids = {a.id for a in scope.asked}
        return MonthCalls(
            tuple(call for call in self.calls if call.line.name in ids),
            tuple(r for r in self.refusals if r.agreement in ids),
        )

    def figures(self) -> Figures:
        """All numbers, by key."""
        figures: Figures = {}
        for call in self.calls:
            figures |= _of_call(call)
        figures |= {r.key: r.calls for r in self.refusals}
        for name in ("answered", "none", "refused"):
            figures[f"call.total.{name}"] = sum(
                int(figures[f"{call.key}.{name}"] or 0) for call in self.calls
            )
        figures["law.refused"] = sum(r.calls for r in self.refusals)
        figures["law.asked"] = sum(c.line.answered.calls for c in self.calls if c.line.name)
        for kind in KINDS:
            figures[f"law.refused.{kind}"] = sum(r.calls for r in self.refusals if r.kind == kind)
        return figures


def _of_call(call: MonthCall) -> Figures:
    key, line = call.key, call.line
    found: Figures = {
        f"{key}.answered": line.answered.found,
        f"{key}.none": line.answered.nothing,
        f"{key}.refused": line.refused,
    }
    found |= {f"{key}.p{percent}": line.answered.quantile(percent) for percent in QUANTILES}
    if line.in_time is not None:
        found[f"{key}.in_time.part"] = line.in_time
        found[f"{key}.in_time.of"] = line.answered.calls
    return found


def _by_kind(refused: list[RefusedCalls]) -> tuple[MonthRefusal, ...]:
    counted: Counter[tuple[str, str, RefusalKind]] = Counter()
    for line in refused:
        counted[line.agreement, line.caller, line.kind] += line.calls
    order = sorted(counted, key=lambda name: (not name[0], name[0], name[1], KINDS.index(name[2])))
    return tuple(MonthRefusal(*name, counted[name]) for name in order)
