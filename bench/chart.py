"""The chart of RESULTS.md: bars of ratios to COPY | COPY, and lines at the limits, as SVG.

Written by hand, so that no browser is needed; one drawing for light and dark pages, by the reader's
own setting. What is longer than the chart is cut and says its figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bench.results import Limit

WIDTH, LEFT, RIGHT = 860, 270, 70
TOP, STEP, BAR, THIN = 64, 40, 16, 6
LONGEST = 8.0
"""Ratio at which a bar is cut."""

STYLE = """
  .page { fill: #ffffff } text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px } .small { font-size: 11px; fill: #59636e }
  .ours { fill: #0969da } .other { fill: #8c959f } .cpu { fill-opacity: .45 }
  .grid { stroke: #d1d9e0 } .limit { stroke: #cf222e; stroke-dasharray: 5 4 } .said { fill: #cf222e }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #f0f6fc } .small { fill: #9198a1 }
    .ours { fill: #4493f8 } .other { fill: #6e7681 } .grid { stroke: #3d444d }
    .limit { stroke: #f85149 } .said { fill: #f85149 }
  }"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One way to move the rows: ratios to the floor by the clock and by CPU seconds."""

    name: str
    seconds: float
    cpu: float
    ours: bool = False


def draw(bars: Sequence[Bar], limits: Sequence[Limit]) -> str:
    """The drawing.

    Args:
        bars: from top to bottom.
        limits: the first is drawn as a line; all are listed below, with whether they hold.
    """
    longest = min(LONGEST, max(bar.seconds for bar in bars) * 1.08)
    bottom = TOP + STEP * len(bars)
    height = bottom + 44 + 18 * len(limits)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>Ratios to COPY | COPY with the primary key</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
        _text(
            16, 24, "The same rows, the same end state: ratio to COPY | COPY with the key", "title"
        ),
        _text(
            16,
            43,
            "thick: by the clock; thin: CPU seconds of client and server; blue: ours",
            "small",
        ),
        *_grid(longest, bottom),
    ]
    for number, bar in enumerate(bars):
        parts += _bar(bar, TOP + STEP * number, longest)
    allowed = limits[0].allowed
    if allowed < longest:
        x = _x(allowed, longest)
        parts.append(f'<path class="limit" d="M{x:.1f} {TOP - 8}V{bottom}"/>')
        parts.append(_text(x + 4, TOP - 3, f"limit of the first load {allowed:g}", "small said"))
    for number, limit in enumerate(limits):
        name, wanted, measured, verdict = limit.cells()
        line = f"{name}: {measured} (limit {wanted}): {'holds' if limit.holds else verdict}"
        parts.append(
            _text(16, bottom + 40 + 18 * number, line, "small" if limit.holds else "small said")
        )
    return "\n".join([*parts, "</svg>", ""])


def _x(ratio: float, longest: float) -> float:
    return LEFT + min(ratio, longest) / longest * (WIDTH - LEFT - RIGHT)


def _text(x: float, y: float, said: str, kind: str = "", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}"{more}>{escape(said)}</text>'


def _grid(longest: float, bottom: int) -> list[str]:
    parts = []
    for ratio in range(int(longest) + 1):
        x = _x(ratio, longest)
        parts.append(f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>')
        parts.append(_text(x, bottom + 15, str(ratio), "small", ' text-anchor="middle"'))
    return parts


def _bar(bar: Bar, y: int, longest: float) -> list[str]:
    kind = "ours" if bar.ours else "other"
    end = _x(bar.seconds, longest)
    cut = " →" if bar.seconds > longest else ""
    return [
        _text(LEFT - 8, y + 19, bar.name, "", ' text-anchor="end"'),
        f'<rect class="{kind}" x="{LEFT}" y="{y + 5}" width="{end - LEFT:.1f}" height="{BAR}"/>',
        f'<rect class="{kind} cpu" x="{LEFT}" y="{y + 5 + BAR + 1}"'
        f' width="{_x(bar.cpu, longest) - LEFT:.1f}" height="{THIN}"/>',
        _text(end + 5, y + 18, f"{bar.seconds:.2f}{cut}"),
    ]
