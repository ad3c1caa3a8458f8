"""Small charts of days, as SVG inside the page: no script, no style of its own, no request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup, escape


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a chart is, in pixels of its own."""

    width: int
    height: int
    margin: int = 3


SMALL = Shape(160, 32)
WIDE = Shape(720, 120, 8)


@dataclass(frozen=True, slots=True)
class Span:
    """Days that a chart shows, both included."""

    first: date
    last: date

    @classmethod
    def of(cls, last: date, days: int) -> Span:
        """So many days up to one.

        Args:
            last: of them.
            days: how many.
        """
        return cls(last - timedelta(days=days - 1), last)

    @property
    def days(self) -> list[date]:
        """All of them, in order."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]


def bars(counts: Mapping[date, int], span: Span, label: str, shape: Shape) -> Markup:
    """A bar for each day on which anything was counted; the tallest fills the chart.

    Args:
        counts: numbers by day; a day that is missing counts nothing.
        span: the days that are shown.
        label: what the chart says, for who does not see it.
        shape: its size.
    """
    days = span.days
    top = max((counts.get(day, 0) for day in days), default=0) or 1
    step = (shape.width - 2 * shape.margin) / len(days)
    floor, room = shape.height - shape.margin, shape.height - 2 * shape.margin
    drawn = []
    for place, day in enumerate(days):
        if number := counts.get(day, 0):
            tall = max(room * number / top, 1.5)
            x = shape.margin + place * step
            drawn.append(
                f'<rect x="{x:.1f}" y="{floor - tall:.1f}" width="{max(step * 0.8, 0.8):.1f}"'
                f' height="{tall:.1f}"/>'
            )
    ground = f'<path d="M{shape.margin} {floor}H{shape.width - shape.margin}"/>'
    return Markup(  # noqa: S704 - numbers of ours, and an escaped label
        f'<svg class="trend" role="img" aria-label="{escape(label)}"'
        f' viewBox="0 0 {shape.width} {shape.height}" width="{shape.width}"'
        f' height="{shape.height}">{ground}{"".join(drawn)}</svg>'
    )
