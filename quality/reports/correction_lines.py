"""Corrections of a month's report in words: when, of what, what stood there, what is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from quality.reports import words
from quality.reports.corrections import Correction
from quality.reports.names import Names
from quality.reports.scheme import ScoringScheme
from quality.reports.scope import Number
from quality.reports.standings import TOTAL


@dataclass(frozen=True, slots=True)
class CorrectionLine:
    """One correction, in the page's language."""

    day: date
    what: str
    old: str
    new: str


def lines(
    corrections: Sequence[Correction], scheme: ScoringScheme, names: Names
) -> list[CorrectionLine]:
    """Corrections, the newest first.

    Args:
        corrections: the first first.
        scheme: names of grades and key figures.
        names: of units, in the page's language.
    """
    return [
        CorrectionLine(
            c.day,
            _what(c, scheme, names),
            _said(c, c.old, scheme, names),
            _said(c, c.new, scheme, names),
        )
        for c in reversed(corrections)
    ]


def _what(found: Correction, scheme: ScoringScheme, names: Names) -> str:
    """A unit or key figure that is gone since keeps its id."""
    if found.kind == "kpi":
        kpi = scheme.kpis.get(found.name)
        return kpi.name(names.language) if kpi else found.name
    known = found.name in (TOTAL, *names.known.contracts, *names.known.agencies)
    unit = names.unit(found.name) if known else found.name
    return unit + names.say("of_grade" if found.kind == "grade" else "of_score")


def _said(found: Correction, values: Sequence[Number], scheme: ScoringScheme, names: Names) -> str:
    first = values[0] if values else None
    if found.kind == "grade":
        place = int(first) if first is not None else len(scheme.grades)
        return scheme.grades[place].name(names.language) if place < len(scheme.grades) else "—"
    if found.kind == "score":
        return "—" if first is None else words.points(float(first))
    of = values[1] if len(values) > 1 else None
    if first is None or not of:
        return names.say("unmeasured")
    return f"{words.percent(first / of)} ({words.number(first)}/{words.number(of)})"
