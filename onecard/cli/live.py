"""The live lane as a resident process: live."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from onecard.app.wiring import Hub
from onecard.base import interrupts
from onecard.cli import listening, output
from onecard.live.lane import Lane
from onecard.store import sessions


def live(
    *,
    listen: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Where agencies wake it, and its health is asked; default: nowhere.",
        ),
    ] = "",
) -> None:
    """Run the event lane until it is told to stop: what comes is delivered within seconds.

    Args:
        listen: host and port of its door (docs/waking.md); port 0: a free one.
    """
    with output.errors_as_exit_codes():
        place = listening.place(listen) if listen else None
        lane = Lane(Hub)
        with sessions.kept():
            try:
                with _door(lane, place) as address:  # where it cannot be opened, nothing begins
                    lane.start()
                    door = f"; its door is {address}" if address else ""
                    datasets, agreements = len(lane.datasets), len(lane.agreements)
                    output.say(
                        f"live: {datasets} dataset(s), {agreements} agreement(s)"
                        f"{door}; SIGTERM or Ctrl-C ends it after the batches in hand"
                    )
                    interrupts.told_to_end()
            finally:
                lane.end()
        output.say("live: ended")


@contextmanager
def _door(lane: Lane, place: tuple[str, int] | None) -> Iterator[str]:
    """The door, open while the block runs; gives its address, or an empty text without one."""
    if place is None:
        yield ""
        return
    from onecard.live.door import create_app  # noqa: PLC0415 - needs the extra `live`

    with listening.open_door(lambda: create_app(lane), place) as address:
        yield address
