"""Measures of one month: every number of a monthly report, by key.

A key says what is counted: `collect.<dataset>.read`, `kpi.<id>.part`, `dim.<unit>.<dimension>.of`.
Shares are kept as numerator (`.part`) and denominator (`.of`), so that a page always shows both;
a share whose denominator is 0 was not measured (未报送), which is not 100%.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl

from quality.reports.facts import Facts, before, following
from quality.reports.scheme import Scheme
from schemas.models.agreement import Agreement
from schemas.models.catalogue import Catalogue
from schemas.models.contract import Contract

Number = int | float | None
Figures = dict[str, Number]
ROW_DIMENSIONS = ("conformity", "completeness", "accuracy", "consistency")
COUNTS = (
    *("runs", "done", "failed", "held", "rows_read", "published", "unchanged"),
    *("quarantined", "deduplicated", "filtered_by_policy"),
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose report it is: one providing agency's, or the whole city's (the bureau's)."""

    agency: str
    contracts: tuple[Contract, ...]
    agreements: tuple[Agreement, ...]
    whole: bool

    @classmethod
    def of(cls, known: Catalogue, agency: str) -> Scope:
        """The scope of an agency: its datasets and what is delivered of them."""
        whole = not any(c.agency == agency for c in known.contracts.values())
        contracts = [c for c in known.contracts.values() if whole or c.agency == agency]
        ids = {c.id for c in contracts}
        served = [a for a in known.agreements.values() if a.served and a.dataset in ids]
        return cls(
            agency,
            tuple(sorted(contracts, key=lambda c: c.id)),
            tuple(sorted(served, key=lambda a: a.id)),
            whole,
        )

    def units(self) -> dict[str, tuple[Contract, ...]]:
        """What is scored by itself: the datasets of an agency, the agencies of the city."""
        units: dict[str, tuple[Contract, ...]] = {}
        for contract in self.contracts:
            unit = contract.agency if self.whole else contract.id
            units[unit] = (*units.get(unit, ()), contract)
        return units


class Month:
    """The frames of one month and one scope."""

    def __init__(self, facts: Facts, scope: Scope, month: date) -> None:
        """Take the rows of one month and scope.

        Args:
            facts: of several months.
            scope: whose report it is.
            month: its first day.
        """
        self.facts, self.scope, self.month = facts, scope, month
        datasets = [c.id for c in scope.contracts]
        agreements = [a.id for a in scope.agreements]
        self._of = {"dataset": datasets, "agreement": agreements, "subject": datasets + agreements}

    def frame(self, name: str) -> pl.DataFrame:
        """One frame's rows of this month and scope; columns as in `report_facts.FRAMES`."""
        frame = self.facts[name]
        if "day" in frame.columns:
            days = (pl.col("day") >= self.month) & (pl.col("day") < following(self.month))
            frame = frame.filter(days)
        elif "month" in frame.columns:
            frame = frame.filter(pl.col("month") == self.month)
        for column, wanted in self._of.items():
            if column in frame.columns:
                frame = frame.filter(pl.col(column).is_in(wanted))
        return frame

    def days(self) -> int:
        """Days of the month on which the hub ran already: from its first to the newest."""
        first = max(self.facts.first or self.month, self.month)
        last = min(following(self.month) - timedelta(days=1), self.facts.as_of.date())
        return max((last - first).days + 1, 0) if self.facts.first else 0


def measure(facts: Facts, scope: Scope, month: date, scheme: Scheme) -> Figures:
    """All figures of one month, without the comparison with the month before.

    Args:
        facts: of at least this month and the one before.
        scope: whose report it is.
        month: its first day.
        scheme: how it is scored.
    """
    at = Month(facts, scope, month)
    figures: Figures = {"days": at.days()}
    figures |= _collects(at)
    figures |= _deliveries(at)
    figures |= dimensions(at, scheme)
    figures |= _kpis(at, figures, scheme)
    figures |= _privacy(at)
    figures |= _counties(at)
    figures |= _tickets(at)
    return figures


def share(figures: Mapping[str, Number], key: str) -> float | None:
    """A share from its two parts; None when there is nothing to divide by."""
    part, of = figures.get(f"{key}.part"), figures.get(f"{key}.of")
    return None if part is None or not of else part / of


def score(figures: Mapping[str, Number], unit: str, scheme: Scheme) -> float | None:
    """Sum of weight times dimension, over the dimensions that were measured, out of 100.

    Args:
        figures: with `dim.<unit>.<dimension>.part` and `.of`.
        unit: dataset, agency or `total`.
        scheme: weights of the dimensions.
    """
    shares = {d: share(figures, f"dim.{unit}.{d}") for d in scheme.dimensions}
    measured = {d: s for d, s in shares.items() if s is not None}
    if not any(d in measured for d in ROW_DIMENSIONS):
        return None
    weight = sum(scheme.dimensions[d].weight for d in measured)
    return 100 * sum(scheme.dimensions[d].weight * s for d, s in measured.items()) / weight


