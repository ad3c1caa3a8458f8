"""A picture of what leads to what, in layers: SVG inside the page, without script and links.

The layout is small and always the same for the same nodes: each layer is a column of boxes, spread
evenly; a box of a later layer stands where those are that lead to it, on average.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 250, 44
"""Of a box, in pixels of the picture."""
GAP, PITCH = 70, 54
"""Between columns; from one box of the fullest column to the next."""
MARGIN, HEADING = 10, 30
TITLE_ROOM, NOTE_ROOM = 34, 38
"""Narrow characters that a line of a box has room for; a wide one counts twice."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box.

    Attributes:
        key: tells it from the others of all layers.
        note: its second line.
        bad: it needs somebody; its note says so in words, too.
    """

    key: str
    title: str
    note: str = ""
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn.

    Attributes:
        headings: of the layers.
        layers: boxes; the first layer in the order in which it is drawn.
        arrows: from a box to one of the next layer, by their keys.
        title: what the picture is, for who does not see it.
        description: what is on it.
    """

    headings: Sequence[str]
    layers: Sequence[Sequence[Box]]
    arrows: Iterable[tuple[str, str]]
    title: str
    description: str


def drawn(chart: Chart) -> Markup:
    """The picture."""
    arrows = list(dict.fromkeys(chart.arrows))
    layers = _ordered(chart.layers, arrows)
    tall = max((len(layer) for layer in layers), default=0) * PITCH
    width = len(layers) * (WIDTH + GAP) - GAP + 2 * MARGIN
    height = tall + HEADING + 2 * MARGIN
    places = _places(layers, tall)
    parts = [_arrow(places[a], places[b]) for a, b in arrows if a in places and b in places]
    for number, heading in enumerate(chart.headings):
        x = MARGIN + number * (WIDTH + GAP)
        parts.append(f'<text class="head" x="{x}" y="{MARGIN + 14}">{escape(heading)}</text>')
    parts += [_box(box, places[box.key]) for layer in layers for box in layer]
    return Markup(  # noqa: S704 - numbers of ours, and escaped texts
        '<svg class="flow" role="img" aria-labelledby="flow-title flow-says"'
        f' viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f'<title id="flow-title">{escape(chart.title)}</title>'
        f'<desc id="flow-says">{escape(chart.description)}</desc>{"".join(parts)}</svg>'
    )


def _ordered(layers: Sequence[Sequence[Box]], arrows: Sequence[tuple[str, str]]) -> list[list[Box]]:
    """Boxes of each layer by where those stand that lead to them; the first layer as it comes."""
    leading: dict[str, list[str]] = {}
    for start, end in arrows:
        leading.setdefault(end, []).append(start)
    done: list[list[Box]] = []
    before: Mapping[str, int] = {}
    for number, layer in enumerate(layers):
        if number:
            listed = sorted(layer, key=lambda box: (_average(leading, before, box.key), box.key))
        else:
            listed = list(layer)
        done.append(listed)
        before = {box.key: place for place, box in enumerate(listed)}
    return done


def _average(leading: Mapping[str, Sequence[str]], before: Mapping[str, int], key: str) -> float:
    """Where those stand that lead to a box; one to which nothing leads comes last."""
    found = [before[start] for start in leading.get(key, ()) if start in before]
    return sum(found) / len(found) if found else float("inf")


def _places(layers: Sequence[Sequence[Box]], tall: int) -> dict[str, tuple[int, int]]:
    """The upper left corner of each box."""
    found = {}
    for number, layer in enumerate(layers):
        x = MARGIN + number * (WIDTH + GAP)
        step = tall / len(layer) if layer else 0.0
        for place, box in enumerate(layer):
            middle = MARGIN + HEADING + (place + 0.5) * step
            found[box.key] = (x, round(middle - HEIGHT / 2))
    return found


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1 = start[0] + WIDTH, start[1] + HEIGHT // 2
    x2, y2 = end[0], end[1] + HEIGHT // 2
    middle = (x1 + x2) // 2
    return f'<path d="M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"/>'


def _box(box: Box, place: tuple[int, int]) -> str:
    x, y = place
    bad = ' class="bad"' if box.bad else ""
    title, note = escape(fitted(box.title, TITLE_ROOM)), escape(fitted(box.note, NOTE_ROOM))
    return (
        f'<rect{bad} x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="4"/>'
        f'<text x="{x + 8}" y="{y + 18}">{title}</text>'
        f'<text class="note{" bad" if box.bad else ""}" x="{x + 8}" y="{y + 35}">{note}</text>'
    )


def fitted(text: str, room: int) -> str:
    """A text, cut where it has no more room.

    Args:
        text: of one line.
        room: narrow characters; a wide one counts twice.
    """
    taken, kept = 0, ""
    for character in text:
        taken += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if taken > room:
            return kept[:-1] + "…"
        kept += character
    return text
