"""The live lane as a resident process: live."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated

import typer

from onecard.app.wiring import Hub
from onecard.base import interrupts, shelves
from onecard.base.endpoints import Endpoint
from onecard.base.settings import Settings
from onecard.cli import listening, output
from onecard.live.lane import Lane


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
    metrics: listening.Metrics = "",
) -> None:
    """Run the event lane until it is told to stop: what comes is delivered within seconds.

    Args:
        listen: host and port of its door (docs/waking.md); port 0: a free one.
        metrics: host and port of its figures (docs/monitoring.md); not for agencies.
    """
    with output.errors_as_exit_codes():
        door = Settings.load().live_listen
        if listen:
            door = listening.endpoint("--listen", listen)
        page = listening.endpoint("--metrics", metrics) if metrics else None
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
                    opened = stack.enter_context(listening.opened(option, place, app))
                    told.append(f"its {says} {opened}")
        yield "".join(f"; {text}" for text in told)
