"""One problem: what its rule asks for, how it went, who is affected, which rows are open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from markupsafe import Markup

from onecard.deliver.returned_rows import masked_rows
from onecard.model.quality_problems import KnownProblem, ProblemDay
from onecard.portal import trend
from onecard.portal.guard import Visit
from onecard.portal.pages import Words, language
from onecard.portal.problem_lines import ProblemLine
from onecard.portal.trend import Span
from onecard.store import quality_problems, quarantine
from onecard.store.database import Connection
from onecard.store.quality_problems import KeptRow
from quality.rows.rule_examples import Example, example
from quality.rows.rule_formulas import formula
from schemas.models import codes
from schemas.models.contract import Contract
from schemas.models.expected import expected

TREND_DAYS = 90
ROWS = 25
"""Rows on one page."""


@dataclass(frozen=True, slots=True)
class ExampleLine:
    """One field of an example; empty where the value is absent."""

    title: str
    right: str
    wrong: str


@dataclass(frozen=True, slots=True)
class RuleWords:
    """A rule in words.

    Attributes:
        formula: what it asks for, written out; empty for one of the gate's own.
        expected: which form the field takes; empty where the rule is not about its form.
    """

    formula: str
    expected: str
    example: Sequence[ExampleLine]


def rule_words(visit: Visit, line: ProblemLine) -> RuleWords:
    """The rule in words, with invented values that keep it and that break it.

    Args:
        visit: names the language.
        line: the problem.
    """
    spoken, contract, problem = language(visit.request), line.contract, line.problem
    found = example(contract, problem.field, problem.rule)
    return RuleWords(
        formula(contract, problem.rule, spoken),
        expected(contract, problem.field, problem.rule, spoken),
        () if found is None else _example(contract, found, english=spoken == "en"),
    )


def _example(contract: Contract, found: Example, *, english: bool) -> list[ExampleLine]:
    titles = {f.name: f.name if english else f.title for f in contract.fields}
    return [
        ExampleLine(titles[name], right or "", found.wrong.get(name) or "")
        for name, right in found.right.items()
    ]


@dataclass(frozen=True, slots=True)
class Course:
    """How a problem went: its chart, and the days on which rows broke the rule, newest first."""

    chart: Markup
    days: Sequence[ProblemDay]


def course(connection: Connection, visit: Visit, problem: KnownProblem) -> Course:
    """The last ninety days of a problem.

    Args:
        connection: of the hub's database.
        visit: names language and the hub's day.
        problem: the problem.
    """
    span = Span.of(visit.site.settings.now().date(), TREND_DAYS)
    found = quality_problems.days(connection, [problem.id], span.first).all()
    counts = {day.day: day.failed for day in found}
    say = Words(language(visit.request))
    label = say("trend_label", days=TREND_DAYS, n=len(found), most=max(counts.values(), default=0))
    return Course(trend.bars(counts, span, label, trend.WIDE), found[::-1])


@dataclass(frozen=True, slots=True)
class Receiver:
    """An agreement under which rows of the dataset leave.

    Attributes:
        shares: whether the problem's field is among what leaves.
    """

    agreement: str
    title: str
    consumer: str
    shares: bool


def receivers(visit: Visit, problem: KnownProblem) -> list[Receiver]:
    """Who does not get the rows that are kept back, as alarms and reports name them.

    Those come first that share the field.

    Args:
        visit: names the agreements.
        problem: the problem.
    """
    found = [
        Receiver(
            a.id,
            a.title,
            a.consumer,
            a.dataset == problem.dataset and problem.field in {f.origin for f in a.fields},
        )
        for a in visit.catalogue.receiving(problem.dataset)
    ]
    return sorted(found, key=lambda r: (not r.shares, r.agreement))


@dataclass(frozen=True, slots=True)
class County:
    """Rows of a dataset in one county; the name is empty for elsewhere."""

    name: str
    rows_read: int
    quarantined: int


def counties(connection: Connection, problem: KnownProblem) -> list[County]:
    """Rows of the dataset by county, as the last collect counted that found the problem.

    Args:
        connection: of the hub's database.
        problem: the problem.
    """
    names = codes.labels("division_zz")
    return [
        County(names.get(c.county, c.county), c.rows_read, c.quarantined)
        for c in quality_problems.counties(connection, problem.last_transfer)
    ]


@dataclass(frozen=True, slots=True)
class ShownRow:
    """An open row under the masks of its fields.

    Attributes:
        values: shown text by field that was asked for; None where nothing may be shown.
        lengths: characters of each of those values, by field; absent ones are not among them.
        purged: its values are gone.
    """

    row: KeptRow
    values: Mapping[str, str | None]
    lengths: Mapping[str, int]
    purged: bool


@dataclass(frozen=True, slots=True)
class RowPage:
    """One page of open rows; `more` is the record that it ends with, 0 on the last.

    Attributes:
        columns: fields of a row that the list shows: by which it is known, and what is wrong.
    """

    rows: Sequence[ShownRow]
    more: int
    columns: Sequence[str]


def rows(connection: Connection, visit: Visit, line: ProblemLine, before: int) -> RowPage:
    """Open rows of a problem, newest first, under their masks.

    Args:
        connection: of the hub's database.
        visit: has the keys.
        line: the problem.
        before: only records with a lower id; 0: the first page.
    """
    found = quality_problems.rows(connection, line.problem.id, before, ROWS + 1)
    shown = found[:ROWS]
    more = shown[-1].id if len(found) > ROWS else 0
    columns = _columns(line.contract, line.problem)
    narrow = Masked(line.contract, columns)
    return RowPage(masked(connection, visit, narrow, shown), more, columns)


def _columns(contract: Contract, problem: KnownProblem) -> tuple[str, ...]:
    own = (problem.field,) if problem.field in contract.names else ()
    return tuple(dict.fromkeys([*contract.key, *own]))


@dataclass(frozen=True, slots=True)
class Masked:
    """What of rows is shown under its mask: fields of a contract; None: all of them."""

    contract: Contract
    fields: Sequence[str] | None = None


def masked(
    connection: Connection, visit: Visit, which: Masked, found: Sequence[KeptRow]
) -> list[ShownRow]:
    """Rows under the masks of their fields.

    Args:
        connection: of the hub's database.
        visit: has the keys.
        which: of their fields are asked for.
        found: where they stood.
    """
    if not found:
        return []
    keys = visit.site.desk().keys
    values = {r.id: v for r, v in quarantine.revealed(connection, [r.id for r in found], keys)}
    there = [row for row in found if row.id in values]
    frame = masked_rows(which.contract, [values[row.id] for row in there], which.fields)
    masks = frame.to_dicts() if frame.width else [{} for _ in there]
    hidden = dict(zip([row.id for row in there], masks, strict=True))
    return [
        ShownRow(
            row,
            hidden.get(row.id, {}),
            {
                n: len(v)
                for n, v in values.get(row.id, {}).items()
                if v is not None and (which.fields is None or n in which.fields)
            },
            row.id not in values,
        )
        for row in found
    ]


def latest_acceptance(visit: Visit, days: int) -> str:
    """The last day until which a problem may be accepted, as an input takes it.

    Args:
        visit: names the hub's day.
        days: from it on.
    """
    return (visit.site.settings.now().date() + timedelta(days=days)).isoformat()
