"""Tasks of a dataset whose source several workers read: open → part, mapped → gather.

Each partition is a task of its own, on whatever worker it comes to; one that is lost is tried again
alone. What `gather` returns is a staged transfer like any other.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import task
from task_hub import final, hub_of

from onecard.errors import FatalError, HoldError
from schemas.models.contract import Contract
from schemas.models.partition import Partition


@task
def open_parts(dataset: str) -> int:
    """Claim the dataset and write down which partitions are expected; returns the transfer's id."""
    try:
        return int(hub_of("sql").collect(dataset).open_parts())
    except (FatalError, HoldError) as error:
        raise final(error, dataset) from None


@task
def part(dataset: str, transfer: int, number: int) -> int:
    """Read, check and stage one partition; returns its number.

    Args:
        dataset: id, e.g. `hrss/card_master`.
        transfer: that is open.
        number: of the partition, from 0.
    """
    try:
        hub_of("sql").collect(dataset).part(transfer, number)
    except (FatalError, HoldError) as error:
        raise final(error, dataset) from None
    return number


@task
def gather(dataset: str, transfer: int) -> int:
    """Put the partitions together as one reading; returns the transfer, which is staged then."""
    try:
        return int(hub_of("sql").collect(dataset).gather(transfer))
    except (FatalError, HoldError) as error:
        raise final(error, dataset) from None


def staged(contract: Contract, partition: Partition) -> Any:  # noqa: ANN401 - an Airflow XComArg
    """The tasks of one dataset in the place of `stage`; returns the staged transfer.

    Args:
        contract: of the dataset.
        partition: how it divides its source.
    """
    transfer = open_parts(contract.id)
    parts = part.partial(dataset=contract.id, transfer=transfer).expand(
        number=list(range(partition.count))
    )
    gathered = gather(contract.id, transfer)
    parts >> gathered
    return gathered
