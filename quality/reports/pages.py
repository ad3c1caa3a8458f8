"""The monthly and the daily report as self-contained HTML: no script, no request, no value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from onecard import __version__
from onecard.base.times import shown
from onecard.model.holds import Hold
from quality.privacy import registry
from quality.reports import correction_lines, holding, sentences, words
from quality.reports.content import Content
from quality.reports.corrections import Correction
from quality.reports.first_page import FirstPage
from quality.reports.marked_numbers import MarkedNumbers
from quality.reports.marked_standings import MarkedStandings
from quality.reports.names import Names
from quality.reports.night_report import TEMPLATES
from quality.reports.problems import ListedProblem
from quality.reports.report_charts import ReportCharts
from quality.reports.scheme import Language, ScoringScheme
from quality.reports.scope import Figures, Number, ReportScope
from quality.reports.standings import TOTAL
from quality.reports.week import ORDER, WeekContent
from schemas.models import codes
from schemas.models.catalogue import Catalogue
from schemas.models.reaction import Limit

LISTED = 50
"""Lines of the problem list on the page; all of them stand in the workbook."""
TOP = 10


@cache
def _templates() -> Environment:
    """The templates of all pages, compiled once a process; words come from each page's writer."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=words.visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@dataclass(frozen=True, slots=True)
class _About:
    """What a page says of itself at its head."""

    heading: str
    period: str
    scope: ReportScope
    as_of: datetime


