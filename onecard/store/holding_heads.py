"""What the heads of records of what consumers hold tell, and take, beside their entries."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from onecard.store.database import Connection, fetch_all


@dataclass(frozen=True, slots=True)
class _Seen:
    agreement: str
    version: int


def confirmed_versions(
    connection: Connection, dataset: str, agreements: Collection[str]
) -> dict[str, int]:
    """The version of a dataset up to which each of some agreements has confirmed everything.

    Whatever is as old and not at its consumer is none of its rows, or was kept back by its gate.

    Args:
        connection: of the hub's database.
        dataset: its id.
        agreements: their ids; those without a delivery are left out.
    """
    found = fetch_all(
        connection,
        _Seen,
        "SELECT agreement, (versions ->> %(dataset)s)::bigint AS version FROM ledger.holding_head"
        " WHERE agreement = ANY(%(agreements)s) AND versions ? %(dataset)s",
        {"dataset": dataset, "agreements": sorted(agreements)},
    )
    return {line.agreement: line.version for line in found}


def reconciled(connection: Connection, agreement: str) -> None:
    """Note that an inbox was compared with its record since that was made of versions."""
    connection.execute(
        "UPDATE ledger.holding_head SET basis = regexp_replace(basis, '^seeded:', '')"
        " WHERE agreement = %s",
        (agreement,),
    )
