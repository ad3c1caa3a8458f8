"""The monthly and the daily report as self-contained HTML: no script, no request, no value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from onecard import __version__
from onecard.base.times import shown
from onecard.model.call_lines import systems
from onecard.model.holds import Hold
from quality.privacy import registry
from quality.reports import charts, holding, sentences, words
from quality.reports.content import Content
from quality.reports.marked_numbers import MarkedNumbers
from quality.reports.night_report import TEMPLATES
from quality.reports.problems import ListedProblem
from quality.reports.scheme import Language, ScoringScheme
from quality.reports.scope import Figures, Number, ReportScope
from quality.rows.rule_titles import finding_title
from schemas.models import codes
from schemas.models.catalogue import Catalogue
from schemas.models.contract import Contract
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

    def monthly(self, found: Content) -> str:
        """The monthly report of one scope."""
        self._numbers = MarkedNumbers(self.scheme, self.language, found.figures, found.previous)
        top = [p for p in found.problems if p.severity == "error"][:TOP]
        units = [*found.scope.units(), "total"]
        listed = codes.labels("division_zz")
        counties = [
            key.split(".")[1]
            for key in found.figures
            if key.startswith("county.") and key.endswith(".of")
        ]
        page = {
            "c": found,
            "lead": sentences.lead(found, self.scheme, self.language),
            "dimensions": [d.name(self.language) for d in self.scheme.dimensions.values()],
            "units": units,
            "charts": self._charts(found, top),
            "top": top,
            "counties": [(c, listed.get(c) or self.say("elsewhere")) for c in counties],
            "privacy": self._privacy(found.figures),
            "articles": sentences.articles(found, self.known.registers.list_version, self.language),
            "focus": sentences.focus(found, self.language),
            "limit": LISTED,
            "limit_text": lambda text: Limit(text).shown,
            "clock": lambda at: shown(at, "%m-%d %H:%M"),
            "agreement_title": self._agreement,
            "caller": self._caller,
        }
        heading = f"{self.say('title')}（{self._month(found.month)}）"
        common = self._common(heading, self._month(found.month), found.scope, found.as_of)
        return _templates().get_template("monthly.html.j2").render({**common, **page})

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
        self._numbers = MarkedNumbers(self.scheme, self.language, figures, {})
        heading = f"{self.say('daily_title')}（{day}）"
        common = self._common(heading, str(day), found.scope, found.as_of)
        ids = {c.id for c in found.scope.contracts} | {a.id for a in found.scope.agreements}
        waiting = holding.lines((h for h in held if h.subject in ids), self.known, self.language)
        page = {"scope": found.scope, "rules": found.problems, "held": waiting}
        return _templates().get_template("daily.html.j2").render({**common, **page})

    def problem_rows(self, found: Content) -> tuple[list[str], list[list[str | int | float]]]:
        """The problem list as columns and rows, for the workbook."""
        names = ("number", "agency", "dataset", "field", "rule", "severity", "count", "read")
        more = ("share", "sample", "owner", "due", "status", "times")
        return [self.say(n) for n in (*names, *more)], [self._row(p) for p in found.problems]

    def _row(self, p: ListedProblem) -> list[str | int | float]:
        return [
            p.number,
            self._agency(p.contract.agency),
            self._title(p.contract),
            self._field(p),
            self._rule(p),
            self.say(p.severity),
            p.failed,
            p.of,
            words.percent(p.failed / p.of if p.of else None),
            p.place,
            self._steward(p.contract.agency),
            str(p.due),
            self.say(p.status),
            p.times,
        ]

    def _common(
        self, heading: str, period: str, scope: ReportScope, as_of: datetime
    ) -> dict[str, Any]:
        numbers = self._numbers
        return {
            "language": self.language,
            "heading": heading,
            "period": period,
            "owner": self.say("whole") if scope.whole else self._agency(scope.agency),
            "as_of": as_of.strftime("%Y-%m-%d %H:%M"),
            "hub_version": __version__,
            "scheme": self.scheme,
            "agreements": self.known.agreements,
            "onboarding": [self._title(c) for c in scope.onboarding],
            "w": self.say,
            "title": self._title,
            "agency": self._agency,
            "steward": self._steward,
            "unit_title": self._unit,
            "dataset_title": lambda d: self._title(self.known.contract(d)),
            "finding_title": self._finding,
            **numbers.functions(),
        }

    def _charts(self, found: Content, top: Sequence[ListedProblem]) -> dict[str, Any]:
        trends = []
        if found.trend:
            named = [{**row, "what": self._unit(str(row["what"]))} for row in found.trend]
            titles = charts.Titles(self.say("trend_days"), self.say("trend_axis"))
            trends.append(Markup(charts.line(named, "days", titles)))  # noqa: S704 - from numbers
        scored = [(m, s) for m, s in found.scores if s is not None]
        if scored:
            total = self.say("total")
            rows = [{"when": f"{m:%Y-%m}", "what": total, "percent": s} for m, s in scored]
            titles = charts.Titles(self.say("trend_months"), self.say("score_axis"))
            trends.append(Markup(charts.line(rows, "months", titles)))  # noqa: S704
        bars = None
        if top:
            rows = [{"what": self._label(p), "number": float(p.failed)} for p in top]
            titles = charts.Titles(self.say("top_chart"), self.say("loss"))
            bars = Markup(charts.bars(rows, "top", titles))  # noqa: S704
        return {"trends": trends, "top": bars}

    def _label(self, p: ListedProblem) -> str:
        return f"{self._rule(p)}（{self._title(p.contract)}）"

    def _privacy(self, figures: Mapping[str, Number]) -> list[tuple[str, str, str]]:
        """The privacy rules that were evaluated: id, name, action."""
        chinese = self.language == "zh"
        return [
            (rule, found.title if chinese else "", self.say(f"action_{found.action}"))
            for rule, found in registry.texts().items()
            if f"privacy.{rule}.checked" in figures
        ]

    def _title(self, contract: Contract) -> str:
        return contract.title if self.language == "zh" else contract.id

    def _agency(self, agency: str) -> str:
        found = self.known.agencies[agency]
        return found.title if self.language == "zh" else found.title_en

    def _agreement(self, agreement: str) -> str:
        """Its title, or its id where its file is gone; without any: residents' look-ups."""
        if not agreement:
            return self.say("look_ups")
        found = self.known.agreements.get(agreement)
        return found.title if found is not None and self.language == "zh" else agreement

    def _caller(self, sid: str) -> str:
        if not sid:
            return self.say("not_proved")
        found = systems(self.known).get(sid)
        if found is None:
            return sid
        return found.title if self.language == "zh" else found.title_en

    def _steward(self, agency: str) -> str:
        chinese = self.language == "zh"
        name = self.known.agencies[agency].short if chinese else agency + " "
        return name + self.say("steward")

    def _unit(self, unit: str) -> str:
        if unit == "total":
            return self.say("total")
        return self._title(self.known.contract(unit)) if "/" in unit else self._agency(unit)

    def _finding(self, dataset: str, name: str) -> str:
        return finding_title(self.known, dataset, name, self.language)

    def _field(self, p: ListedProblem) -> str:
        return p.field_title if self.language == "zh" else p.field

    def _rule(self, p: ListedProblem) -> str:
        return p.rule_title if self.language == "zh" else p.rule

    def _month(self, month: date) -> str:
        return f"{month.year}年{month.month}月" if self.language == "zh" else f"{month:%Y-%m}"
