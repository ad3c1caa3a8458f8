"""What the hub holds of each dataset, `ledger.dataset`: version, watermark, who may publish."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from onecard.errors import SupersededError
from onecard.model.transfers import DatasetState
from onecard.store.database import Connection, fetch_all, fetch_one


def claim(connection: Connection, dataset: str, transfer: int) -> DatasetState:
    """Claim a dataset for a transfer: from now on no older transfer can publish it.

    Args:
        connection: of the hub's database.
        dataset: `<agency>/<dataset>`.
        transfer: id; a higher one that has claimed already keeps its claim.
    """
    found = fetch_one(
        connection,
        DatasetState,
        "INSERT INTO ledger.dataset (dataset, claim) VALUES (%s, %s)"
        " ON CONFLICT (dataset) DO UPDATE"
        " SET claim = greatest(ledger.dataset.claim, excluded.claim)"
        " RETURNING version, claim, checkpoint",
        (dataset, transfer),
    )
    return found or DatasetState()


def state(connection: Connection, dataset: str) -> DatasetState:
    """What the hub holds of a dataset."""
    statement = "SELECT version, claim, checkpoint FROM ledger.dataset WHERE dataset = %s"
    return fetch_one(connection, DatasetState, statement, (dataset,)) or DatasetState()


def lock(connection: Connection, dataset: str) -> DatasetState:
    """As `state`; nobody else changes it until the transaction ends."""
    found = fetch_one(
        connection,
        DatasetState,
        "SELECT version, claim, checkpoint FROM ledger.dataset WHERE dataset = %s FOR UPDATE",
        (dataset,),
    )
    return found or DatasetState()


def lock_claimed(connection: Connection, dataset: str, transfer: int) -> DatasetState:
    """Lock the dataset for publishing.

    Args:
        connection: in the transaction that publishes.
        dataset: `<agency>/<dataset>`.
        transfer: that has claimed it.

    Raises:
        SupersededError: a newer transfer has claimed it.
    """
    state = lock(connection, dataset)
    if state.claim != transfer:
        msg = f"{dataset}: transfer {transfer} was overtaken by {state.claim}; nothing published"
        raise SupersededError(msg)
    return state


def publish(
    connection: Connection, dataset: str, state: DatasetState, contract_version: str
) -> None:
    """Write what is now published.

    Args:
        connection: in the transaction that publishes.
        dataset: `<agency>/<dataset>`.
        state: version and checkpoint from now on.
        contract_version: under which it was collected.
    """
    connection.execute(
        "UPDATE ledger.dataset SET version = %s, checkpoint = %s, contract_version = %s,"
        " published_at = clock_timestamp() WHERE dataset = %s",
        (state.version, Jsonb(state.checkpoint), contract_version, dataset),
    )


def raise_version(connection: Connection, dataset: str, version: int) -> None:
    """Write the version of rows that were published as deleted.

    Args:
        connection: in the transaction that has locked the dataset.
        dataset: `<agency>/<dataset>`.
        version: from now on.
    """
    connection.execute(
        "UPDATE ledger.dataset SET version = %s WHERE dataset = %s", (version, dataset)
    )


@dataclass(frozen=True, slots=True)
class _Version:
    dataset: str
    version: int


def versions(connection: Connection, datasets: Iterable[str]) -> dict[str, int]:
    """Published version by dataset; those that were never published are not among them."""
    found = fetch_all(
        connection,
        _Version,
        "SELECT dataset, version FROM ledger.dataset WHERE dataset = ANY(%s) AND version > 0",
        (list(datasets),),
    )
    return {line.dataset: line.version for line in found}
