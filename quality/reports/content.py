"""The content of a monthly report: figures, problems and sentences, before any layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from onecard.store.card_losses import Loss
from onecard.store.database import Connection
from onecard.store.report_frames import Span
from quality.reports import facts as ledger_facts
from quality.reports import problems
from quality.reports.calls import MonthCalls
from quality.reports.facts import Facts, Period, before, following, midnight
from quality.reports.indicators import merged, overdue
from quality.reports.losses import STATUS_DATASET, Losses, losses
from quality.reports.measures import dimensions, measure, score
from quality.reports.misuse import MonthMisuse
from quality.reports.problems import ListedProblem
from quality.reports.reactions import MonthReactions
from quality.reports.scheme import ScoringScheme
from quality.reports.scope import CITY, Figures, Month, ReportScope, months
from quality.reports.standings import TOTAL, Standing, Standings
from schemas.models.catalogue import Catalogue

HISTORY = 13
"""Months that a report looks back on, its own included."""
CARD_RULE = "legal_transition"


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that a monthly page shows.

    Attributes:
        figures: this month's numbers by key; `previous` the month before's.
        losses: per event agreement; empty when the scope has no card status.
        reactions: how fast events reached the consumers of the scope's agreements.
        misuse: operators who were suspended from single calls.
        calls: about single persons under the scope's agreements.
        standings: of each unit and of `total`; `earlier` of the month before; empty for a day.
        scores: of each of the last months in which anything was measured.
        trend: by day and unit, good rows in percent.
    """

    scope: ReportScope
    month: date
    as_of: datetime
    figures: Figures
    previous: Figures
    problems: list[ListedProblem]
    losses: list[Losses]
    reactions: MonthReactions
    misuse: MonthMisuse
    calls: MonthCalls
    findings: list[dict[str, object]]
    standings: Mapping[str, Standing]
    earlier: Mapping[str, Standing]
    scores: list[MonthScore]
    trend: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class MonthScore:
    """A month's score, out of 100, and the rows on which it rests.

    Attributes:
        restated: the month was first judged by an earlier version of the scheme.
    """

    month: date
    score: float | None
    rows: int
    restated: bool


class Maker:
    """Makes the contents of several reports from one reading of the ledger."""

    def __init__(
        self,
        connection: Connection,
        known: Catalogue,
        scheme: ScoringScheme,
        of: date | Period,
        now: datetime,
    ) -> None:
        """Read the ledger up to `now`.

        Args:
            connection: of the hub's database.
            known: contracts and agreements.
            scheme: how a month is scored.
            of: the first day of a month, or days within one.
            now: the hub's time.
        """
        self._known, self._scheme, self._now = known, scheme, now
        days = Period(before(of, HISTORY - 1), following(of)) if isinstance(of, date) else of
        self._month = (of if isinstance(of, date) else of.start).replace(day=1)
        self._facts: Facts = ledger_facts.read(connection, days, now)
        loss = Loss(scheme.loss_events, scheme.loss_within_seconds)
        month = Span(midnight(self._month, now), midnight(following(self._month), now))
        self._losses = losses(connection, known, loss, month)
        self._reactions = MonthReactions.read(connection, known, month)
        self._misuse = MonthMisuse.read(connection, known, month)
        self._calls = MonthCalls.read(connection, known, month)
        city = ReportScope.of(known, CITY)
        last, levels = before(self._month), known.service_levels
        self._problems = problems.listed(connection, Month(self._facts, city, self._month), levels)
        self._before: list[ListedProblem] = []
        self._standings: Standings | None = None
        self._earlier: Standings | None = None
        if isinstance(of, date):
            at = Month(self._facts, city, last)
            self._before = problems.listed(connection, at, levels, sampled=False)
            self._standings = Standings(known, scheme, self._facts, self._month, self._problems)
            self._earlier = Standings(known, scheme, self._facts, last, self._before)

    def content(self, agency: str) -> Content:
        """The content of one agency's report."""
        scope = ReportScope.of(self._known, agency)
        figures = measure(self._facts, scope, self._month, self._scheme)
        previous = measure(self._facts, scope, before(self._month), self._scheme)
        at = Month(self._facts, scope, self._month)
        status = any(c.id == STATUS_DATASET for c in scope.contracts)
        lost = self._losses if status else []
        for found in lost:
            figures |= _loss_figures(found)
        if status:
            figures |= _illegal(at)
        reactions = self._reactions.of(scope)
        figures |= reactions.figures()
        misuse = self._misuse.of(scope)
        figures |= misuse.figures()
        calls = self._calls.of(scope)
        figures |= calls.figures()
        earlier = Month(self._facts, scope, before(self._month))
        figures |= self._law(at, figures)
        previous |= self._law(earlier, previous)
        listed, standings = _judge(self._problems, self._standings, scope, figures)
        _, standings_before = _judge(self._before, self._earlier, scope, previous)
        findings = at.frame("findings").sort("dataset", "name").to_dicts()
        for row in findings:
            key = f"finding.{row['dataset']}.{row['name']}"
            figures |= {f"{key}.runs": row["runs"], f"{key}.failed": row["failed"]}
            figures[f"{key}.observed"] = row["observed"]
        return Content(
            scope=scope,
            month=self._month,
            as_of=self._now,
            figures=figures,
            previous=previous,
            problems=listed,
            losses=lost,
            reactions=reactions,
            misuse=misuse,
            calls=calls,
            findings=findings,
            standings=standings,
            earlier=standings_before,
            scores=self._scores(scope),
            trend=_trend(at),
        )

    def _scores(self, scope: ReportScope) -> list[MonthScore]:
        found = []
        for month in months(self._month, HISTORY):
            figures = dimensions(Month(self._facts, scope, month), self._scheme)
            reached = score(figures, scope.members(TOTAL), self._scheme)
            rows = int(figures["dim.total.conformity.of"] or 0)
            found.append(MonthScore(month, reached, rows, restated=month < self._scheme.since))
        return found

    def _law(self, at: Month, figures: Figures) -> Figures:
        scope = at.scope
        bank = [a.id for a in scope.agreements if self._known.agencies[a.consumer].role == "bank"]
        return merged(self._known.registers) | {
            "law.agreements": len(scope.agreements),
            "law.purposes": len({a.purpose for a in scope.agreements}),
            "law.bank_rows": sum(int(figures[f"deliver.{a}.sent"] or 0) for a in bank),
            "law.beyond": sum(
                int(figures.get(f"privacy.{r}.hits") or 0) for r in ("PR-03", "PR-04")
            ),
        }


