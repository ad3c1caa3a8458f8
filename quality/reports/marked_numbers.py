"""Numbers of a report as marked elements: each carries its key, so that a test can recompute it.

`data-f` marks a number, `data-p` a percentage, `data-q` a problem's share, `data-t` a target,
`data-c` a change; `quality.reports.marked_standings` has those of scores and grades.
"""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from quality.reports import words
from quality.reports.measures import share
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
            "moved": self.moved,
            "part_moved": self.part_moved,
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

    def part(self, p: ListedProblem, *, previous: bool = False) -> Markup:
        """A problem's share of the rows read; its rows stand in the column beside it."""
        mark = f"prev:{p.key}" if previous else p.key
        template = '<span data-q="{}">{}</span>'
        return Markup(template).format(mark, words.percent(self.part_of(p, previous=previous)))  # noqa: S704

    def part_of(self, p: ListedProblem, *, previous: bool = False) -> float | None:
        """A problem's share of the rows read, 0 to 1; None where none were read."""
        figures = self._before if previous else self._now
        read = figures.get(f"collect.{p.contract.id}.rows_read")
        return (figures.get(p.key) or 0) / read if read else None

    def moved(self, key: str) -> Markup:
        """How a percentage changed since the month before, in points."""
        return _moved(f"p:{key}", share(self._now, key), share(self._before, key))

    def part_moved(self, p: ListedProblem) -> Markup:
        """How a problem's share changed since the month before, in points."""
        return _moved(f"q:{p.key}", self.part_of(p), self.part_of(p, previous=True))

    @staticmethod
    def target(kpi: Kpi, name: str) -> Markup:
        """A key figure's target."""
        sign = "≥" if kpi.better == "up" else "≤"
        return Markup('<span data-t="{}">{} {}%</span>').format(name, sign, kpi.target)

    def met(self, kpi: Kpi, key: str) -> str:
        """Whether a key figure reaches its target."""
        found = kpi.met(share(self._now, key))
        return "—" if found is None else self._say("yes" if found else "no")


def _moved(mark: str, now: float | None, before: float | None) -> Markup:
    if now is None or before is None:
        return Markup("—")
    text = words.change(words.percent(now), words.percent(before))
    return Markup('<span data-c="{}">{}</span>').format(mark, text)
