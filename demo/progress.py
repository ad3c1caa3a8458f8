"""How a rehearsal tells how far it is: a bar on a terminal, plain lines in a pipe.

Whatever takes long calls `ended` after each step; who wants to see it listens.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str], None]


def _nobody(_step: str) -> None:
    """Nobody listens."""


_LISTENER: ContextVar[Listener] = ContextVar("listener", default=_nobody)


def ended(step: str) -> None:
    """Tell whoever listens that a step has ended."""
    _LISTENER.get()(step)


@contextmanager
def progress(title: str, total: int | None, *, shown: bool) -> Iterator[Listener]:
    """Show the steps that end while the context lasts, on standard error.

    Args:
        title: what is going on.
        total: how many steps that takes; None where nobody can say: then only the time passes.
        shown: False where programs read the output.

    Yields:
        What to call after each step, with its name; `ended` calls it too.
    """
    if not shown:
        listening = _silent()
    elif sys.stderr.isatty():
        listening = _bar(title, total)
    else:
        listening = _lines(title, total)
    with listening as listener:
        token = _LISTENER.set(listener)
        try:
            yield listener
        finally:
            _LISTENER.reset(token)


@contextmanager
def _silent() -> Iterator[Listener]:
    yield _nobody


@contextmanager
def _bar(title: str, total: int | None) -> Iterator[Listener]:
    """A bar that stays when it is done, with the name of the step that ended last."""
    from rich.console import Console  # noqa: PLC0415 - only on a terminal
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        *(() if total is None else (MofNCompleteColumn(),)),
        TimeElapsedColumn(),
        TextColumn("{task.fields[step]}", style="dim"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, step="")
        yield lambda step: bar.update(task, advance=1, step=step)
        bar.update(task, step="", total=total or 1, completed=total or 1)


@contextmanager
def _lines(title: str, total: int | None) -> Iterator[Listener]:
    """A line when it begins, and one for each step that ends."""
    done = 0

    def line(step: str) -> None:
        nonlocal done
        done += 1
        of = "" if total is None else f"{done}/{total} "
        sys.stderr.write(f"{title}: {of}{step}\n")
        sys.stderr.flush()

    sys.stderr.write(f"{title} …\n")
    sys.stderr.flush()
    yield line
