"""The live lane as a resident process: live."""

from __future__ import annotations

from onecard.app.wiring import Hub
from onecard.base import interrupts
from onecard.cli import output
from onecard.live.lane import Lane


def live() -> None:
    """Run the event lane until it is told to stop: what comes is delivered within seconds."""
    with output.errors_as_exit_codes():
        lane = Lane(Hub)
        lane.start()
        output.say(
            f"live: {len(lane.datasets)} dataset(s), {len(lane.agreements)} agreement(s);"
            " SIGTERM or Ctrl-C ends it after the batches in hand"
        )
        interrupts.told_to_end()
        lane.end()
        output.say("live: ended")
