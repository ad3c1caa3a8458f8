"""bench/RESULTS.md: figures, ratios, limits and whether they hold."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from bench.measure import Run

OURS = {
    "copy": "`psql COPY binary \\| psql COPY binary` (no check)",
    "first": "**onecard collect**, first load, all checks",
    "same": "**onecard collect --whole**, nothing changed",
    "changed": "**onecard collect**, 1% changed behind the watermark",
}


WHY = (
    "COPY | COPY moves bytes that nobody looks at. The first load uses both cores to the full:"
    " about 0.5 s to start, then decoding COPY into Arrow, the checks and the row hash (1.9 million"
    " rows a second on their own), encoding Arrow into COPY, and at the end the primary key, which"
    " the floor does not build. What would close the gap is a faster Arrow-to-COPY encoder and a"
    " start without SQLAlchemy and pydantic models; neither is done."
)


def write(
    where: str,
    rows: int,
    found: Mapping[str, list[Run]],
    double: list[Run],
    scale: Mapping[str, float],
) -> str:
    """The section of the transfers."""
    copy = _seconds(found["copy"])
    lines = [
        "## Transfers",
        "",
        f"Machine: {where}. {rows:,} card-master rows of 23 columns, PostgreSQL to PostgreSQL on the"
        f" same server; median of {len(found['copy'])} interleaved rounds; whole processes, start"
        " included. Ratio: to COPY | COPY in the same run. Made by `make bench`.",
        "",
        "| what | seconds | ratio | rows/s | peak MB |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, runs in found.items():
        seconds = _seconds(runs) / scale.get(name, 1.0)
        note = (
            ""
            if scale.get(name, 1.0) == 1.0
            else f" (measured on {scale[name]:.1%} and scaled, start-up too: an upper bound)"
        )
        moved = rows // 100 if name == "changed" else rows
        lines.append(
            f"| {OURS.get(name, name)}{note} | {seconds:.1f} | {seconds / copy:.2f}"
            f" | {moved / seconds:,.0f} | {_peak(runs):.0f} |"
        )
    if double:
        lines.append(
            f"| **onecard collect**, first load of {2 * rows:,} rows | {_seconds(double):.1f} |"
            f" {_seconds(double) / _seconds(found['first']):.2f} × {rows:,} rows |"
            f" {2 * rows / _seconds(double):,.0f} | {_peak(double):.0f} |"
        )
    limits = _limits(found, double, scale)
    why = [] if _seconds(found["first"]) / copy <= 2.5 else ["", "### Why it is missed", "", WHY]
    return "\n".join([*lines, "", "### Limits", "", *limits, *why])


def _limits(
    found: Mapping[str, list[Run]], double: list[Run], scale: Mapping[str, float]
) -> list[str]:
    copy, first = _seconds(found["copy"]), _seconds(found["first"])
    peak = max(_peak(found[n]) for n in ("first", "same", "changed"))
    peak = max(peak, _peak(double)) if double else peak
    lines = ["| limit | allowed | measured | holds |", "|---|---:|---:|---|"]
    checks = [
        ("first load, ratio to COPY \\| COPY", 2.5, first / copy),
        ("nothing changed, ratio to COPY \\| COPY", 2.5, _seconds(found["same"]) / copy),
        ("1% changed, whole process, seconds", 4.0, _seconds(found["changed"])),
        ("peak memory, MB", 600.0, peak),
    ]
    if double:
        checks.append(("twice the rows, ratio of time", 2.1, _seconds(double) / first))
    lines += [
        f"| {name} | {limit} | {value:.2f} | {_holds(value, limit)} |"
        for name, limit, value in checks
    ]
    others = {n: _seconds(r) / scale.get(n, 1.0) for n, r in found.items() if n not in OURS}
    if others:
        best = min(others, key=lambda n: others[n])
        lines.append(
            f"| faster than the fastest peer without any check ({best}), seconds |"
            f" {others[best]:.1f} | {first:.1f} | {_holds(first, others[best])} |"
        )
    return lines


def _holds(value: float, limit: float) -> str:
    return "yes" if value <= limit else f"no, missed by {(value / limit - 1) * 100:.0f}%"


def _seconds(runs: list[Run]) -> float:
    return median(r.seconds for r in runs)


def _peak(runs: list[Run]) -> float:
    return max(r.megabytes for r in runs)
