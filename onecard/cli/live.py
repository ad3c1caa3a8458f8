"""The live lane as a resident process: live."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from onecard.app.wiring import Hub
from onecard.base import interrupts, shelves
from onecard.base.endpoints import FORM, Endpoint
from onecard.base.settings import Settings
from onecard.cli import output
from onecard.errors import ConfigError, UsageError
from onecard.live.lane import Lane

if TYPE_CHECKING:
    from fastapi import FastAPI


def live(
    *,
    listen: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Where agencies wake it, and its health is asked; default: ONECARD_LIVE_LISTEN,"
            " else nowhere.",
        ),
    ] = "",
    metrics: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Where Prometheus gets its figures (/metrics); default: nowhere.",
        ),
    ] = "",
) -> None:
    """Run the event lane until it is told to stop: what comes is delivered within seconds.

    Args:
        listen: host and port of its door (docs/waking.md); port 0: a free one.
        metrics: host and port of its figures (docs/monitoring.md); not for agencies.
    """
    with output.errors_as_exit_codes():
        door = _place("--listen", listen) or Settings.load().live_listen
        page = _place("--metrics", metrics)
        lane = Lane(Hub)
        with shelves.kept():
            try:
                with _opened(lane, door, page) as told:  # where it cannot be, nothing begins
                    lane.start()
                    datasets, agreements = len(lane.datasets), len(lane.agreements)
                    output.say(
                        f"live: {datasets} dataset(s), {agreements} agreement(s)"
                        f"{told}; SIGTERM or Ctrl-C ends it after the batches in hand"
                    )
                    interrupts.told_to_end()
            finally:
                lane.end()
        output.say("live: ended")


def _place(option: str, text: str) -> Endpoint | None:
    """Host and port that an option names, if any.

    Raises:
        UsageError: they are not written so.
    """
    found = Endpoint.of(text) if text else None
    if text and found is None:
        msg = f"{option}: {FORM}"
        raise UsageError(msg)
    return found


@contextmanager
def _opened(lane: Lane, door: Endpoint | None, page: Endpoint | None) -> Iterator[str]:
    """Door and figures, open while the block runs, where they are wanted.

    Args:
        lane: behind them.
        door: where it listens.
        page: where the figures are given.

    Yields:
        What is said of them.
    """
    told: list[str] = []
    with ExitStack() as stack:
        if door is not None or page is not None:
            from onecard.live.answered import Answered  # noqa: PLC0415
            from onecard.live.door import create_app  # noqa: PLC0415 - needs the extra `live`
            from onecard.live.metrics import create_page  # noqa: PLC0415

            answered = Answered()
            for option, place, says, app in (
                ("--listen", door, "door is", create_app(lane, answered=answered)),
                ("--metrics", page, "figures are at", create_page(lane, answered)),
            ):
                if place is not None:
                    told.append(f"its {says} {stack.enter_context(_served(option, place, app))}")
        yield "".join(f"; {text}" for text in told)


@contextmanager
def _served(option: str, place: Endpoint, app: FastAPI) -> Iterator[str]:
    """An application, served while the block runs; gives its address.

    Raises:
        ConfigError: nothing can listen there.
    """
    from onecard.live.serving import serve  # noqa: PLC0415 - needs the extra `live`

    try:
        serving = serve(app, place.host, place.port)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        msg = f"{option}: nothing can listen there ({reason})"
        raise ConfigError(msg) from None
    try:
        yield Endpoint(serving.host, serving.port).url
    finally:
        serving.close()
