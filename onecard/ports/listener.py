"""The port of those who are told how transfers go on: the log, metrics, lineage.

A listener is told in the thread that works, and never fails a transfer: what it raises is a line
in the log, by its kind only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from onecard.base import interrupts
from onecard.errors import Interrupted

log = logging.getLogger(__name__)

StepName = Literal["collect.stage", "collect.audit", "collect.publish", "deliver"]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One run of one step of a transfer; two runs are never equal.

    Attributes:
        subject: dataset or agreement.
        actor: who runs it.
        transfer: its id in the ledger; None of a step that opens one.
    """

    name: StepName
    subject: str
    actor: str
    transfer: int | None = None


class TransferListener(Protocol):
    """Is told of every step: `started`, then what becomes known, then `ended` or `failed`."""

    def started(self, step: Step) -> None:
        """A step starts."""

    def opened(self, step: Step, transfer: int) -> None:
        """The step has opened a transfer in the ledger."""

    def counted(self, step: Step, counts: Mapping[str, int]) -> None:
        """The step knows how many rows it has moved, by the names of the ledger's counts."""

    def ended(self, step: Step) -> None:
        """The step has ended well."""

    def failed(self, step: Step, error: Exception) -> None:
        """The step has failed, or is held (`onecard.errors.HoldError`)."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What a step tells while it runs.

    Attributes:
        begun: ids of the transfers that it has opened, for whoever must end what others leave.
    """

    step: Step
    listeners: tuple[TransferListener, ...] = ()
    begun: list[int] = field(default_factory=list)

    def opened(self, transfer: int) -> None:
        """The step has opened a transfer in the ledger."""
        self.begun.append(transfer)
        self._all(lambda listener: listener.opened(self.step, transfer))

    def counted(self, counts: Mapping[str, int]) -> None:
        """The step knows how many rows it has moved."""
        self._all(lambda listener: listener.counted(self.step, counts))

    @contextmanager
    def running(self) -> Iterator[Telling]:
        """Tell of the start, and of the end as it comes."""
        self._all(lambda listener: listener.started(self.step))
        try:
            yield self
        except Exception as caught:
            error = caught
            self._all(lambda listener: listener.failed(self.step, error))
            raise
        except KeyboardInterrupt as caught:
            stopped = Interrupted(interrupts.number_of(caught))
            self._all(lambda listener: listener.failed(self.step, stopped))
            raise
        self._all(lambda listener: listener.ended(self.step))

    def _all(self, tell: Callable[[TransferListener], None]) -> None:
        for listener in self.listeners:
            try:
                tell(listener)
            except Exception as error:  # noqa: BLE001 - who listens never fails a transfer
                log.warning("a listener failed (%s)", type(error).__name__)
