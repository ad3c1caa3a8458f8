"""The list of an agency's problems: how each stands, which are wanted, in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from onecard.base.workdays import Due
from onecard.model.quality_problems import STANDINGS, KnownProblem, ProblemStanding
from onecard.portal.answers import rule_name
from onecard.portal.guard import Visit
from onecard.portal.pages import Words
from onecard.portal.typed import id_of
from schemas.models.contract import Contract
from schemas.models.service_levels import ServiceLevels

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
            id_of(after) or 0,
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
    known, levels = visit.catalogue.contracts, visit.catalogue.service_levels
    writers: dict[str, _Writer] = {}
    found = []
    for problem in problems:
        if problem.dataset in known:
            if problem.dataset not in writers:
                writers[problem.dataset] = _Writer(visit, known[problem.dataset], levels)
            found.append(writers[problem.dataset].line(problem))
    return found


def line(visit: Visit, problem: KnownProblem) -> ProblemLine:
    """One problem with its words.

    Args:
        visit: names language, catalogue and the hub's day.
        problem: of a dataset that has a contract.

    Raises:
        ConfigError: it has none.
    """
    known = visit.catalogue
    return _Writer(visit, known.contract(problem.dataset), known.service_levels).line(problem)


class _Writer:
    """Says what problems of one dataset are called, and how they stand."""

    def __init__(self, visit: Visit, contract: Contract, levels: ServiceLevels) -> None:
        self._visit, self._contract = visit, contract
        self._english = visit.language == "en"
        self._today = visit.site.settings.now().date()
        self._days = levels.days(contract.agency, "finding")
        self._whole = Words(visit.language)("whole_row")

    def line(self, problem: KnownProblem) -> ProblemLine:
        """The problem in words."""
        name, rule = problem.field, rule_name(self._visit, self._contract, problem.rule)
        field = name if self._english else self._title(name)
        return ProblemLine(
            problem,
            self._contract,
            _title(field or self._whole, problem.rule, rule),
            self._contract.id if self._english else self._contract.title,
            field,
            rule,
            problem.due(self._days),
            problem.standing(self._today, self._days),
        )

    def _title(self, name: str) -> str:
        """Of a field; its name, where the contract has it no more."""
        return next((f.title for f in self._contract.fields if f.name == name), name)


def _title(field: str, name: str, rule: str) -> str:
    """Field and rule in a line, in which neither the field nor its type is said twice.

    Args:
        field: as it is called on the page.
        name: of the rule; `<type>.<aspect>` where it is about a type of values.
        rule: as it is called on the page; `<type>：<aspect>` of such a rule in Chinese.
    """
    if rule.startswith(field):
        return rule
    return f"{field}：{rule.rpartition('：')[2] if '.' in name else rule}"


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