def _collects(at: Month) -> Figures:
    figures: Figures = {}
    frame = at.frame("collects")
    by = _rows(frame.group_by("dataset").agg(pl.col(*COUNTS).sum()), "dataset")
    arrived = _rows(
        frame.filter(pl.col("done") > 0).group_by("dataset").agg(pl.len().alias("days")), "dataset"
    )
    total = dict.fromkeys(COUNTS, 0)
    for contract in at.scope.contracts:
        row = by.get(contract.id, {})
        for name in COUNTS:
            figures[f"collect.{contract.id}.{name}"] = row.get(name, 0)
            total[name] += row.get(name, 0)
        figures[f"collect.{contract.id}.days"] = arrived.get(contract.id, {}).get("days", 0)
    figures |= {f"collect.total.{name}": number for name, number in total.items()}
    for subject, p95 in at.frame("seconds").select("subject", "p95").iter_rows():
        figures[f"p95.{subject}"] = p95
    return figures


def _deliveries(at: Month) -> Figures:
    names = ("runs", "done", "failed", "held", "sent")
    by = _rows(at.frame("deliveries").group_by("agreement").agg(pl.col(*names).sum()), "agreement")
    blocked = _rows(at.frame("blocked"), "agreement")
    receipts = _rows(at.frame("receipts"), "agreement")
    inboxes = _rows(at.frame("inboxes"), "agreement")
    figures: Figures = {}
    total = dict.fromkeys((*names, "blocked", "receipts"), 0)
    for agreement in at.scope.agreements:
        row = by.get(agreement.id, {})
        row = {**row, **blocked.get(agreement.id, {}), **receipts.get(agreement.id, {})}
        for name in total:
            figures[f"deliver.{agreement.id}.{name}"] = row.get(name, 0)
            total[name] += row.get(name, 0)
        compared = inboxes.get(agreement.id, {})
        figures[f"inbox.{agreement.id}.part"] = compared.get("agreeing", 0)
        figures[f"inbox.{agreement.id}.of"] = compared.get("rows", 0)
    return figures | {f"deliver.total.{name}": number for name, number in total.items()}


def dimensions(at: Month, scheme: Scheme) -> Figures:
    """Numerators and denominators of the six dimensions, by unit and in total."""
    contracts = {c.id: c for c in at.scope.contracts}
    broken: dict[tuple[str, str], int] = {}
    rules = at.frame("rules").filter(pl.col("severity") == "error")
    for dataset, rule, failed in rules.select("dataset", "rule", "failed").iter_rows():
        key = (dataset, scheme.dimension_of(contracts[dataset], rule))
        broken[key] = broken.get(key, 0) + failed
    collects = _rows(
        at.frame("collects").group_by("dataset").agg(pl.col("runs", "failed", "rows_read").sum()),
        "dataset",
    )
    arrived = _rows(
        at.frame("collects").filter(pl.col("done") > 0).group_by("dataset").agg(days=pl.len()),
        "dataset",
    )
    figures: Figures = {}
    units = {**at.scope.units(), "total": at.scope.contracts}
    for unit, members in units.items():
        sums: dict[str, list[int]] = {d: [0, 0] for d in scheme.dimensions}
        for contract in members:
            row = collects.get(contract.id, {})
            read = row.get("rows_read", 0)
            for dimension in ROW_DIMENSIONS:
                failed = min(broken.get((contract.id, dimension), 0), read)
                _add(sums[dimension], read - failed, read)
            _add(sums["timeliness"], arrived.get(contract.id, {}).get("days", 0), at.days())
            runs = row.get("runs", 0)
            _add(sums["accessibility"], runs - row.get("failed", 0), runs)
        for dimension, (part, of) in sums.items():
            figures[f"dim.{unit}.{dimension}.part"] = part
            figures[f"dim.{unit}.{dimension}.of"] = of
    return figures


def _kpis(at: Month, known: Mapping[str, Number], scheme: Scheme) -> Figures:
    read = _whole(known, "collect.total.rows_read")
    bad = _whole(known, "collect.total.quarantined")
    required, missing = _required(at)
    reviewed = at.frame("reviewed")
    now, earlier = problems_of(at), problems_of(Month(at.facts, at.scope, before(at.month)))
    due = [t for t in _own_tickets(at) if _in(t["due_on"], at.month)]
    in_time = [t for t in due if t["answered"] is not None and t["answered"] <= t["due_on"]]
    runs = _whole(known, "deliver.total.runs")
    shares = {
        "record_complete": (read - bad, read),
        "filled": (required - missing, required),
        "conform": _dim(known, "conformity"),
        "unique": (read - min(_repeats(at), read), read),
        "consistent": _consistency_checks(at),
        "timely": _dim(known, "timeliness"),
        "available": _dim(known, "accessibility"),
        "blocked": (_whole(known, "deliver.total.blocked"), runs),
        "false_block": (int(reviewed["released"].sum()), int(reviewed["rows"].sum())),
        "fixed_in_time": (len(in_time), len(due)),
        "recurring": (len(now & earlier), len(now)),
        "catalogued": _catalogued(at),
    }
    figures: Figures = {}
    for kpi in scheme.kpis:
        if kpi in shares:
            figures[f"kpi.{kpi}.part"], figures[f"kpi.{kpi}.of"] = shares[kpi]
    return figures


