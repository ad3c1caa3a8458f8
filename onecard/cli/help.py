"""The page that `--help` prints for a group: usage, options, commands.

It looks as Typer's own, without Rich: to import that and to lay out two panels takes longer than
all the rest of `onecard --help`. A single command's page is Typer's own.
"""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import typer


@dataclass(frozen=True, slots=True)
class Line:
    """What is typed, and what it does."""

    typed: str
    does: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A frame of lines under a title."""

    title: str
    lines: Sequence[Line]


def page(usage: str, about: str, panels: Sequence[Panel]) -> str:
    """The page of a group; colours are taken out again where nobody sees them (`typer.echo`).

    Args:
        usage: how it is called, e.g. `onecard [OPTIONS] COMMAND [ARGS]...`.
        about: one line on what it is.
        panels: e.g. its options and its commands.
    """
    width = shutil.get_terminal_size().columns
    called = f" {typer.style('Usage:', fg='yellow', bold=True)} {typer.style(usage, bold=True)}"
    drawn = [line for panel in panels for line in _drawn(panel, width)]
    return "\n".join(["", called, "", f" {about}", "", *drawn])


def _drawn(panel: Panel, width: int) -> Iterator[str]:
    """A frame of so many columns."""
    left = max(_columns(line.typed) for line in panel.lines)
    right = max(width - left - 6, 20)
    inside = left + right + 4
    yield _dim(f"╭─ {panel.title} " + "─" * (inside - _columns(panel.title) - 3) + "╮")
    for line in panel.lines:
        for number, part in enumerate(_wrapped(line.does, right)):
            name = line.typed if number == 0 else ""
            head = typer.style(name.ljust(left), fg="cyan", bold=True)
            yield f"{_dim('│')} {head}  {part}{' ' * (right - _columns(part))} {_dim('│')}"
    yield _dim("╰" + "─" * inside + "╯")


def _wrapped(text: str, room: int) -> list[str]:
    """Its words on lines of at most `room` columns."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if _columns(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _columns(text: str) -> int:
    """How wide a terminal shows it: Chinese characters take two columns."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _dim(text: str) -> str:
    return typer.style(text, dim=True)
