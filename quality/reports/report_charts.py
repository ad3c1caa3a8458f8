"""The charts of a monthly report, of its content: each says its unit, its sample and its target."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from quality.reports import charts, words
from quality.reports.charts import Bound, Titles
from quality.reports.content import Content
from quality.reports.names import Names
from quality.reports.problems import ListedProblem
from quality.reports.scheme import ScoringScheme

TREND = "record_complete"
"""The key figure that the chart by day shows, and whose target it draws."""


class ReportCharts:
    """Draws the charts of one language."""

    def __init__(self, scheme: ScoringScheme, names: Names) -> None:
        """Take targets and grades, and the words."""
        self._scheme, self._names, self._say = scheme, names, names.say

    def trends(self, found: Content) -> list[Markup]:
        """Good records by day, and the score by month; what was not measured has no chart."""
        drawn = []
        if found.trend:
            drawn.append(self._days(found))
        if any(s.score is not None for s in found.scores):
            drawn.append(self._months(found))
        return [Markup(svg) for svg in drawn]  # noqa: S704 - the library's SVG, from numbers

    def top(self, listed: Sequence[ListedProblem]) -> Markup:
        """The rules with the largest loss, each with the rows that failed and those read."""
        rows = [
            {
                "what": self._names.problem(p),
                "number": float(p.failed),
                "label": f"{words.number(p.failed)} / {words.number(p.of)}",
            }
            for p in listed
        ]
        titles = Titles(self._say("top_chart"), self._say("top_sample"), self._say("loss_axis"))
        return Markup(charts.bars(rows, "top", titles))  # noqa: S704

    def _days(self, found: Content) -> str:
        rows = [{**row, "what": self._names.unit(str(row["what"]))} for row in found.trend]
        read = words.number(found.figures["collect.total.rows_read"])
        titles = Titles(
            self._say("trend_days"), self._say("sample_rows", n=read), self._say("trend_axis")
        )
        target = self._scheme.kpis[TREND].target
        bounds = [Bound(f"{self._say('target')} ≥ {target}%", target)]
        return charts.line(rows, "days", titles, bounds)

    def _months(self, found: Content) -> str:
        measured = [s for s in found.scores if s.score is not None]
        total = self._say("total")
        rows = [
            {"when": f"{s.month:%Y-%m}{'*' if s.restated else ''}", "what": total}
            | {"percent": s.score}
            for s in measured
        ]
        counts = {s.rows for s in measured}
        rows_read = "–".join(words.number(n) for n in sorted({min(counts), max(counts)}))
        sample = self._say("sample_months", datasets=len(found.scope.contracts), rows=rows_read)
        if any(s.restated for s in measured):
            sample += self._say("restated_mark", version=self._scheme.version)
        titles = Titles(self._say("trend_months"), sample, self._say("score_axis"))
        grades = [g for g in self._scheme.grades if g.start]
        bounds = [Bound(f"{g.name(self._names.language)} ≥ {g.start:g}", g.start) for g in grades]
        return charts.line(rows, "months", titles, bounds)
