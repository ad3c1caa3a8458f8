"""What there is to do today: what waits for a visitor's agencies, and what got worse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from onecard.base import workdays
from onecard.model.holds import Hold, agency_of
from onecard.model.quality_problems import (
    OpenProblem,
    OpenProblems,
    WeekCompared,
)
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
from onecard.store.together import together
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


def today(connection: Connection, other: Connection, visit: Visit) -> Today:
    """Everything that the start page says.

    Args:
        connection: of the hub's database: is asked about problems and tickets.
        other: another session: is asked about agreements and holds at the same time.
        visit: names the visitor, the catalogue and the hub's day.
    """
    mine, now = visit.visitor.agencies, visit.site.settings.now()
    known, day = visit.catalogue, now.date()
    levels, contracts = known.service_levels, known.contracts.values()
    days = {c.id: levels.days(c.agency, "finding") for c in contracts if c.agency in mine}
    datasets, late = list(days), {d: workdays.over_since(day, n) for d, n in days.items()}
    span = Span.of(day, WORSE_DAYS)
    weeks = Weeks(day - 2 * WEEK, day - WEEK, day, span.first)
    provided, measured = _provided(visit), reaction_lines.measured(visit)
    standing = {a.id: text_of(a) for a in (*provided, *(a for a, _ in measured))}
    with together(connection):
        with together(other):  # what the next questions to it depend on, and the first to this one
            asked_lives = agreement_lives.ask(other, list(standing.values()), contents=False)
            asked_waits = reactions.ask_waits(other, known, measured, now)
            worse = quality_problems.worse(connection, datasets, weeks, FEW)
            first = quality_problems.oldest(connection, datasets, day, FEW)
            counts = quality_problems.open_counts(connection, late, day)
            waits = ticket_desk.waiting(connection, mine, day)
            urgent = ticket_desk.urgent(connection, mine, FEW)
        lives = asked_lives.on(day)
        with together(other):
            events = asked_waits.send(other, lives)
            asked_holds = holds.ask(other)
    overdue, compared = _overdue(first.all(), days, late), worse.all()
    with together(connection):
        some = quality_problems.some(connection, {*overdue, *(w.problem for w in compared)})
    problems = _Counted(counts.all(), days)
    waiting = {w.agency: w for w in waits.all()}
    held = [h for h in asked_holds.of(other, known) if _mine(known, h, mine)]
    stand = agreement_states.standing(visit, provided, lives)
    found = {line.problem.id: line for line in lines(visit, some.all())}
    approvals = [a for a in stand if a.life.state in WAITING]
    return Today(
        [
            _agency(a, waiting.get(a), problems, sum(_mine(known, h, [a]) for h in held), approvals)
            for a in mine
        ],
        urgent.all(),
        approvals,
        held,
        [found[problem] for problem in overdue if problem in found],
        _worse(visit, compared, found, span),
        _next_due(problems.dues, waiting, day),
        reaction_lines.oldest(events.lines()),
    )


def _overdue(
    found: Iterable[OpenProblem], days: Mapping[str, int], late: Mapping[str, date]
) -> list[int]:
    """Ids of the first problems that are overdue, the oldest deadline before others.

    Args:
        found: problems that are not accepted.
        days: that each dataset's agency has.
        late: of each dataset the latest day that is too long ago.
    """
    overdue = [p for p in found if p.day <= late[p.dataset]]
    first = sorted((workdays.after(p.day, days[p.dataset]).day, -p.rows, p.id) for p in overdue)
    return [problem for *_, problem in first[:FEW]]


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


def _worse(
    visit: Visit, found: Iterable[WeekCompared], by_id: Mapping[int, ProblemLine], span: Span
) -> list[WorseLine]:
    """Problems that got worse, each with its chart, in their order.

    Args:
        visit: names the language.
        found: those that got worst first.
        by_id: their names, by their ids.
        span: days of the charts.
    """
    say = Words(visit.language)
    return [
        WorseLine(
            by_id[w.problem],
            w,
            trend.bars(
                dict(zip(w.days, w.failed, strict=True)),
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

    def __init__(self, found: Iterable[OpenProblems], days: Mapping[str, int]) -> None:
        self.all: Counter[str] = Counter()
        self.overdue: Counter[str] = Counter()
        self.dues: set[date] = set()
        for some in found:
            agency = agency_of(some.dataset)
            self.all[agency] += some.problems
            self.overdue[agency] += some.overdue
            if some.next_since is not None:
                self.dues.add(workdays.after(some.next_since, days[some.dataset]).day)
