"""What there is to do today: what waits for a visitor's agencies, and what got worse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from onecard.model.holds import Hold, agency_of
from onecard.model.quality_problems import KnownProblem, OpenProblems, WeekCompared
from onecard.model.tickets import Ticket
from onecard.portal import agreement_lines, agreement_states, trend
from onecard.portal.agreement_lines import AgreementLine
from onecard.portal.guard import Visit
from onecard.portal.pages import Words
from onecard.portal.problem_lines import ProblemLine, lines
from onecard.portal.trend import Span
from onecard.store import holds, quality_problems, ticket_desk
from onecard.store.database import Connection
from onecard.store.quality_problems import Weeks
from onecard.store.ticket_desk import WaitingTickets
from onecard.store.together import together
from schemas.models.catalogue import Catalogue

WAITING = ("draft", "suspended")
"""States of an agreement that an approval ends."""
FEW = 5
"""So many of each kind stand on the page; the others behind a link."""
WORSE_DAYS = 28
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class WorseLine:
    """An open problem that more rows broke in the last seven days than in the seven before."""

    line: ProblemLine
    compared: WeekCompared
    chart: Markup


@dataclass(frozen=True, slots=True)
class AgencyLine:
    """An agency of the visitor, and how much waits there."""

    id: str
    tickets: int
    overdue_tickets: int
    held: int
    approvals: int
    problems: int
    overdue_problems: int


@dataclass(frozen=True, slots=True)
class Today:
    """What waits, and what got worse.

    Attributes:
        tickets: the most urgent, with how many there are in `agencies`.
        overdue: problems that are overdue, the oldest first, at most `FEW`.
        next_due: the next deadline of a ticket or a problem; None: there is none.
    """

    agencies: Sequence[AgencyLine]
    tickets: Sequence[Ticket]
    approvals: Sequence[AgreementLine]
    held: Sequence[Hold]
    overdue: Sequence[ProblemLine]
    worse: Sequence[WorseLine]
    next_due: date | None

    @property
    def totals(self) -> Mapping[str, int]:
        """How much waits in all agencies, by kind; what is held for two of them counts once."""
        parts = ("tickets", "overdue_tickets", "approvals", "problems", "overdue_problems")
        found = {part: sum(getattr(a, part) for a in self.agencies) for part in parts}
        return found | {"held": len(self.held)}


def today(connection: Connection, visit: Visit) -> Today:
    """Everything that the start page says.

    Args:
        connection: of the hub's database.
        visit: names the visitor, the catalogue and the hub's day.
    """
    mine, day = visit.visitor.agencies, visit.site.settings.now().date()
    known = visit.catalogue
    datasets = [c.id for c in known.contracts.values() if c.agency in mine]
    with together(connection):
        counts = quality_problems.open_counts(connection, datasets)
        oldest = quality_problems.oldest(connection, datasets, day, FEW)
        worse = quality_problems.worse(connection, datasets, _weeks(day), FEW)
        waits = ticket_desk.waiting(connection, mine, day)
        urgent = ticket_desk.urgent(connection, mine, FEW)
    problems = _Counted(visit, counts.all())
    waiting = {w.agency: w for w in waits.all()}
    held = [h for h in holds.holds(connection, known) if _mine(known, h, mine)]
    approvals = _approvals(connection, visit)
    return Today(
        [
            _agency(a, waiting.get(a), problems, sum(_mine(known, h, [a]) for h in held), approvals)
            for a in mine
        ],
        urgent.all(),
        approvals,
        held,
        lines(visit, _overdue(known, oldest.all(), day)),
        _worse(connection, visit, worse.all()),
        _next_due(problems.dues, waiting, day),
    )


def _overdue(known: Catalogue, found: Iterable[KnownProblem], day: date) -> list[KnownProblem]:
    """The first of some problems that are overdue, the oldest deadline before others."""
    levels, late = known.service_levels, []
    for problem in found:
        days = levels.days(agency_of(problem.dataset), "finding")
        if problem.standing(day, days) == "overdue":
            late.append((problem.due(days).day, -problem.rows, problem.id, problem))
    return [problem for *_, problem in sorted(late, key=lambda line: line[:3])[:FEW]]


def _mine(known: Catalogue, hold: Hold, agencies: Sequence[str]) -> bool:
    return any(agreement_lines.held_for(known, hold, agency) for agency in agencies)


def _agency(
    agency: str,
    waiting: WaitingTickets | None,
    problems: _Counted,
    held: int,
    approvals: Sequence[AgreementLine],
) -> AgencyLine:
    return AgencyLine(
        agency,
        waiting.tickets if waiting else 0,
        waiting.overdue if waiting else 0,
        held,
        sum(a.provider == agency for a in approvals),
        problems.all[agency],
        problems.overdue[agency],
    )


def _approvals(connection: Connection, visit: Visit) -> list[AgreementLine]:
    """Agreements over data of the visitor's agencies that wait for an approval."""
    mine = [
        a
        for a in visit.catalogue.agreements.values()
        if a.served and agreement_lines.provider(a) in visit.visitor.agencies
    ]
    return [a for a in agreement_states.lines(connection, visit, mine) if a.life.state in WAITING]


def _weeks(day: date) -> Weeks:
    return Weeks(day - 2 * WEEK, day - WEEK, day)


def _worse(connection: Connection, visit: Visit, found: Sequence[WeekCompared]) -> list[WorseLine]:
    day = visit.site.settings.now().date()
    listed = lines(visit, quality_problems.some(connection, [w.problem for w in found]))
    by_id = {line.problem.id: line for line in listed}
    span = Span.of(day, WORSE_DAYS)
    counts: dict[int, dict[date, int]] = {w.problem: {} for w in found}
    for line in quality_problems.days(connection, list(counts), span.first):
        counts[line.problem][line.day] = line.failed
    say = Words(visit.language)
    return [
        WorseLine(
            by_id[w.problem],
            w,
            trend.bars(
                counts[w.problem],
                span,
                say("worse_label", days=WORSE_DAYS, now=w.now, before=w.before),
                trend.SMALL,
            ),
        )
        for w in found
        if w.problem in by_id
    ]


def _next_due(
    cared: Iterable[date], waiting: Mapping[str, WaitingTickets], day: date
) -> date | None:
    answers = [w.next_due for w in waiting.values() if w.next_due is not None]
    return min((d for d in (*cared, *answers) if d >= day), default=None)


class _Counted:
    """Problems by agency: how many there are and are overdue, and the deadlines of the others."""

    def __init__(self, visit: Visit, found: Iterable[OpenProblems]) -> None:
        self.all: Counter[str] = Counter()
        self.overdue: Counter[str] = Counter()
        self.dues: set[date] = set()
        day, levels = visit.site.settings.now().date(), visit.catalogue.service_levels
        for some in found:
            agency = agency_of(some.dataset)
            days = levels.days(agency, "finding")
            standing = some.standing(day, days)
            self.all[agency] += some.problems
            if standing == "overdue":
                self.overdue[agency] += some.problems
            elif standing != "accepted":
                self.dues.add(some.due(days))
