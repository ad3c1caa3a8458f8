"""The problem list: what broke a rule in a month, who puts it right, by when, how often before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import polars as pl

from onecard.base import workdays
from onecard.store import report_facts, unresolved
from onecard.store.database import Connection
from onecard.store.report_facts import Sample
from onecard.store.unresolved import BrokenIn, OwnRows
from quality.reports.facts import before, following
from quality.reports.scope import Month
from quality.rows.rule_titles import title as built_in_title
from schemas.models.contract import Contract
from schemas.models.service_levels import ServiceLevels

MONTHS_BACK = 12
ProblemStatus = Literal["gone", "ticket", "overdue", "open"]


@dataclass(frozen=True, slots=True)
class ListedProblem:
    """One line of the list.

    Attributes:
        number: `WT-<yyyymm>-<agency>-<nnn>`, in the order of loss.
        sample: a row that failed it, by transfer and row number; a value is never shown.
        first_day: of the month on which it was found.
        due: last day to put it right; `clock` says whether all holidays were known.
        times: in how many of the twelve months before it occurred as well.
    """

    number: str
    contract: Contract
    field: str
    rule: str
    severity: str
    failed: int
    of: int
    sample: Sample | None
    first_day: date
    due: date
    clock: workdays.Clock
    status: ProblemStatus
    times: int

    @property
    def place(self) -> str:
        """Where a row that failed it can be found: transfer / row number, or a dash."""
        return f"{self.sample.transfer} / {self.sample.row_number}" if self.sample else "—"

    @property
    def field_title(self) -> str:
        """Chinese title of the field; empty for a rule about the whole record."""
        return {f.name: f.title for f in self.contract.fields}.get(self.field, "")

    @property
    def rule_title(self) -> str:
        """Chinese title of the rule."""
        own = {r.name: r.title for r in self.contract.rules}
        return own.get(self.rule) or built_in_title(self.rule)

    @property
    def key(self) -> str:
        """Key of its number of failing rows: `problem.<dataset>.<field>.<rule>`."""
        return f"problem.{self.contract.id}.{self.field}.{self.rule}"


def listed(
    connection: Connection,
    at: Month,
    levels: ServiceLevels,
    today: date | None = None,
    *,
    sampled: bool = True,
) -> list[ListedProblem]:
    """The problems of a month, the largest loss first, as far as is known now.

    Args:
        connection: of the hub's database.
        at: the month and scope.
        levels: working days that an agency has to put a problem right.
        today: on which day they are looked at; None: the newest day of the month.
        sampled: with a row of each.
    """
    contracts = {c.id: c for c in at.scope.contracts}
    rows = at.frame("rules").filter(pl.col("failed") > 0)
    rows = rows.sort(["failed", "dataset", "field", "rule"], descending=[True, False, False, False])
    read = dict(at.frame("collects").group_by("dataset").agg(pl.col("rows_read").sum()).iter_rows())
    looked = report_facts.samples(connection, contracts) if sampled else []
    samples = {(sample.dataset, sample.field, sample.rule): sample for sample in looked}
    today = today or min(at.facts.as_of.date(), following(at.month) - timedelta(days=1))
    own = unresolved.counted(connection, [_broken(row) for row in rows.to_dicts()])
    times = _times(at)
    counters: dict[str, int] = {}
    found = []
    for row in rows.to_dicts():
        contract = contracts[row["dataset"]]
        counters[contract.agency] = counters.get(contract.agency, 0) + 1
        what = (row["dataset"], row["field"], row["rule"])
        due = workdays.after(row["first_day"], levels.days(contract.agency, "finding"))
        found.append(
            ListedProblem(
                number=f"WT-{at.month:%Y%m}-{contract.agency}-{counters[contract.agency]:03d}",
                contract=contract,
                field=row["field"],
                rule=row["rule"],
                severity=row["severity"],
                failed=row["failed"],
                of=read.get(contract.id, 0),
                sample=samples.get(what),
                first_day=row["first_day"],
                due=due.day,
                clock=due.clock,
                status=_status(at, row, own[what], late=today > due.day),
                times=times.get(what, 0),
            )
        )
    return found


def _times(at: Month) -> Mapping[tuple[str, str, str], int]:
    """In how many of the twelve months before each problem occurred."""
    frame = at.facts["rules"].filter(
        (pl.col("failed") > 0)
        & (pl.col("month") < at.month)
        & (pl.col("month") >= before(at.month, MONTHS_BACK))
    )
    counted = frame.group_by("dataset", "field", "rule").agg(pl.col("month").n_unique())
    return {(d, f, r): n for d, f, r, n in counted.iter_rows()}


def _broken(row: Mapping[str, Any]) -> BrokenIn:
    return BrokenIn(*(row[name] for name in ("dataset", "field", "rule", "first", "last")))


def _status(at: Month, row: Mapping[str, Any], own: OwnRows, *, late: bool) -> ProblemStatus:
    """Gone when its own rows came right or left the source; else by ticket and deadline.

    A rule that only warns has no rows in quarantine: it is gone when a reading of the whole source
    did not find it any more. That rows were not read says nothing.
    """
    gone = at.facts.complete.get(row["dataset"], 0) > row["last"]
    if own.rows:
        gone = not own.unresolved
    if gone:
        return "gone"
    waiting = at.facts["tickets"].filter(
        (pl.col("dataset") == row["dataset"])
        & (pl.col("rule") == row["rule"])
        & (pl.col("status") != "closed")
    )
    if len(waiting):
        return "ticket"
    return "overdue" if late else "open"