class Writer:
    """Writes pages in one language."""

    def __init__(self, known: Catalogue, scheme: ScoringScheme, language: Language) -> None:
        """What the pages are made of.

        Args:
            known: contracts, agreements, agencies.
            scheme: how a month is scored.
            language: of the pages.
        """
        self.known, self.scheme, self.language = known, scheme, language
        self.say = words.sayer(language)
        self.names = Names(known, language)

    def monthly(self, found: Content, corrections: Sequence[Correction] = ()) -> str:
        """The monthly report of one scope.

        Args:
            found: its content.
            corrections: of what it said since its month was closed.
        """
        numbers = MarkedNumbers(self.scheme, self.language, found.figures, found.previous)
        standings = MarkedStandings(self.scheme, self.names, found, numbers)
        first = FirstPage(self.scheme, self.names, found, numbers, standings)
        top = [p for p in found.problems if p.severity == "error"][:TOP]
        listed = codes.labels("division_zz")
        drawn = ReportCharts(self.scheme, self.names)
        counties = [
            key.split(".")[1]
            for key in found.figures
            if key.startswith("county.") and key.endswith(".of")
        ]
        page = {
            "c": found,
            "dimensions": [d.name(self.language) for d in self.scheme.dimensions.values()],
            "units": [*found.scope.units(), TOTAL],
            "trends": drawn.trends(found),
            "top_chart": drawn.top(top) if top else None,
            "top": top,
            "counties": [(c, listed.get(c) or self.say("elsewhere")) for c in counties],
            "privacy": self._privacy(found.figures),
            "articles": sentences.articles(found, self.known.registers.list_version, self.language),
            "corrections": correction_lines.lines(corrections, self.scheme, self.names),
            "limit": LISTED,
            "limit_text": lambda text: Limit(text).shown,
            "clock": lambda at: shown(at, "%m-%d %H:%M"),
            "agreement_title": self.names.agreement,
            "caller": self.names.caller,
            **standings.functions(),
            **first.context(),
        }
        month = self.names.month(found.month)
        about = _About(f"{self.say('title')}（{month}）", month, found.scope, found.as_of)
        return self._render("monthly.html.j2", about, numbers, page)

    def daily(self, day: date, found: Content, held: Iterable[Hold] = ()) -> str:
        """The report of one day.

        Args:
            day: which.
            found: its content, of that day's facts alone.
            held: what waits for a person; empty for an earlier day.
        """
        figures: Figures = dict(found.figures)
        for contract in found.scope.contracts:
            read = int(figures[f"collect.{contract.id}.rows_read"] or 0)
            bad = int(figures[f"collect.{contract.id}.quarantined"] or 0)
            figures[f"collect.{contract.id}.good.part"] = read - bad
            figures[f"collect.{contract.id}.good.of"] = read
        numbers = MarkedNumbers(self.scheme, self.language, figures, {})
        about = _About(f"{self.say('daily_title')}（{day}）", str(day), found.scope, found.as_of)
        ids = {c.id for c in found.scope.contracts} | {a.id for a in found.scope.agreements}
        waiting = holding.lines((h for h in held if h.subject in ids), self.known, self.language)
        page = {"scope": found.scope, "rules": found.problems, "held": waiting}
        return self._render("daily.html.j2", about, numbers, page)

    def weekly(self, found: WeekContent) -> str:
        """The list of problems that are pursued in one week (周调度)."""
        numbers = MarkedNumbers(self.scheme, self.language, found.figures, {})
        about = _About(
            f"{self.say('weekly_title')}（{self.names.week(found.monday)}）",
            f"{found.monday} – {found.sunday}",
            found.scope,
            found.as_of,
        )
        figures = {s: numbers.num(f"states.{TOTAL}.{s}") for s in ("listed", *ORDER)}
        page = {
            "c": found,
            "limit": LISTED,
            "lead": words.marked(self.say("week_lead"), **figures),
            "heads": [self.say(f"week_{state}") for state in ("listed", *ORDER)],
            "order": ORDER,
            "receivers": self._receivers,
        }
        return self._render("weekly.html.j2", about, numbers, page)

    def problem_rows(self, found: Content) -> tuple[list[str], list[list[str | int | float]]]:
        """The problem list as columns and rows, for the workbook."""
        names = ("number", "agency", "dataset", "field", "rule", "severity", "count", "read")
        more = ("share", "sample", "owner", "due", "status", "times")
        return [self.say(n) for n in (*names, *more)], [self._row(p) for p in found.problems]

    def _row(self, p: ListedProblem) -> list[str | int | float]:
        return [
            p.number,
            self.names.agency(p.contract.agency),
            self.names.title(p.contract),
            self.names.field(p),
            self.names.rule(p),
            self.say(p.severity),
            p.failed,
            p.of,
            words.percent(p.failed / p.of if p.of else None),
            p.place,
            self.names.steward(p.contract.agency),
            str(p.due),
            self.say(p.status),
            p.times,
        ]

    def week_rows(self, found: WeekContent) -> tuple[list[str], list[list[str | int | float]]]:
        """The week's list as columns and rows, for the workbook."""
        names = ("agency", "dataset", "field", "rule", "this_week", "last_week")
        more = ("owner", "due", "status", "affected")
        rows: list[list[str | int | float]] = [
            [
                self.names.agency(line.problem.contract.agency),
                self.names.title(line.problem.contract),
                self.names.field(line.problem),
                self.names.rule(line.problem),
                line.now,
                line.before,
                self.names.steward(line.problem.contract.agency),
                str(line.problem.due),
                self.say(f"week_{line.state}"),
                self._receivers(line.problem),
            ]
            for line in found.lines
        ]
        return [self.say(n) for n in (*names, *more)], rows

    def _receivers(self, p: ListedProblem) -> str:
        """Who receives data of the dataset."""
        consumers = {a.consumer for a in self.known.receiving(p.contract.id)}
        comma = "、" if self.language == "zh" else ", "
        return comma.join(self.names.short(c) for c in sorted(consumers)) or "—"

    def _render(
        self, template: str, about: _About, numbers: MarkedNumbers, page: Mapping[str, Any]
    ) -> str:
        common = self._common(about) | numbers.functions()
        return _templates().get_template(template).render({**common, **page})

    def _common(self, about: _About) -> dict[str, Any]:
        scope = about.scope
        owner = self.say("whole") if scope.whole else self.names.agency(scope.agency)
        return {
            "language": self.language,
            "heading": about.heading,
            "period": about.period,
            "owner": owner,
            "as_of": about.as_of.strftime("%Y-%m-%d %H:%M"),
            "hub_version": __version__,
            "scheme": self.scheme,
            "agreements": self.known.agreements,
            "onboarding": [self.names.title(c) for c in scope.onboarding],
            "w": self.say,
            "title": self.names.title,
            "agency": self.names.agency,
            "steward": self.names.steward,
            "unit_title": self.names.unit,
            "dataset_title": lambda d: self.names.title(self.known.contract(d)),
            "finding_title": self.names.finding,
            "grade_named": self._grade_named,
            "field": self.names.field,
            "rule": self.names.rule,
            "css": words.css,
        }

    def _grade_named(self, title_en: str) -> str:
        """A grade in the page's language, by the name that the scheme's caps have for it."""
        found = (g for g in self.scheme.grades if g.title_en == title_en)
        return next(found).name(self.language)

    def _privacy(self, figures: Mapping[str, Number]) -> list[tuple[str, str, str]]:
        """The privacy rules that were evaluated: id, name, action."""
        chinese = self.language == "zh"
        return [
            (rule, found.title if chinese else "", self.say(f"action_{found.action}"))
            for rule, found in registry.texts().items()
            if f"privacy.{rule}.checked" in figures
        ]
