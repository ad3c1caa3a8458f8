"""Numbers of a report as marked elements: each carries its key, so that a test can recompute it."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from quality.reports import words
from quality.reports.measures import score, share
from quality.reports.problems import ListedProblem
from quality.reports.scheme import Kpi, Language, ScoringScheme
from quality.reports.scope import Figures


class MarkedNumbers:
    """Numbers of one month, and of the one before."""

    def __init__(
        self, scheme: ScoringScheme, language: Language, figures: Figures, previous: Figures
    ) -> None:
        """Take the numbers.

        Args:
            scheme: how units are scored and graded.
            language: of the words that stand for what was not measured.
            figures: of the month.
            previous: of the month before.
        """
        self._scheme, self._language = scheme, language
        self._now, self._before = figures, previous
        self._say = words.sayer(language)

    def functions(self) -> dict[str, Any]:
        """What the templates call."""
        return {
            "figures": self._now,
            "num": self.num,
            "ratio": self.ratio,
            "part": self.part,
            "target": self.target,
            "scored": self.scored,
            "graded": self.graded,
            "met": self.met,
        }

    def num(self, key: str, *, previous: bool = False) -> Markup:
        """One number."""
        value = (self._before if previous else self._now).get(key)
        mark = f"prev:{key}" if previous else key
        template = '<span data-f="{}">{}</span>'
        return Markup(template).format(mark, words.number(value))  # noqa: S704 - format escapes

    def ratio(self, key: str, *, previous: bool = False) -> Markup:
        """A percentage above its numerator and denominator."""
        figures = self._before if previous else self._now
        if not figures.get(f"{key}.of"):
            unmeasured = "silent" if key.startswith(("dim.", "collect.")) else "unmeasured"
            return escape(self._say(unmeasured))
        percent = words.percent(share(figures, key))
        part = self.num(f"{key}.part", previous=previous)
        of = self.num(f"{key}.of", previous=previous)
        mark = f"prev:{key}" if previous else key
        template = '<span data-p="{}">{}</span><br><small>{}/{}</small>'
        return Markup(template).format(mark, percent, part, of)  # noqa: S704

    @staticmethod
    def part(p: ListedProblem) -> Markup:
        """A problem's share of the rows read; its rows stand in the column beside it."""
        template = '<span data-q="{}">{}</span>'
        return Markup(template).format(p.key, words.percent(p.failed / p.of if p.of else None))  # noqa: S704

    @staticmethod
    def target(kpi: Kpi, name: str) -> Markup:
        """A key figure's target."""
        sign = "≥" if kpi.better == "up" else "≤"
        return Markup('<span data-t="{}">{} {}%</span>').format(name, sign, kpi.target)

    def scored(self, unit: str) -> Markup:
        """A unit's score."""
        found = score(self._now, unit, self._scheme)
        if found is None:
            return escape(self._say("silent"))
        template = '<span data-s="{}">{}</span>'
        return Markup(template).format(unit, words.points(found))  # noqa: S704

    def graded(self, unit: str) -> str:
        """A unit's grade."""
        found = score(self._now, unit, self._scheme)
        return "—" if found is None else self._scheme.grade(found).name(self._language)

    def met(self, kpi: Kpi, key: str) -> str:
        """Whether a key figure reaches its target."""
        found = kpi.met(share(self._now, key))
        return "—" if found is None else self._say("yes" if found else "no")
