"""Measures of one month: every number of a monthly report, by key.

A key says what is counted: `collect.<dataset>.read`, `kpi.<id>.part`, `dim.<unit>.<dimension>.of`.
Of several datasets `dim` has the sums; their level is the mean of their shares, so that each counts
alike and a small one cannot hide behind a large one.

Shares are kept as numerator (`.part`) and denominator (`.of`), so that a page always shows both; a
share whose denominator is 0 was not measured (未报送), which is not 100%.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import polars as pl

from quality.reports.facts import Facts, following
from quality.reports.indicators import indicators
from quality.reports.scheme import Dimension, ScoringScheme
from quality.reports.scope import Figures, Month, Number, ReportScope, own_tickets, rows_by, within

ROW_DIMENSIONS = ("conformity", "completeness", "accuracy", "consistency")
COUNTS = (
    *("runs", "done", "failed", "held", "rows_read", "published", "unchanged"),
    *("quarantined", "deduplicated", "filtered_by_policy"),
)


def measure(facts: Facts, scope: ReportScope, month: date, scheme: ScoringScheme) -> Figures:
    """All figures of one month, without the comparison with the month before.

    Args:
        facts: of at least this month and the one before.
        scope: whose report it is.
        month: its first day.
        scheme: how it is scored.
    """
    at = Month(facts, scope, month)
    return judged(at, scheme) | _privacy(at) | _counties(at) | _tickets(at)


def judged(at: Month, scheme: ScoringScheme) -> Figures:
    """The figures of which a score and a grade are made: dimensions and key figures.

    Args:
        at: the month and scope.
        scheme: how it is scored.
    """
    figures: Figures = {"days": at.days()}
    figures |= _collects(at)
    figures |= _deliveries(at)
    figures |= dimensions(at, scheme)
    return figures | indicators(at, figures, scheme)


def share(figures: Mapping[str, Number], key: str) -> float | None:
    """A share from its two parts; None when there is nothing to divide by."""
    part, of = figures.get(f"{key}.part"), figures.get(f"{key}.of")
    return None if part is None or not of else part / of


def level(
    figures: Mapping[str, Number], datasets: Sequence[str], dimension: Dimension
) -> float | None:
    """The mean of some datasets' shares in a dimension, 0 to 1; None where none was measured.

    Args:
        figures: with `dim.<dataset>.<dimension>.part` and `.of`.
        datasets: whose.
        dimension: which.
    """
    shares = [share(figures, f"dim.{dataset}.{dimension}") for dataset in datasets]
    measured = [s for s in shares if s is not None]
    return sum(measured) / len(measured) if measured else None


def score(
    figures: Mapping[str, Number], datasets: Sequence[str], scheme: ScoringScheme
) -> float | None:
    """Sum of weight times level, over the dimensions that were measured, out of 100.

    Args:
        figures: with `dim.<dataset>.<dimension>.part` and `.of`.
        datasets: which are scored, as one.
        scheme: weights of the dimensions.

    Returns:
        None where no row was read.
    """
    levels = {d: level(figures, datasets, d) for d in scheme.dimensions}
    measured = {d: s for d, s in levels.items() if s is not None}
    if not any(d in measured for d in ROW_DIMENSIONS):
        return None
    weight = sum(scheme.dimensions[d].weight for d in measured)
    return 100 * sum(scheme.dimensions[d].weight * s for d, s in measured.items()) / weight


def _collects(at: Month) -> Figures:
    figures: Figures = {}
    frame = at.frame("collects")
    by = rows_by(frame.group_by("dataset").agg(pl.col(*COUNTS).sum()), "dataset")
    arrived = rows_by(
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
    by = rows_by(
        at.frame("deliveries").group_by("agreement").agg(pl.col(*names).sum()), "agreement"
    )
    blocked = rows_by(at.frame("blocked"), "agreement")
    receipts = rows_by(at.frame("receipts"), "agreement")
    inboxes = rows_by(at.frame("inboxes"), "agreement")
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


def dimensions(at: Month, scheme: ScoringScheme) -> Figures:
    """Numerators and denominators of the six dimensions, by dataset, by unit and in total."""
    contracts = {c.id: c for c in at.scope.contracts}
    broken: dict[tuple[str, str], int] = {}
    rules = at.frame("rules").filter(pl.col("severity") == "error")
    for dataset, rule, failed in rules.select("dataset", "rule", "failed").iter_rows():
        key = (dataset, scheme.dimension_of(contracts[dataset], rule))
        broken[key] = broken.get(key, 0) + failed
    collects = rows_by(
        at.frame("collects").group_by("dataset").agg(pl.col("runs", "failed", "rows_read").sum()),
        "dataset",
    )
    arrived = rows_by(
        at.frame("collects").filter(pl.col("done") > 0).group_by("dataset").agg(days=pl.len()),
        "dataset",
    )
    figures: Figures = {}
    each = {contract.id: (contract,) for contract in at.scope.contracts}
    units = each | at.scope.units() | {"total": at.scope.contracts}
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
    mine = own_tickets(at)
    today = min(at.facts.as_of.date(), following(at.month) - timedelta(days=1))
    closed = [t for t in mine if t["answered"] is not None and within(t["answered"], at.month)]
    late = [t for t in mine if (t["answered"] or date.max) > today and t["due_on"] < today]
    return {
        "ticket.received": sum(within(t["opened"], at.month) for t in mine),
        "ticket.answered": len(closed),
        "ticket.corrected": sum(t["outcome"] == "corrected" for t in closed),
        "ticket.overdue": len(late),
    }


def _add(pair: list[int], part: int, of: int) -> None:
    pair[0] += part
    pair[1] += of
