"""What there is to do today: what waits for a visitor's agencies, and what got worse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from onecard.model.holds import Hold, agency_of
from onecard.model.quality_problems import KnownProblem, OpenProblems, ProblemDay, WeekCompared
from onecard.model.tickets import Ticket
from onecard.operations import reactions
from onecard.operations.reactions import ReactionLine
from onecard.portal import agreement_lines, agreement_states, reaction_lines, trend
from onecard.portal.agreement_lines import AgreementLine
from onecard.portal.guard import Visit
from onecard.portal.pages import Words
from onecard.portal.problem_lines import ProblemLine, lines
from onecard.portal.trend import Span
from onecard.store import agreement_lives, holds, quality_problems, ticket_desk
from onecard.store.agreement_texts import text_of
from onecard.store.database import Connection
from onecard.store.quality_problems import Weeks
from onecard.store.ticket_desk import WaitingTickets
from onecard.store.together import Sent, together
from schemas.models.agreement import Agreement
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
        oldest: of the event that waits longest for its consumer; None: none does.
    """

    agencies: Sequence[AgencyLine]
    tickets: Sequence[Ticket]
    approvals: Sequence[AgreementLine]
    held: Sequence[Hold]
    overdue: Sequence[ProblemLine]
    worse: Sequence[WorseLine]
    next_due: date | None
    oldest: ReactionLine | None

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
    mine, now = visit.visitor.agencies, visit.site.settings.now()
    known, day = visit.catalogue, now.date()
    datasets = [c.id for c in known.contracts.values() if c.agency in mine]
    provided, measured = _provided(visit), reaction_lines.measured(visit)
    standing = {a.id: text_of(a) for a in (*provided, *(a for a, _ in measured))}
    with together(connection):
        counts = quality_problems.open_counts(connection, datasets)
        first = quality_problems.oldest(connection, datasets, day, FEW)
        worse = quality_problems.worse(connection, datasets, _weeks(day), FEW)
        waits = ticket_desk.waiting(connection, mine, day)
        urgent = ticket_desk.urgent(connection, mine, FEW)
        asked_holds = holds.ask(connection)
        asked_lives = agreement_lives.ask(connection, list(standing.values()), contents=False)
        asked_waits = reactions.ask_waits(connection, known, measured, now)
    lives, compared = asked_lives.on(day), worse.all()
    with together(connection):
        events = asked_waits.send(connection, lives)
        courses = _Courses.ask(connection, compared, day)
    problems = _Counted(visit, counts.all())
    waiting = {w.agency: w for w in waits.all()}
    held = [h for h in asked_holds.of(connection, known) if _mine(known, h, mine)]
    stand = agreement_states.standing(visit, provided, lives)
    approvals = [a for a in stand if a.life.state in WAITING]
    return Today(
        [
            _agency(a, waiting.get(a), problems, sum(_mine(known, h, [a]) for h in held), approvals)
            for a in mine
        ],
        urgent.all(),
        approvals,
        held,
        lines(visit, _overdue(known, first.all(), day)),
        courses.lines(visit),
        _next_due(problems.dues, waiting, day),
        reaction_lines.oldest(events.lines()),
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


def _provided(visit: Visit) -> list[Agreement]:
    """Served agreements over data of the visitor's agencies."""
    return [
        a
        for a in visit.catalogue.agreements.values()
        if a.served and agreement_lines.provider(a) in visit.visitor.agencies
    ]


def _weeks(day: date) -> Weeks:
    return Weeks(day - 2 * WEEK, day - WEEK, day)


@dataclass(frozen=True, slots=True)
class _Courses:
    """Problems that got worse, as their names and last days were asked for; to be read once."""

    _found: Sequence[WeekCompared]
    _span: Span
    _problems: Sent[KnownProblem]
    _days: Sent[ProblemDay]

    @classmethod
    def ask(cls, connection: Connection, found: Sequence[WeekCompared], day: date) -> _Courses:
        """Ask for them.

        Args:
            connection: of the hub's database.
            found: the problems, those that got worst first.
            day: the hub's.
        """
        span, ids = Span.of(day, WORSE_DAYS), [w.problem for w in found]
        some = quality_problems.some(connection, ids)
        return cls(found, span, some, quality_problems.days(connection, ids, span.first))

    def lines(self, visit: Visit) -> list[WorseLine]:
        """Each with its chart, in their order.

        Args:
            visit: names language and catalogue.
        """
        by_id = {line.problem.id: line for line in lines(visit, self._problems.all())}
        counts: dict[int, dict[date, int]] = {w.problem: {} for w in self._found}
        for line in self._days.all():
            counts[line.problem][line.day] = line.failed
        say = Words(visit.language)
        return [
            WorseLine(
                by_id[w.problem],
                w,
                trend.bars(
                    counts[w.problem],
                    self._span,
                    say("worse_label", days=WORSE_DAYS, now=w.now, before=w.before),
                    trend.SMALL,
                ),
            )
            for w in self._found
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
