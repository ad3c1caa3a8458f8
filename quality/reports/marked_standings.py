"""Scores, levels and grades as marked elements: `data-s`, `data-m`, `data-w`, `data-g`, `data-h`.

Changes (`data-c`) are the difference of the two numbers as they are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

from quality.reports import words
from quality.reports.content import Content
from quality.reports.marked_numbers import MarkedNumbers
from quality.reports.measures import level, share
from quality.reports.names import Names
from quality.reports.scheme import Dimension, ScoringScheme
from quality.reports.standings import TOTAL, Standing, dimension_place


class MarkedStandings:
    """Standings of one report, of its month and the one before."""

    def __init__(
        self, scheme: ScoringScheme, names: Names, found: Content, numbers: MarkedNumbers
    ) -> None:
        """Take what is shown.

        Args:
            scheme: dimensions, grades and caps.
            names: in the language of the page.
            found: of one month.
            numbers: of the same month.
        """
        self._scheme, self._names, self._found = scheme, names, found
        self._numbers = numbers
        self._say = names.say

    def functions(self) -> dict[str, Any]:
        """What the templates call."""
        return {
            "level": self.level,
            "level_moved": self.level_moved,
            "lowest": self.lowest,
            "scored": self.scored,
            "score_moved": self.score_moved,
            "graded": self.graded,
            "dimension_graded": self.dimension_graded,
            "why": self.why,
            "members": self._found.scope.members,
        }

    def scored(self, unit: str, *, previous: bool = False) -> Markup:
        """A unit's score."""
        found = self._standing(unit, previous=previous).score
        if found is None:
            return escape(self._say("silent"))
        mark = f"prev:{unit}" if previous else unit
        return Markup('<span data-s="{}">{}</span>').format(mark, words.points(found))

    def score_moved(self, unit: str) -> Markup:
        """How a unit's score changed since the month before, in points."""
        now, before = self._standing(unit).score, self._standing(unit, previous=True).score
        if now is None or before is None:
            return Markup("—")
        text = words.change(words.points(now), words.points(before))
        return Markup('<span data-c="s:{}">{}</span>').format(unit, text)

    def graded(self, unit: str, *, previous: bool = False) -> Markup:
        """A unit's grade."""
        mark = f"prev:{unit}" if previous else unit
        place = self._standing(unit, previous=previous).place
        return Markup('<span data-g="{}">{}</span>').format(mark, self.grade(place))

    def grade(self, place: int | None) -> str:
        """A grade by its place."""
        return "—" if place is None else self._scheme.grades[place].name(self._names.language)

    def level(self, unit: str, dimension: Dimension, *, previous: bool = False) -> Markup:
        """The level of a unit in a dimension: the mean of its datasets.

        Args:
            unit: dataset, agency or `total`.
            dimension: which.
            previous: of the month before.
        """
        found = self._level(unit, dimension, previous=previous)
        if found is None:
            return escape(self._say("silent"))
        mark = f"prev:{unit}|{dimension}" if previous else f"{unit}|{dimension}"
        return Markup('<span data-m="{}">{}</span>').format(mark, words.percent(found))

    def level_moved(self, unit: str, dimension: Dimension) -> Markup:
        """How a level changed since the month before, in points."""
        now, before = (self._level(unit, dimension, previous=p) for p in (False, True))
        if now is None or before is None:
            return Markup("—")
        text = words.change(words.percent(now), words.percent(before))
        return Markup('<span data-c="m:{}|{}">{}</span>').format(unit, dimension, text)

    def lowest(self, unit: str, dimension: Dimension) -> Markup:
        """The dataset of a unit that has the lowest share, and which."""
        figures = self._found.figures
        shares = {d: share(figures, f"dim.{d}.{dimension}") for d in self._members(unit)}
        measured = sorted((s, d) for d, s in shares.items() if s is not None)
        if not measured:
            return Markup("—")
        worst, dataset = measured[0]
        written = words.percent(worst)
        ties = sum(words.percent(s) == written for s, _ in measured)
        name = self._names.unit(dataset)
        if ties == len(measured) > 1:
            name = self._say("all_alike")
        elif ties > 1:
            name = self._say("and_more", name=name, n=ties)
        name = words.visible(name)
        return Markup('<span data-w="{}|{}">{}</span> {}').format(unit, dimension, written, name)

    def dimension_graded(self, dimension: Dimension) -> Markup:
        """The grade of a dimension, of all datasets."""
        missed = self._standing(TOTAL).missed
        found = self._level(TOTAL, dimension, previous=False)
        place = dimension_place(found, dimension, missed, self._scheme)
        return Markup('<span data-h="{}">{}</span>').format(dimension, self.grade(place))

    def why(self, unit: str) -> Markup:
        """What keeps a grade below that of the score; empty where nothing does."""
        standing = self._standing(unit)
        comma = Markup("，") if self._names.language == "zh" else Markup(", ")
        parts = []
        for reason in standing.caps:
            values: dict[str, object] = {"name": self._names.unit(standing.weakest or unit)}
            if reason != "weakest":
                key = f"{'missed' if reason == 'targets' else 'overdue'}.{unit}"
                values = {p: self._numbers.num(f"{key}.{p}") for p in ("part", "of")}
            parts.append(words.marked(self._say(f"cap_{reason}"), **values))
        return comma.join(parts)

    def _standing(self, unit: str, *, previous: bool = False) -> Standing:
        standings: Mapping[str, Standing] = self._found.standings
        if previous:
            standings = self._found.earlier
        return standings.get(unit) or Standing(unit)

    def _members(self, unit: str) -> tuple[str, ...]:
        return self._found.scope.members(unit)

    def _level(self, unit: str, dimension: Dimension, *, previous: bool) -> float | None:
        figures = self._found.previous if previous else self._found.figures
        return level(figures, self._members(unit), dimension)
