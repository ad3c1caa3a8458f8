"""What got worse since the month before: units, key figures below their targets, problems.

Each is judged by the two numbers as the page shows them, the largest loss first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from quality.reports import words
from quality.reports.content import Content
from quality.reports.measures import share
from quality.reports.problems import ListedProblem
from quality.reports.scheme import ScoringScheme
from quality.reports.standings import TOTAL

T = TypeVar("T")
MOST = 2
"""Lines of each kind: the first page has room for six."""


@dataclass(frozen=True, slots=True)
class Worse:
    """What got worse; each list at most `MOST` long.

    Attributes:
        units: datasets or agencies whose score fell.
        kpis: key figures that miss their target by more than the month before, or as they did not.
        problems: rules that a larger share of the rows broke.
    """

    units: tuple[str, ...]
    kpis: tuple[str, ...]
    problems: tuple[ListedProblem, ...]


def worse(found: Content, scheme: ScoringScheme) -> Worse:
    """What got worse in a report's month.

    Args:
        found: of the month; nothing got worse where the month before has nothing to compare with.
        scheme: targets of the key figures.
    """
    units = ((_fallen(found, unit), unit) for unit in found.standings if unit != TOTAL)
    missed = found.standings[TOTAL].missed if TOTAL in found.standings else ()
    kpis = ((_missed_more(found, scheme, kpi), kpi) for kpi in missed)
    errors = [p for p in found.problems if p.severity == "error"]
    grown = ((_grown(found, p), p) for p in errors)
    return Worse(tuple(_largest(units)), tuple(_largest(kpis)), tuple(_largest(grown)))


def _largest(losses: Iterable[tuple[Decimal | None, T]]) -> list[T]:
    known = [(loss, what) for loss, what in losses if loss is not None and loss > 0]
    return [what for _, what in sorted(known, key=lambda pair: -pair[0])][:MOST]


def _fallen(found: Content, unit: str) -> Decimal | None:
    now = found.standings[unit].score
    before = found.earlier[unit].score if unit in found.earlier else None
    if now is None or before is None:
        return None
    return Decimal(words.points(before)) - Decimal(words.points(now))


def _missed_more(found: Content, scheme: ScoringScheme, kpi: str) -> Decimal | None:
    now, before = share(found.figures, f"kpi.{kpi}"), share(found.previous, f"kpi.{kpi}")
    if now is None or before is None:
        return None
    loss = _percent(before) - _percent(now)
    return loss if scheme.kpis[kpi].better == "up" else -loss


def _grown(found: Content, p: ListedProblem) -> Decimal | None:
    key = f"collect.{p.contract.id}.rows_read"
    read, before = found.figures.get(key), found.previous.get(key)
    if not read or not before:
        return None
    return _percent(p.failed / read) - _percent((found.previous.get(p.key) or 0) / before)


def _percent(share_of_one: float) -> Decimal:
    return Decimal(words.percent(share_of_one).rstrip("%"))
