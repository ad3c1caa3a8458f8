"""Backfill: a field that a contract has got is filled in rows that were published before.

The source is read whole, through the gate, into staging tables of its own; its watermark stays
where it is. Rows whose published ones lack the field are published in parts, each by a collect of
its own: gate, accounting, row hash, version, receipt and audit as always. A run that was cut off
leaves the parts that it has published; the next one finds what is still lacking (ADR 0056).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from onecard.errors import ConfigError, NotCollected, UsageError, unknown
from onecard.reconcile.heal import heal
from onecard.reconcile.keys_in_doubt import whole_source
from onecard.reconcile.services import TransferDesk
from onecard.reconcile.source_rows import SourceRows
from onecard.store import database, datasets, locks, registry
from schemas.models.contract import Contract

NUMBER = 999_999_999
"""In the names of its staging tables, beyond the numbers of reconciliations."""


@dataclass(frozen=True, slots=True)
class Backfilled:
    """How far a backfill has come.

    Attributes:
        read: rows of the source.
        parts: collects that published.
        filled: rows that have the value now.
        lacking: published rows without the value: their source has none, or no sound row.
    """

    dataset: str
    field: str
    read: int
    parts: int
    filled: int
    lacking: int


def backfill(
    hub: TransferDesk,
    dataset: str,
    field: str,
    *,
    part_rows: int,
    note: Callable[[int], None] = lambda _: None,
) -> Backfilled:
    """Fill one field in published rows that lack it.

    Args:
        hub: the hub.
        dataset: its id.
        field: of its contract, one that may be NULL.
        part_rows: rows of a part.
        note: is told after each part how many rows are filled.

    Raises:
        UsageError: the contract has no such field.
        ConfigError: unknown dataset, or a field that no row lacks.
        NotCollected: nothing is published yet.
        OnecardError: as connector, gate and collect raise it; parts that were published stay.
    """
    contract = hub.catalogue.contract(dataset)
    with database.connect(hub.address, autocommit=True) as connection:
        _ready(connection, contract, field)
        locks.hold(connection, locks.Kind.RECONCILIATION, contract.id)
        registry.widen(connection, contract)
        tools = hub.tools(contract.id)
        taken = datasets.state(connection, contract.id).checkpoint.get("source") or {}
        system = tools.connections.get(contract.source.connection)
        staged = SourceRows(tools, contract, connection, NUMBER)
        with staged.opened() as rows:
            read = rows.fill(tools.connector.read(system, whole_source(tools, contract, taken)))
            parts = filled = 0
            while rows.choose_lacking(field, part_rows):
                filled += heal(hub, contract, rows, ())
                parts += 1
                note(filled)
        lacking = registry.lacking(connection, contract, field)
    return Backfilled(contract.id, field, read, parts, filled, lacking)


def _ready(connection: database.Connection, contract: Contract, field: str) -> None:
    if field not in contract.names:
        raise UsageError(unknown(f"field of {contract.id}", field, contract.names))
    if contract.field(field).required:
        msg = f"{contract.id}: {field} is required: no published row can lack it"
        raise ConfigError(msg)
    if not registry.exists(connection, contract):
        msg = f"{contract.id}: nothing is published yet; run `onecard collect {contract.id}` first"
        raise NotCollected(msg)
