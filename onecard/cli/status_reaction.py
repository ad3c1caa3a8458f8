"""How fast events reach their consumers, as `onecard status` shows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from onecard.cli import output
from onecard.model.reaction import FEW, QUANTILES, Breach, joined
from onecard.operations.reactions import ReactionLine

HEADS = (
    *("agreement", "event", "n"),
    *(f"p{round(100 * q)} s" for q in QUANTILES),
    *("limit", "late", "waiting", "oldest s"),
)
BREACH_HEADS = ("agreement", "event", "last", "events", "worst s", "limit s", "cause")


def lines(found: Iterable[ReactionLine]) -> list[dict[str, Any]]:
    """As JSON: one for each agreement and kind of event, also of those without any event.

    Args:
        found: what the hub knows.
    """
    return [
        {
            "agreement": line.agreement.id,
            "kind": line.name,
            "events": line.times.events,
            **{f"p{round(100 * q)}_s": line.times.quantile(q) for q in QUANTILES},
            "ahead": line.times.ahead,
            "later": line.times.later,
            "limit": line.limit,
            "late": line.beyond,
            "waiting": line.waiting.events if line.waiting else 0,
            "oldest_waiting_s": line.waited_s if line.waiting else None,
            "breaches": [_breach(b) for b in joined(line.breaches)],
        }
        for line in found
    ]


def show(found: Iterable[ReactionLine]) -> None:
    """Print the kinds of which any event was confirmed lately or waits, then what came too late.

    Args:
        found: what the hub knows.
    """
    known = [line for line in found if line.times.buckets or line.waiting]
    if not known:
        return
    few = any(line.times.events < FEW for line in known)
    note = f"; n below {FEW}: percentiles say little" if few else ""
    title = f"event to confirmation, confirmed in the last 24 h, within 5%{note}"
    output.table(title, HEADS, [_row(line) for line in known])
    breaches = [b for line in known for b in joined(line.breaches)]
    if breaches:
        rows = [
            (b.agreement, b.kind, b.last_at, b.events, b.worst, b.allowed, b.cause)
            for b in breaches
        ]
        output.table("confirmed too late in the last 24 h", BREACH_HEADS, rows)


def _row(line: ReactionLine) -> tuple[Any, ...]:
    return (
        line.agreement.id,
        line.name,
        line.times.events,
        *(line.times.quantile(q) for q in QUANTILES),
        line.limit.shown if line.limit else "",
        line.beyond,
        line.waiting.events if line.waiting else 0,
        line.waited_s if line.waiting else None,
    )


def _breach(found: Breach) -> dict[str, Any]:
    return {
        "cause": found.cause,
        "limit": found.allowed,
        "events": found.events,
        "worst_s": found.worst,
        "first_at": found.first_at,
        "last_at": found.last_at,
    }
