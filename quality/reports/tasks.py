"""What is to be done, by whom and until when: made of what went wrong, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from onecard.base import workdays
from onecard.base.workdays import Due
from quality.reports.content import Content
from quality.reports.problems import ListedProblem
from quality.reports.scheme import ScoringScheme
from schemas.models.contract import Contract

TaskKind = Literal["silent", "overdue", "tickets", "failed", "late", "open"]
FIRST = 3
"""So many stand on the first page."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do.

    Attributes:
        agency: whose data steward does it.
        contract: about which dataset, if about one.
        unit: whose overdue problems they are (kind `overdue`): dataset, or agency in the city's.
        problem: the one with the largest loss, or the one that is meant.
    """

    kind: TaskKind
    agency: str
    due: Due
    contract: Contract | None = None
    unit: str = ""
    problem: ListedProblem | None = None


def tasks(found: Content, scheme: ScoringScheme) -> list[Task]:
    """Everything to do, the first of each kind before the second of any.

    Args:
        found: of a month.
        scheme: how many working days there are for what is late already.
    """
    chase = workdays.after(found.as_of.date(), scheme.chase_days)
    kinds = (
        _silent(found, chase),
        _overdue(found, chase),
        _tickets(found, chase),
        _failed(found, chase),
        _late(found, chase),
        _open(found),
    )
    return [task for row in zip_longest(*kinds) for task in row if task is not None]


def _silent(found: Content, due: Due) -> Iterator[Task]:
    for contract in found.scope.contracts:
        if found.figures["days"] and not found.figures[f"collect.{contract.id}.rows_read"]:
            yield Task("silent", contract.agency, due, contract)


def _overdue(found: Content, due: Due) -> Iterator[Task]:
    """By unit, the one with most of them first; within one the largest loss."""
    late: dict[str, list[ListedProblem]] = {}
    for p in found.problems:
        if p.status == "overdue":
            unit = p.contract.agency if found.scope.whole else p.contract.id
            late.setdefault(unit, []).append(p)
    for unit, own in sorted(late.items(), key=lambda pair: -len(pair[1])):
        worst = own[0]
        yield Task("overdue", worst.contract.agency, due, worst.contract, unit, worst)


def _tickets(found: Content, due: Due) -> Iterator[Task]:
    if found.figures["ticket.overdue"]:
        yield Task("tickets", found.scope.agency, due)


def _failed(found: Content, due: Due) -> Iterator[Task]:
    figures = found.figures
    failed = [(c, int(figures[f"collect.{c.id}.failed"] or 0)) for c in found.scope.contracts]
    for contract, times in sorted(failed, key=lambda pair: -pair[1]):
        if times:
            yield Task("failed", contract.agency, due, contract)


def _late(found: Content, due: Due) -> Iterator[Task]:
    days = int(found.figures["days"] or 0)
    for contract in found.scope.contracts:
        arrived = int(found.figures[f"collect.{contract.id}.days"] or 0)
        if arrived < days and found.figures[f"collect.{contract.id}.rows_read"]:
            yield Task("late", contract.agency, due, contract)


def _open(found: Content) -> Iterator[Task]:
    """Rules that reject rows, by their last day."""
    waiting = [p for p in found.problems if p.status == "open" and p.severity == "error"]
    for p in sorted(waiting, key=lambda p: p.due):
        yield Task("open", p.contract.agency, Due(p.due, p.clock), p.contract, problem=p)
