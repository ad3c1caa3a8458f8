"""How commands speak: tables for people, JSON for programs, errors as one clear line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NoReturn

import typer

from onecard.base import interrupts, logs
from onecard.base.times import iso, shown
from onecard.cli.standard_output import write
from onecard.errors import Interrupted, OnecardError


def emit(data: object) -> None:
    """Print JSON to standard output; times are ISO 8601 with +08:00."""
    write(json.dumps(data, ensure_ascii=False, indent=1, default=_as_json) + "\n")


def say(text: str = "") -> None:
    """Print a line for people."""
    write(text + "\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; columns of numbers are aligned right.

    Args:
        title: stands above it.
        columns: their headings.
        rows: cells in the order of the columns.
    """
    from rich.console import Console  # noqa: PLC0415 - only for people
    from rich.table import Table  # noqa: PLC0415

    listed = [list(row) for row in rows]
    found = Table(title=title, title_justify="left", header_style="bold")
    for i, name in enumerate(columns):
        numeric = all(isinstance(row[i], int | float) for row in listed) and bool(listed)
        found.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        found.add_row(*(_cell(value) for value in row))
    console = Console()
    width = None if console.is_terminal else 160
    console = Console(width=width)
    with console.capture() as drawn:  # Rich would end the process when its reader has gone
        console.print(found)
    write(drawn.get())


@contextmanager
def progress(title: str, total: int, *, shown: bool) -> Iterator[Callable[[], None]]:
    """A bar of so many steps on standard error; yields what to call after each step.

    Args:
        title: stands beside the bar.
        total: number of steps.
        shown: False: nothing is printed.
    """
    from rich.console import Console  # noqa: PLC0415 - only for people
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)


def _as_json(value: object) -> str:
    return iso(value) if isinstance(value, datetime) else str(value)


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return shown(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return "" if value is None else str(value)


@contextmanager
def interrupts_as_exit_codes() -> Iterator[None]:
    """Turn Ctrl-C and signals to end into one word on standard error and 128 and their number."""
    try:
        yield
    except KeyboardInterrupt as error:
        _stop(interrupts.number_of(error))
    except (typer.Exit, SystemExit):
        raise
    except Exception:
        if not interrupts.pending():
            raise
        _stop(interrupts.number_of())  # a library made something of its own out of it


def _stop(number: int) -> NoReturn:
    stopped = Interrupted(number)
    interrupts.say_once(lambda: logs.complain(stopped))
    raise typer.Exit(stopped.exit_code) from None


@contextmanager
def errors_as_exit_codes() -> Iterator[None]:
    """Turn an error of ours into its message on standard error and its exit code."""
    try:
        yield
    except OnecardError as error:
        logs.complain(error)
        raise typer.Exit(error.exit_code) from None
