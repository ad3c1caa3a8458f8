"""The list of an agency's problems: how each stands, which are wanted, in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from onecard.base.workdays import Due
from onecard.model.quality_problems import STANDINGS, KnownProblem, ProblemStanding
from onecard.portal.guard import Visit
from onecard.portal.pages import Words, language
from quality.rows.rule_formulas import formula
from schemas.models.contract import Contract

PAGE = 50
"""Problems on one page."""
Sort = Literal["due", "rows", "since", "dataset"]
SORTS: tuple[Sort, ...] = ("due", "rows", "since", "dataset")
UNENDED = "unended"
"""Filter: all that have not ended."""
LONGEST_SEARCH = 60


@dataclass(frozen=True, slots=True)
class ProblemLine:
    """A problem as a person reads it.

    Attributes:
        title: field and rule in a line.
        field_title: of its field; empty for the whole record.
        due: the last day to put it right.
    """

    problem: KnownProblem
    contract: Contract
    title: str
    dataset_title: str
    field_title: str
    rule_title: str
    due: Due
    standing: ProblemStanding

    def holds(self, words: str) -> bool:
        """Whether all words stand somewhere in what is read of it."""
        p = self.problem
        names = (self.dataset_title, self.field_title, self.rule_title)
        text = " ".join((*names, p.dataset, p.field, p.rule, p.owner)).lower()
        return all(word in text for word in words.lower().split())


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which problems are asked for; what an address cannot ask for is as if it did not.

    Attributes:
        status: a standing, `unended`, or empty: all.
        after: the problem that the page before ended with; 0: the first page.
    """

    search: str = ""
    dataset: str = ""
    status: str = UNENDED
    severity: str = ""
    sort: Sort = "due"
    after: int = 0

    @classmethod
    def of(cls, asked: Mapping[str, str], datasets: Iterable[str]) -> Wanted:
        """What an address asks for.

        Args:
            asked: its query.
            datasets: those that there are.
        """
        status, after = asked.get("status", UNENDED), asked.get("after", "")
        sort = next((s for s in SORTS if s == asked.get("sort")), SORTS[0])
        return cls(
            asked.get("q", "").strip()[:LONGEST_SEARCH],
            _one_of(asked.get("dataset", ""), datasets),
            status if status in (*STANDINGS, UNENDED, "") else UNENDED,
            _one_of(asked.get("severity", ""), ("error", "warning")),
            sort,
            int(after) if after.isascii() and after.isdigit() and len(after) < 10 else 0,
        )

    @property
    def query(self) -> dict[str, str]:
        """The same as an address says it, without the page."""
        found = {
            "q": self.search,
            "dataset": self.dataset,
            "severity": self.severity,
            "sort": "" if self.sort == SORTS[0] else self.sort,
        }
        kept = {name: value for name, value in found.items() if value}
        return kept | ({} if self.status == UNENDED else {"status": self.status})

    def takes(self, line: ProblemLine) -> bool:
        """Whether a problem is asked for."""
        p = line.problem
        if self.status == UNENDED and line.standing == "ended":
            return False
        return (
            self.status in ("", UNENDED, line.standing)
            and self.dataset in ("", p.dataset)
            and self.severity in ("", p.severity)
            and line.holds(self.search)
        )


def _one_of(asked: str, known: Iterable[str]) -> str:
    return asked if asked in set(known) else ""


@dataclass(frozen=True, slots=True)
class ProblemPage:
    """One page of a list.

    Attributes:
        total: how many problems are asked for on all pages.
        more: the problem that the page ends with; 0: it is the last.
    """

    lines: Sequence[ProblemLine]
    total: int
    more: int


def lines(visit: Visit, problems: Iterable[KnownProblem]) -> list[ProblemLine]:
    """Problems with their words; those of datasets without a contract are left out.

    Args:
        visit: names language, catalogue and the hub's day.
        problems: of any agency.
    """
    today = visit.site.settings.now().date()
    known = visit.catalogue.contracts
    return [_line(visit, known[p.dataset], p, today) for p in problems if p.dataset in known]


def line(visit: Visit, problem: KnownProblem) -> ProblemLine:
    """One problem with its words.

    Args:
        visit: names language, catalogue and the hub's day.
        problem: of a dataset that has a contract.

    Raises:
        ConfigError: it has none.
    """
    contract = visit.catalogue.contract(problem.dataset)
    return _line(visit, contract, problem, visit.site.settings.now().date())


def _line(visit: Visit, contract: Contract, problem: KnownProblem, today: date) -> ProblemLine:
    spoken = language(visit.request)
    titles = {f.name: f.title for f in contract.fields}
    own = {r.name: r.title for r in contract.rules}
    days = visit.catalogue.service_levels.days(contract.agency, "finding")
    english = spoken == "en"
    rule = own.get(problem.rule) or visit.site.rule_title(problem.rule, spoken)
    if english and problem.rule in own:
        rule = formula(contract, problem.rule, "en")
    field = problem.field if english else titles.get(problem.field, problem.field)
    named = field and rule.startswith(field)
    return ProblemLine(
        problem,
        contract,
        rule if named else f"{field or Words(spoken)('whole_row')}：{rule}",
        contract.id if english else contract.title,
        field,
        rule,
        problem.due(days),
        problem.standing(today, days),
    )


def paged(found: Sequence[ProblemLine], wanted: Wanted) -> ProblemPage:
    """The page of a list that is asked for.

    Args:
        found: all problems of the agency.
        wanted: which, in which order, and behind which.
    """
    key = _KEYS[wanted.sort]
    listed = sorted((x for x in found if wanted.takes(x)), key=key)
    last = next((x for x in found if x.problem.id == wanted.after), None)
    behind = listed if last is None else [x for x in listed if key(x) > key(last)]
    shown = behind[:PAGE]
    return ProblemPage(shown, len(listed), shown[-1].problem.id if len(behind) > PAGE else 0)


_KEYS: Mapping[Sort, Callable[[ProblemLine], tuple[Any, ...]]] = {
    "due": lambda x: (
        STANDINGS.index(x.standing),
        x.due.day,
        -x.problem.rows,
        x.problem.id,
    ),
    "rows": lambda x: (-x.problem.rows, x.problem.id),
    "since": lambda x: (-x.problem.since.timestamp(), x.problem.id),
    "dataset": lambda x: (x.problem.dataset, x.problem.field, x.problem.rule, x.problem.id),
}
