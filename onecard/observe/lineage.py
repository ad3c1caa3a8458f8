"""OpenLineage events of every transfer: START, and COMPLETE or FAIL, with columns' lineage.

Off unless the standard settings ask for it (OPENLINEAGE_URL, OPENLINEAGE_CONFIG or
OPENLINEAGE__TRANSPORT__*); the package `openlineage-python` sends them. Both events are written
when a transfer's step has ended, with the times that the ledger has: a process that is killed
sends nothing, and its next attempt is a run of its own. A lineage server that is down never fails
a transfer.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from onecard.errors import OnecardError
from onecard.observe.lineage_flow import Flow
from onecard.ports.listener import Step
from onecard.store import database, transfer_history

log = logging.getLogger(__name__)

LAST = ("collect.publish", "deliver")
"""Steps that complete a run; the others end one only by failing."""
_RUNS = uuid.UUID("6f6e6563-6172-4d00-8000-6c696e656167")


def enabled(environment: Mapping[str, str] | None = None) -> bool:
    """Whether the standard settings ask for events."""
    env = os.environ if environment is None else environment
    if env.get("OPENLINEAGE_DISABLED", "").lower() in ("true", "1"):
        return False
    asked = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG")
    return any(env.get(n) for n in asked) or any(n.startswith("OPENLINEAGE__") for n in env)


class LineageListener:
    """Tells a lineage server where the rows of one dataset or agreement came from.

    Args:
        address: of the hub's database.
        flow: what its transfers join; gives None where there is nothing to tell.
    """

    def __init__(self, address: str, flow: Callable[[], Flow | None]) -> None:
        self._address, self._flow = address, flow
        self._transfers: dict[Step, int] = {}

    def started(self, step: Step) -> None:
        """The steps of a collect may run in different processes: a later one names its transfer."""
        if step.transfer is not None:
            self._transfers[step] = step.transfer

    def opened(self, step: Step, transfer: int) -> None:
        """The run's transfer."""
        self._transfers[step] = transfer

    def counted(self, step: Step, counts: Mapping[str, int]) -> None:
        """The ledger says it as well."""

    def ended(self, step: Step) -> None:
        """The run is complete with its last step; nothing due gives no event."""
        transfer = self._transfers.pop(step, None)
        if transfer is not None and step.name in LAST:
            self._tell(step, transfer, None)

    def failed(self, step: Step, error: Exception) -> None:
        """A hold or failure of any step ends the run."""
        transfer = self._transfers.pop(step, None)
        if transfer is not None and isinstance(error, OnecardError):
            self._tell(step, transfer, error)

    def _tell(self, step: Step, transfer: int, failed: OnecardError | None) -> None:
        """Send both events; whatever goes wrong is a line in the log, by its kind only."""
        try:
            self._send(transfer, failed)
        except Exception as error:  # noqa: BLE001 - lineage never fails a transfer
            kind = type(error).__name__
            log.warning("%s: no OpenLineage event was sent (%s)", step.subject, kind)

    def _send(self, transfer: int, failed: OnecardError | None) -> None:
        with database.connect(self._address, autocommit=True) as connection:
            ran = transfer_history.ran(connection, transfer)
        flow = self._flow()
        if ran is None or flow is None:
            return
        from openlineage.client import OpenLineageClient  # noqa: PLC0415 - only when asked for

        from onecard.observe.lineage_events import events  # noqa: PLC0415 - imports the client

        client = OpenLineageClient()
        try:
            for event in events(flow, ran, run_id(self._address, ran.id), failed):
                client.emit(event)
        finally:
            client.close()


def run_id(address: str, transfer: int) -> str:
    """The same id for the same transfer of the same hub."""
    parts = urlsplit(address)
    return str(uuid.uuid5(_RUNS, f"{parts.hostname}:{parts.port}{parts.path}/{transfer}"))
