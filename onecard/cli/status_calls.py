"""Calls about single persons, as `onecard status` shows them."""

from __future__ import annotations

from typing import Any

from onecard.cli import output
from onecard.model.call_figures import FEW_CALLS, QUANTILES
from onecard.model.call_lines import CallLine
from onecard.operations.calls import Calls
from onecard.serve.codes import CODES

HEADS = (
    *("agreement", "caller", "answered", "none", "refused"),
    *(f"p{percent} ms" for percent in QUANTILES),
    *("promise", "within"),
)
REFUSED_HEADS = ("agreement", "caller", "code", "calls", "means")
LOOK_UPS, NOBODY = "residents' look-ups", "not proved"


def lines(found: Calls) -> dict[str, Any]:
    """As JSON: a line for each agreement and system, and one for each code that was refused with.

    Args:
        found: what the hub knows.
    """
    return {
        "answered": [
            {
                "agreement": line.name,
                "caller": line.caller,
                "answered": line.answered.found,
                "none": line.answered.nothing,
                "refused": line.refused,
                **{f"p{percent}_ms": line.answered.quantile(percent) for percent in QUANTILES},
                "promise": line.agreement.freshness if line.agreement else None,
                "within_promise": line.in_time,
                "kept": line.kept,
            }
            for line in found.lines
        ],
        "refused": [
            {"agreement": r.agreement, "caller": r.caller, "code": r.code, "calls": r.calls}
            for r in found.refused
        ],
    }


def show(found: Calls) -> None:
    """Print who has called lately, then what was refused.

    Args:
        found: what the hub knows.
    """
    called = [line for line in found.lines if line.called]
    if called:
        few = any(line.answered.calls < FEW_CALLS for line in called)
        note = f"; fewer than {FEW_CALLS} answers: percentiles say little" if few else ""
        title = f"calls about single persons of the last 24 h, at most so many ms{note}"
        output.table(title, HEADS, [_row(line) for line in called])
    if found.refused:
        means = {code.code: code.en for code in CODES}
        rows = [
            (r.agreement or "", r.caller or NOBODY, r.code, r.calls, means.get(r.code, ""))
            for r in found.refused
        ]
        output.table("calls refused in the last 24 h", REFUSED_HEADS, rows)


def _row(line: CallLine) -> tuple[Any, ...]:
    answered = line.answered
    promise = line.agreement.promise if line.agreement else None
    return (
        line.name or LOOK_UPS,
        line.caller,
        answered.found,
        answered.nothing,
        line.refused,
        *(answered.quantile(percent) for percent in QUANTILES),
        promise.shown if promise else "",
        "" if line.in_time is None else f"{line.in_time}/{answered.calls}",
    )
