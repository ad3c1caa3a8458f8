"""How a collect's step fails: what the ledger says then, and what of its rows is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from onecard import holds
from onecard.errors import HoldError, OnecardError, RetriableError, SupersededError, ours
from onecard.hub import audit, database, ledger, registry
from schemas.contract import Contract

if TYPE_CHECKING:
    from onecard.collect import Tools


@contextmanager
def failing(
    contract: Contract, tools: Tools, transfer: int, *, as_a_whole: bool = False
) -> Iterator[None]:
    """Mark the transfer failed (or held) when the step raises.

    What is staged stays for a person (held) or for the retry of the same step (retriable, unless
    the step is retried `as_a_whole`); otherwise it goes. The next transfer of the dataset drops
    what stayed. Whatever a transfer stumbles over once a newer one has claimed the dataset (its
    tables are gone), the reason is that it was overtaken.
    """
    error: OnecardError | None = None
    try:
        yield
    except Exception as caught:  # noqa: BLE001 - recorded, then raised as one of ours
        error = ours(caught)
    if error is None:
        return
    with database.connect(tools.address, autocommit=True) as connection:
        error = overtaken(connection, contract.id, transfer) or error
        status = "held" if isinstance(error, HoldError) else "failed"
        _note(connection, contract.id, transfer, status, error)
        body = {"transfer": transfer, "error": type(error).__name__}
        with connection.transaction():
            audit.append(connection, f"collect.{status}", contract.id, tools.settings.actor, body)
        kept = (HoldError,) if as_a_whole else (HoldError, RetriableError)
        if not isinstance(error, kept):
            registry.drop_staging(connection, contract, older_than=transfer + 1, mine=transfer)
    raise error


def overtaken(
    connection: database.Connection, dataset: str, transfer: int
) -> SupersededError | None:
    """The error of a transfer whose dataset a newer one has claimed, else None."""
    newer = ledger.state(connection, dataset).claim
    if newer <= transfer:
        return None
    return SupersededError(
        f"{dataset}: transfer {transfer} was overtaken by {newer}; nothing published"
    )


def _note(
    connection: database.Connection,
    dataset: str,
    transfer: int,
    status: str,
    error: OnecardError,
) -> None:
    """Mark the transfer; what is published stays so, what is audited may be published yet."""
    with connection.transaction():
        now = ledger.status(connection, transfer, lock=True)
        if now == "published":
            return
        kept = now in ("audited", "held") and isinstance(error, RetriableError)
        message = str(error)
        if isinstance(error, HoldError):  # it may go on: what its reading remarked stays
            remarked = holds.remarks(ledger.message(connection, transfer), dataset, transfer)
            message = "; ".join(filter(None, [remarked, message]))
        values = {"status": now if kept else status, "message": message}
        ledger.update(connection, transfer, values)
