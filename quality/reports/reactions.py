"""How fast events reached their consumers in a month, and which came too late, as figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from onecard.model.reaction import FEW, QUANTILES, Breach, ReactionTimes, joined
from onecard.store import reaction
from onecard.store.database import Connection
from onecard.store.report_frames import Span
from quality.reports.scope import Figures, ReportScope
from schemas.models.catalogue import Catalogue
from schemas.models.reaction import Kind, Limit


@dataclass(frozen=True, slots=True)
class MonthReaction:
    """How fast events of one kind reached one agreement's consumer.

    Attributes:
        name: of the kind.
        limit: None: the kind is measured only.
    """

    agreement: str
    name: str
    kind: Kind
    limit: Limit | None
    times: ReactionTimes

    @property
    def key(self) -> str:
        """Of its figures."""
        return f"reaction.{self.agreement}.{self.name}"

    @property
    def few(self) -> bool:
        """Whether percentiles say little."""
        return 0 < self.times.events < FEW


@dataclass(frozen=True, slots=True)
class MonthBreach:
    """Events of one kind, consumer and cause that were confirmed too late."""

    kind: Kind
    found: Breach

    @property
    def key(self) -> str:
        """Of its figures."""
        found = self.found
        return f"late.{found.agreement}.{found.kind}.{found.cause}.{found.allowed}"


@dataclass(frozen=True, slots=True)
class MonthReactions:
    """All of a month, of every scope."""

    lines: tuple[MonthReaction, ...]
    breaches: tuple[MonthBreach, ...]

    @classmethod
    def read(cls, connection: Connection, known: Catalogue, span: Span) -> MonthReactions:
        """What was confirmed in a span.

        Args:
            connection: of the hub's database.
            known: agreements, and what is expected of them.
            span: of the confirmations; both ends are beginnings of days.
        """
        counted = reaction.times(connection, span.start, span.end)
        times = {(found.agreement, found.kind): found for found in counted}
        lines: list[MonthReaction] = []
        for _, agreement in sorted(known.agreements.items()):
            contract = known.contracts.get(agreement.dataset)
            expected = known.reaction.expected(agreement, contract) if contract else None
            for name, kind in expected.events.kinds.items() if expected else ():
                nothing = ReactionTimes(agreement.id, name, {})
                limit = expected.limits.get(name) if expected else None
                found = times.get((agreement.id, name), nothing)
                lines.append(MonthReaction(agreement.id, name, kind, limit, found))
        kinds = known.reaction.kinds
        late = joined(reaction.breaches(connection, span.start, span.end))
        breaches = tuple(MonthBreach(kinds[b.kind], b) for b in late if b.kind in kinds)
        return cls(tuple(lines), breaches)

    def of(self, scope: ReportScope) -> MonthReactions:
        """Those of a scope's agreements."""
        ids = {a.id for a in scope.agreements}
        return MonthReactions(
            tuple(line for line in self.lines if line.agreement in ids),
            tuple(b for b in self.breaches if b.found.agreement in ids),
        )

    def figures(self) -> Figures:
        """All numbers, by key."""
        figures: Figures = {}
        for line in self.lines:
            figures |= _of_line(line, self._beyond(line))
        for breach in self.breaches:
            figures[f"{breach.key}.events"] = breach.found.events
            figures[f"{breach.key}.worst"] = breach.found.worst
        return figures

    def _beyond(self, line: MonthReaction) -> int:
        """How many of the line's events came too late."""
        mine = (line.agreement, line.name)
        return _sum(b.found for b in self.breaches if (b.found.agreement, b.found.kind) == mine)


def _of_line(line: MonthReaction, beyond: int) -> Figures:
    key, times = line.key, line.times
    found: Figures = {
        f"{key}.events": times.events,
        f"{key}.ahead": times.ahead,
        f"{key}.later": times.later,
    }
    found |= {f"{key}.p{round(100 * q)}": times.quantile(q) for q in QUANTILES}
    if line.limit is not None:
        found[f"{key}.in_limit.part"] = times.events - beyond
        found[f"{key}.in_limit.of"] = times.events
    return found


def _sum(breaches: Iterable[Breach]) -> int:
    return sum(b.events for b in breaches)
