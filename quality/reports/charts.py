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
INK, BLUE, GREY = "#1a1a1a", "#1f5f99", "#555555"
COLOURS = ("#1f5f99", "#a34700", "#1d6b2c", "#6a3d9a", "#8c1c4b", "#4d4d00", "#005f5f")
"""Each has a contrast of at least 4.5 on white (WCAG 2.1, 1.4.3)."""
WIDTH = 900
"""Of the whole chart, in its own units; the page draws it as wide as its text."""
SIZE = 13
"""Of the letters, in the same units: 7.5 pt on a printed page in portrait."""


ROOM = 0.08
"""Of a chart's height, which a bound's name needs below the line of 100%."""


@dataclass(frozen=True, slots=True)
class Titles:
    """What stands above a chart, below that (of how many), and at the axis, with its unit."""

    chart: str
    sample: str
    axis: str


@dataclass(frozen=True, slots=True)
class Bound:
    """A target, or where a grade begins: a line across the chart."""

    name: str
    percent: float


def line(
    rows: Sequence[Mapping[str, Any]], name: str, titles: Titles, bounds: Sequence[Bound] = ()
) -> str:
    """Percentages over time.

    Args:
        rows: `when` (text), `what` (series), `percent` (None: not measured, a gap).
        name: unique in the page, for the ids inside the SVG.
        titles: of the chart and of the vertical axis.
        bounds: drawn where the chart reaches down to them.
    """
    with extra("reports"):
        import altair as alt  # noqa: PLC0415 - half a second of import

    frame = pl.DataFrame(
        list(rows), schema={"when": pl.String, "what": pl.String, "percent": pl.Float64}
    )
    floor = _floor(frame["percent"].min(), bounds)
    scale = alt.Scale(domain=[floor, 100.0])
    height = alt.Y("percent:Q", title=titles.axis, scale=scale)
    several = frame["what"].n_unique() > 1
    lines = (
        alt.Chart(frame)
        .mark_line(point=True)
        .encode(
            x=alt.X("when:O", title=None, axis=alt.Axis(labelAngle=-60)),
            y=height,
            color=alt.Color(
                "what:N",
                title=None,
                scale=alt.Scale(range=list(COLOURS)),
                legend=alt.Legend() if several else None,
            ),
            strokeDash=alt.StrokeDash(
                "what:N", title=None, legend=alt.Legend() if several else None
            ),
        )
    )
    drawn = [b for b in bounds if b.percent >= floor]
    top = 100.0 - ROOM * (100.0 - floor)
    marks = pl.DataFrame(
        [(b.name, b.percent, min(b.percent, top)) for b in drawn],
        schema={"name": pl.String, "percent": pl.Float64, "name_at": pl.Float64},
        orient="row",
    )
    base = alt.Chart(marks)
    rules = base.mark_rule(color=GREY, strokeDash=[4, 3]).encode(y=height)
    text = base.encode(
        x=alt.value("width"), y=alt.Y("name_at:Q", title=titles.axis, scale=scale), text="name:N"
    )
    place: dict[str, Any] = {"align": "right", "baseline": "bottom", "fontSize": SIZE}
    halo = text.mark_text(stroke="#ffffff", strokeWidth=4, **place)
    names = text.mark_text(color=GREY, **place)
    chart = alt.layer(rules, halo, lines, names).properties(width=WIDTH, height=260)
    return _svg(chart, name, titles)


def _floor(lowest: object, bounds: Sequence[Bound]) -> float:
    """Where the axis begins: at the bound below the lowest number, or at that number."""
    if not isinstance(lowest, float):
        return 0.0
    below = [b.percent for b in bounds if b.percent <= lowest]
    return max(below) if below else lowest


def bars(rows: Sequence[Mapping[str, Any]], name: str, titles: Titles) -> str:
    """Numbers by name, the longest bar first.

    Args:
        rows: one bar each: `what` (a text), `number`, and `label` behind the bar.
        name: of the chart, for the ids in its SVG.
        titles: of the chart, and of the axis of numbers.
    """
    with extra("reports"):
        import altair as alt  # noqa: PLC0415 - half a second of import

    schema = {"what": pl.String, "number": pl.Float64, "label": pl.String}
    frame = pl.DataFrame(list(rows), schema=schema)
    most = frame["number"].max()
    room = alt.Scale(domain=[0, 1.25 * float(most)] if isinstance(most, float) else [0, 1])
    base = alt.Chart(frame).encode(
        x=alt.X(
            "number:Q", title=titles.axis, scale=room, axis=alt.Axis(format=",d", tickMinStep=1)
        ),
        y=alt.Y("what:N", title=None, sort=None, axis=alt.Axis(labelLimit=420)),
    )
    labels = base.mark_text(align="left", dx=4, color=INK, fontSize=SIZE).encode(text="label:N")
    chart = (base.mark_bar(color=BLUE) + labels).properties(width=WIDTH, height=alt.Step(24))
    return _svg(chart, name, titles)


def _svg(chart: Any, name: str, titles: Titles) -> str:  # noqa: ANN401 - Altair's union of charts
    """The chart as an element with a role, a name and ids of its own."""
    with extra("reports"):
        import altair as alt  # noqa: PLC0415 - half a second of import
        import vl_convert  # noqa: PLC0415 - a large library
    from markupsafe import escape  # noqa: PLC0415

    title = alt.TitleParams(
        titles.chart,
        subtitle=titles.sample,
        anchor="start",
        fontSize=SIZE + 2,
        subtitleFontSize=SIZE,
        subtitleColor=GREY,
    )
    fitted = chart.properties(
        title=title, autosize=alt.AutoSizeParams(type="fit-x", contains="padding")
    )
    dressed = fitted.configure(font=FONT, background="#ffffff").configure_axis(
        labelColor=INK, titleColor=INK, labelFontSize=SIZE, titleFontSize=SIZE
    )
    dressed = dressed.configure_legend(
        labelColor=INK, labelFontSize=SIZE, orient="bottom", columns=3, labelLimit=280
    )
    svg = vl_convert.vegalite_to_svg(dressed.to_dict(validate=False))
    svg = str(visible(svg)).replace('id="', f'id="{name}-').replace("url(#", f"url(#{name}-")
    named = escape(f"{titles.chart} ({titles.sample})")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{named}" ', 1)
