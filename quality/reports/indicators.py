"""Key figures (KPIs) of one month: numerator and denominator of each that the scheme names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from quality.reports.facts import before, following
from quality.reports.problems import ListedProblem
from quality.reports.scheme import ScoringScheme
from quality.reports.scope import Figures, Month, Number, own_tickets, rows_by, within
from schemas.models.registers import Registers


def indicators(at: Month, known: Mapping[str, Number], scheme: ScoringScheme) -> Figures:
    """Numerators and denominators of the key figures.

    Args:
        at: the month and scope.
        known: the month's other figures.
        scheme: which key figures there are.
    """
    read = _whole(known, "collect.total.rows_read")
    bad = _whole(known, "collect.total.quarantined")
    required, missing = _required(at)
    reviewed = at.frame("reviewed")
    last = Month(at.facts, at.scope, before(at.month))
    now, earlier = problems_of(at), problems_of(last)
    due = [t for t in own_tickets(at) if within(t["due_on"], at.month)]
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
        # In the hub's first month nothing can have come again.
        "recurring": (len(now & earlier), len(now) if last.days() else 0),
        "catalogued": _catalogued(at),
    }
    figures: Figures = {}
    for kpi in scheme.kpis:
        if kpi in shares:
            figures[f"kpi.{kpi}.part"], figures[f"kpi.{kpi}.of"] = shares[kpi]
    return figures


def merged(registers: Registers) -> Figures:
    """Card schemes that are merged, or exempt, of those on record (article 9); of the city."""
    schemes = registers.schemes.values()
    return {
        "kpi.merged.part": sum(bool(s.exemption) or not s.government for s in schemes),
        "kpi.merged.of": len(schemes),
    }


def overdue(problems: Iterable[ListedProblem]) -> Figures:
    """Problems that nobody put right by their last day, of all of the month."""
    states = [p.status for p in problems]
    return {"kpi.overdue.part": states.count("overdue"), "kpi.overdue.of": len(states)}


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
    read = rows_by(
        at.frame("collects").group_by("dataset").agg(pl.col("rows_read").sum()), "dataset"
    )
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


def _dim(figures: Mapping[str, Number], dimension: str) -> tuple[int, int]:
    key = f"dim.total.{dimension}"
    return _whole(figures, f"{key}.part"), _whole(figures, f"{key}.of")


def _whole(figures: Mapping[str, Number], key: str) -> int:
    return int(figures.get(key) or 0)
