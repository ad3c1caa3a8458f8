"""Charts as SVG by Altair and vl-convert: no script, no font and no request in the page.

Every chart stands beside the table it is made of; its text alternative says what it shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from onecard.base.extras import extra
from quality.reports.words import visible

FONT = "Noto Sans CJK SC, Source Han Sans SC, Microsoft YaHei, sans-serif"
INK, BLUE = "#1a1a1a", "#1f5f99"
COLOURS = ("#1f5f99", "#a34700", "#1d6b2c", "#6a3d9a", "#8c1c4b", "#4d4d00", "#005f5f")
"""Each has a contrast of at least 4.5 on white (WCAG 2.1, 1.4.3)."""
WIDTH = 560


@dataclass(frozen=True, slots=True)
class Titles:
    """What stands above a chart, and at the axis of its numbers."""

    chart: str
    axis: str


def line(rows: Sequence[Mapping[str, Any]], name: str, titles: Titles) -> str:
    """Percentages over time.

    Args:
        rows: `when` (text), `what` (series), `percent` (None: not measured, a gap).
        name: unique in the page, for the ids inside the SVG.
        titles: of the chart and of the vertical axis.
    """
    with extra("reports"):
        import altair as alt  # noqa: PLC0415 - half a second of import

    frame = pl.DataFrame(
        list(rows), schema={"when": pl.String, "what": pl.String, "percent": pl.Float64}
    )
    lowest = frame["percent"].min()
    floor = min(99.0, float(lowest)) if isinstance(lowest, float) else 0.0
    chart = (
        alt.Chart(frame)
        .mark_line(point=True)
        .encode(
            x=alt.X("when:O", title=None, axis=alt.Axis(labelAngle=-60)),
            y=alt.Y("percent:Q", title=titles.axis, scale=alt.Scale(domain=[floor, 100.0])),
            color=alt.Color("what:N", title=None, scale=alt.Scale(range=list(COLOURS))),
            strokeDash=alt.StrokeDash("what:N", title=None),
        )
        .properties(width=WIDTH, height=200, title=titles.chart)
    )
    return _svg(chart, name, titles.chart)


def bars(rows: Sequence[Mapping[str, Any]], name: str, titles: Titles) -> str:
    """Numbers by name, the longest bar first.

    Args:
        rows: one bar each: `what` (a text) and `number`.
        name: of the chart, for the ids in its SVG.
        titles: of the chart, and of the axis of numbers.
    """
    with extra("reports"):
        import altair as alt  # noqa: PLC0415 - half a second of import

    frame = pl.DataFrame(list(rows), schema={"what": pl.String, "number": pl.Float64})
    chart = (
        alt.Chart(frame)
        .mark_bar(color=BLUE)
        .encode(
            x=alt.X("number:Q", title=titles.axis),
            y=alt.Y("what:N", title=None, sort=None, axis=alt.Axis(labelLimit=320)),
        )
        .properties(width=WIDTH - 240, height=alt.Step(20), title=titles.chart)
    )
    return _svg(chart, name, titles.chart)


def _svg(chart: Any, name: str, title: str) -> str:  # noqa: ANN401 - Altair's union of charts
    """The chart as an element with a role, a name and ids of its own."""
    with extra("reports"):
        import vl_convert  # noqa: PLC0415 - a large library
    from markupsafe import escape  # noqa: PLC0415

    dressed = chart.configure(font=FONT, background="#ffffff").configure_axis(
        labelColor=INK, titleColor=INK, labelFontSize=11, titleFontSize=11
    )
    dressed = dressed.configure_legend(labelColor=INK, orient="bottom", columns=2, labelLimit=260)
    svg = vl_convert.vegalite_to_svg(dressed.to_dict(validate=False))
    svg = str(visible(svg)).replace('id="', f'id="{name}-').replace("url(#", f"url(#{name}-")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)
