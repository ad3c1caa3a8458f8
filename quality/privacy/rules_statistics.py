"""The rule about statistics: small, dominated and computable cells stay back (PR-12)."""

from __future__ import annotations

import polars as pl

from onecard.model import gate_inputs
from onecard.model.treated import cell_keys
from quality.privacy.registry import NOT_APPLICABLE, Evidence, Ruling, fact, rule
from schemas.models.agreement_parts import Statistics

DOMINANCE = 0.85
"""No single contributor makes more than this share of a cell: (1, 0.85) of rule PR-12."""


@rule("PR-12")
def small_cells(evidence: Evidence) -> Ruling:
    """Suppress cells that are small, dominated by one, or computable from others."""
    agreement, raw = evidence.plan.agreement, evidence.rows.raw
    block = agreement.statistics
    if block is None:
        return NOT_APPLICABLE
    if evidence.plan.previous is None:
        return fact("earlier reports are unknown")
    counts = raw[block.count]
    # Each contributor of a distinct count gives one: dominance is then what k forbids already.
    stays = (counts < block.minimum) | (raw[gate_inputs.TOP] > counts * DOMINANCE)
    stays |= _differences(evidence, block)
    stays |= _complements(raw, stays, block)
    stays = stays.fill_null(value=True)
    number = int(stays.sum())
    detail = f"{number} cells suppressed" if number else ""
    return Ruling(checked=len(raw), hits=number, detail=detail, withheld=stays)


def _differences(evidence: Evidence, block: Statistics) -> pl.Series:
    """Cells whose difference to what the consumer holds is small, but not nothing."""
    raw = evidence.rows.raw
    assert evidence.plan.previous is not None  # noqa: S101 - asked by the caller
    groups = [n for n in evidence.plan.agreement.names if n != block.count]
    keys = cell_keys(evidence.rows.treated.select(groups))
    known = evidence.plan.previous(keys)
    before = pl.Series([known.get(k) for k in keys], dtype=pl.Int64)
    difference = (raw[block.count] - before).abs()
    return ((difference > 0) & (difference < block.minimum)).fill_null(value=False)


def _complements(raw: pl.DataFrame, stays: pl.Series, block: Statistics) -> pl.Series:
    """In every margin, what is suppressed together must not be computable from the total.

    One suppressed cell follows from the total of its margin: the smallest of the others is
    suppressed with it. Several whose sum is below the minimum are protected the same way.
    Suppressing in one margin can expose another, so it goes on until nothing changes.
    """
    count = pl.col(block.count)
    frame = raw.with_columns(stays.alias("_stays"))
    while True:
        before = frame["_stays"].sum()
        for margin in block.margins:
            over = list(margin)
            hidden = pl.col("_stays")
            alone = hidden.sum().over(over) == 1
            little = (count * hidden.cast(pl.Int64)).sum().over(over) < block.minimum
            exposed = hidden.any().over(over) & (alone | little)
            smallest = pl.when(~hidden).then(count).min().over(over)
            joins = exposed & ~hidden & (count == smallest)
            frame = frame.with_columns((hidden | joins.fill_null(value=False)).alias("_stays"))
        if frame["_stays"].sum() == before:
            return frame["_stays"]
