"""The log as a listener: one event when a step of a transfer starts, one when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from onecard.base import logs
from onecard.ports.listener import Step


class LogListener:
    """Says in the log how transfers go on (`onecard.base.logs`).

    Every record that is made while a step runs brings the step's facts.
    """

    def __init__(self) -> None:
        self._running: dict[Step, ExitStack] = {}

    def started(self, step: Step) -> None:
        """One event; from now on records bring the step's facts."""
        direction = step.name.split(".", maxsplit=1)[0]
        about: dict[str, object] = {
            "dataset" if direction == "collect" else "agreement": step.subject,
            "actor": step.actor,
        }
        if step.transfer is not None:
            about["transfer"] = step.transfer
        running = self._running[step] = ExitStack()
        running.enter_context(logs.step(step.name, **about))

    def opened(self, step: Step, transfer: int) -> None:  # noqa: ARG002 - of the running step
        """A fact of the step from now on."""
        logs.note(transfer=transfer)

    def counted(self, step: Step, counts: Mapping[str, int]) -> None:  # noqa: ARG002
        """A fact of the step from now on."""
        logs.note(counts=dict(counts))

    def ended(self, step: Step) -> None:
        """One event, with how long it took."""
        self._running.pop(step).close()

    def failed(self, step: Step, error: Exception) -> None:
        """One event, with the kind of the error and what it says."""
        self._running.pop(step).__exit__(type(error), error, error.__traceback__)