def _judge(
    listed: Sequence[ListedProblem],
    standings: Standings | None,
    scope: ReportScope,
    figures: Figures,
) -> tuple[list[ListedProblem], dict[str, Standing]]:
    """A scope's problems and standings of one month; their numbers are added to the figures."""
    ids = scope.members(TOTAL)
    own = [p for p in listed if p.contract.id in ids]
    figures |= overdue(own)
    for p in own:
        figures |= {p.key: p.failed, f"{p.key}.times": p.times}
    found = standings.of(scope) if standings else {}
    for standing in found.values():
        figures |= standing.figures()
    return own, found


def _loss_figures(found: Losses) -> Figures:
    key, counts = f"card.{found.agreement}", found.counts
    return {
        f"{key}.in_time.part": counts.in_time,
        f"{key}.in_time.of": counts.losses,
        f"{key}.unconfirmed": counts.unconfirmed,
        f"{key}.same.part": counts.same,
        f"{key}.same.of": counts.rows,
    }


def _illegal(at: Month) -> Figures:
    rules = at.frame("rules").filter(
        (pl.col("dataset") == STATUS_DATASET) & (pl.col("rule") == CARD_RULE)
    )
    read = at.frame("collects").filter(pl.col("dataset") == STATUS_DATASET)["rows_read"].sum()
    return {"card.illegal.part": int(rules["failed"].sum()), "card.illegal.of": int(read)}


def _trend(at: Month) -> list[dict[str, object]]:
    """By day and unit (dataset, or agency for the city): good rows in percent."""
    unit = {c.id: name for name, members in at.scope.units().items() for c in members}
    frame = at.frame("collects").filter(pl.col("rows_read") > 0)
    if not len(frame):
        return []
    named = frame.with_columns(what=pl.col("dataset").replace_strict(unit))
    by = named.group_by("day", "what").agg(pl.col("rows_read", "quarantined").sum())
    percent = 100 * (1 - pl.col("quarantined") / pl.col("rows_read"))
    rows = by.with_columns(percent=percent, when=pl.col("day").dt.strftime("%m-%d"))
    return rows.sort("day", "what").select("when", "what", "percent").to_dicts()
