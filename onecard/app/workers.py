"""Workers as threads of this process: a source is waited for by several at once (ADR 0032)."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from onecard.app.wiring import Hub
from onecard.errors import OnecardError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Threads:
    """Implements `onecard.ports.workers.Workers`.

    Attributes:
        hub: of this process; workers share its gate, which holds nothing that changes, and have
            connections of their own.
        number: how many at once.
    """

    hub: Hub
    number: int

    def read(self, dataset: str, transfer: int, parts: int, snapshot: str) -> None:
        """As the port; an interrupt ends the waiting, and no worker begins another partition.

        Args:
            dataset: its id.
            transfer: that is open.
            parts: how many partitions there are; more workers than these are not begun.
            snapshot: name of the state of the source that is held for them.
        """
        over = threading.Event()
        workers = [
            threading.Thread(
                target=self._read,
                args=(dataset, transfer, snapshot, over),
                name=f"worker-{number}",
                daemon=True,
            )
            for number in range(min(self.number, parts))
        ]
        try:
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        finally:
            over.set()

    def _read(self, dataset: str, transfer: int, snapshot: str, over: threading.Event) -> None:
        """What fails here is read again, and told, where the transfer was opened."""
        try:
            self.hub.collect(dataset).read_parts(transfer, snapshot, over)
        except OnecardError as error:
            log.warning("a worker of transfer %s failed: %s", transfer, error)
        except Exception as error:  # noqa: BLE001 - its text may quote a row
            log.warning("a worker of transfer %s failed (%s)", transfer, type(error).__name__)