def _catalogued(at: Month) -> tuple[int, int]:
    """Datasets that held data at the month's end; nothing is due in a month before the hub ran."""
    contracts = at.scope.contracts if at.days() else ()
    days = [at.facts.filled.get(c.id) for c in contracts]
    return sum(d is not None and d < following(at.month) for d in days), len(contracts)


def problems_of(at: Month) -> set[tuple[str, str, str]]:
    """The month's problems: each dataset, field and rule of severity error with failing rows."""
    frame = at.frame("rules").filter((pl.col("severity") == "error") & (pl.col("failed") > 0))
    return set(frame.select("dataset", "field", "rule").iter_rows())


def _required(at: Month) -> tuple[int, int]:
    """Required values that were due, and those that were missing."""
    read = _rows(at.frame("collects").group_by("dataset").agg(pl.col("rows_read").sum()), "dataset")
    due = sum(
        read.get(c.id, {}).get("rows_read", 0) * sum(f.required for f in c.fields)
        for c in at.scope.contracts
    )
    frame = at.frame("rules").filter(pl.col("rule") == "required")
    return due, min(int(frame["failed"].sum()), due)


def _repeats(at: Month) -> int:
    """Rows that repeat another: broken `unique` rules and rows dropped as duplicates."""
    unique = [
        (c.id, r.name) for c in at.scope.contracts for r in c.rules if r.dimension == "uniqueness"
    ]
    rules = at.frame("rules").select("dataset", "rule", "failed").iter_rows()
    broken: int = sum(n for dataset, rule, n in rules if (dataset, rule) in unique)
    return broken + int(at.frame("collects")["deduplicated"].sum())


def _consistency_checks(at: Month) -> tuple[int, int]:
    """Consistency expectations of the month: how many passed, how many ran."""
    names = [
        (c.id, e.name)
        for c in at.scope.contracts
        for e in c.expectations
        if e.dimension == "consistency"
    ]
    rows = at.frame("findings").select("dataset", "name", "runs", "failed").iter_rows()
    mine = [(runs, failed) for dataset, name, runs, failed in rows if (dataset, name) in names]
    runs = sum(n for n, _ in mine)
    return runs - sum(n for _, n in mine), runs


def _privacy(at: Month) -> Figures:
    figures: Figures = {}
    frame = at.frame("privacy").group_by("rule").agg(pl.col("checked", "hits", "stopped").sum())
    for rule, checked, hits, stopped in frame.iter_rows():
        figures[f"privacy.{rule}.checked"] = checked
        figures[f"privacy.{rule}.hits"] = hits
        figures[f"privacy.{rule}.stopped"] = stopped
    figures["privacy.incidents"] = int(at.frame("incidents")["incidents"].sum())
    return figures


def _counties(at: Month) -> Figures:
    figures: Figures = {}
    frame = at.frame("counties").group_by("county").agg(pl.col("rows_read", "quarantined").sum())
    for county, read, bad in frame.sort("county").iter_rows():
        name = county or "elsewhere"
        figures[f"county.{name}.part"], figures[f"county.{name}.of"] = read - bad, read
    return figures


def _tickets(at: Month) -> Figures:
    mine = _own_tickets(at)
    today = min(at.facts.as_of.date(), following(at.month) - timedelta(days=1))
    closed = [t for t in mine if t["answered"] is not None and _in(t["answered"], at.month)]
    late = [t for t in mine if (t["answered"] or date.max) > today and t["due_on"] < today]
    return {
        "ticket.received": sum(_in(t["opened"], at.month) for t in mine),
        "ticket.answered": len(closed),
        "ticket.corrected": sum(t["outcome"] == "corrected" for t in closed),
        "ticket.overdue": len(late),
    }


def _own_tickets(at: Month) -> list[dict[str, Any]]:
    frame = at.facts["tickets"]
    if not at.scope.whole:
        frame = frame.filter(pl.col("agency") == at.scope.agency)
    return frame.to_dicts()


def _rows(frame: pl.DataFrame, key: str) -> dict[str, dict[str, int]]:
    return {str(row.pop(key)): row for row in frame.to_dicts()}


def _add(pair: list[int], part: int, of: int) -> None:
    pair[0] += part
    pair[1] += of


def _dim(figures: Mapping[str, Number], dimension: str) -> tuple[int, int]:
    key = f"dim.total.{dimension}"
    return _whole(figures, f"{key}.part"), _whole(figures, f"{key}.of")


def _whole(figures: Mapping[str, Number], key: str) -> int:
    return int(figures.get(key) or 0)


def _in(day: object, month: date) -> bool:
    return isinstance(day, date) and month <= day < following(month)


def months(last: date, count: int) -> Iterable[date]:
    """The `count` months up to `last`, oldest first."""
    return [before(last, n) for n in range(count - 1, -1, -1)]
