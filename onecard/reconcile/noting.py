"""How a reconciliation that does not come to its end is noted: it failed, or was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from onecard.base import interrupts
from onecard.errors import Interrupted
from onecard.reconcile.services import TransferDesk
from onecard.store import database, reconciliations
from onecard.store.refusals import as_hub_error


@contextmanager
def noted(
    hub: TransferDesk, connection: database.Connection, subject: str, start: Callable[[], int]
) -> Iterator[int]:
    """Note how the block fails, and raise it as one of ours.

    Args:
        hub: the hub.
        connection: of its database.
        subject: dataset or agreement.
        start: writes the first line of the reconciliation, and returns its number.

    Yields:
        The number.

    Raises:
        OnecardError: what the block raised.
    """
    actor = hub.settings.actor

    def interrupted() -> None:
        with database.connect(hub.address, autocommit=True) as own:
            database.hurry(own)
            stopped = Interrupted(interrupts.number_of())
            reconciliations.failed(own, number, subject, stopped, actor)

    with interrupts.deferred() as known:
        number = start()
        try:
            with interrupts.closing(interrupted):
                known()
                yield number
        except Exception as caught:  # noqa: BLE001 - noted, then raised as one of ours
            error = as_hub_error(caught)
            reconciliations.failed(connection, number, subject, error, actor)
            raise error from None
