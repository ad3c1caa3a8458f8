"""Threads of the lane that last until they are told to stop, whatever ends them before."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from onecard.daemon.complaint import Complaint

log = logging.getLogger(__name__)


def lasting(
    run: Callable[[], object], stop: threading.Event, name: str, pause_s: float
) -> threading.Thread:
    """A thread, not begun yet, that runs something anew whenever it ends too early.

    Args:
        run: waits and works until it is told to stop.
        stop: set when it is to end.
        name: of the thread, and of what is said about it.
        pause_s: seconds before it begins anew.
    """
    complaint = Complaint(log, f"thread {name!r} ended and begins anew")

    def again() -> None:
        while True:
            try:
                run()
            except BaseException as error:  # noqa: BLE001 - an exit or a panic of one thread too
                complaint.say(error)
            if stop.wait(pause_s):
                return

    return threading.Thread(target=again, name=name, daemon=True)
