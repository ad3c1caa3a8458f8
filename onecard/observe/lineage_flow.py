"""What a transfer joins, as OpenLineage names it: inputs, output, and where each column comes from.

Dataset names follow OpenLineage's naming of systems, without any login.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from onecard.base.connections import Connection, Connections
from onecard.model.gate_inputs import GateInputs
from schemas.models.agreement import Agreement
from schemas.models.contract import Contract

NAMESPACE = "onecard"
"""Of the jobs, unless OPENLINEAGE_NAMESPACE names another."""
PRODUCER = "urn:onecard:hub"
_PORTS = {
    "postgres": 5432,
    "mysql": 3306,
    "sftp": 22,
    "kingbase": 54321,
    "opengauss": 5432,
    "oceanbase": 2881,
    "tidb": 4000,
    "oracle": 1521,
    "dm": 5236,
    "mssql": 1433,
}
_SCHEMES = {
    "postgresql": "postgres",
    "kingbasees": "kingbase",
    "gaussdb": "opengauss",
    "mariadb": "mysql",
    "file": "fs",
}
_PLAIN = "as_is"


@dataclass(frozen=True, slots=True)
class Named:
    """A dataset as OpenLineage names it."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a column comes from and what was done to it on the way."""

    dataset: Named
    field: str
    treatment: str = _PLAIN


@dataclass(frozen=True, slots=True)
class Flow:
    """What one transfer joins: inputs, the output, and each output column's origins."""

    job: str
    inputs: tuple[Named, ...]
    output: Named
    columns: Mapping[str, tuple[Origin, ...]]
    types: Mapping[str, str]


class Surroundings(Protocol):
    """Where systems and the hub's database are: the tools of a collect or a delivery say it."""

    @property
    def address(self) -> str:
        """Of the hub's database."""
        ...

    @property
    def connections(self) -> Connections:
        """Of agencies and consumers."""
        ...


class DeliverySurroundings(Surroundings, Protocol):
    """The same, and the contracts of what agreements read."""

    @property
    def contracts(self) -> Mapping[str, Contract]:
        """By dataset."""
        ...


def system(connection: Connection, options: Mapping[str, Any]) -> Named:
    """A system's dataset by its connection, without login, and its options."""
    kind = _SCHEMES.get(connection.conn_type, connection.conn_type)
    port = connection.port or _PORTS.get(kind)
    host = (connection.host or "") + (f":{port}" if port else "")
    path = options.get("path") or options.get("directory")
    if kind == "fs":
        base = str(connection.extra.get("path", "")).rstrip("/")
        return Named("file", f"{base}/{path}")
    if path is not None:
        scheme = "https" if "https" in (kind, connection.schema_) else kind
        return Named(f"{scheme}://{host}", str(path))
    table = [str(options[k]) for k in ("schema", "table") if options.get(k)]
    if kind == "sqlite":
        return Named("file", ".".join([connection.schema_ or connection.host or "", *table]))
    if kind == "postgres" and len(table) == 1:
        table = ["public", *table]
    return Named(f"{kind}://{host}", ".".join([connection.schema_ or "", *table]))


def registry(address: str, contract: Contract) -> Named:
    """A registry table, by the address of the hub's database."""
    parts = urlsplit(address)
    host = f"{parts.hostname or 'localhost'}:{parts.port or 5432}"
    return Named(f"postgres://{host}", f"{parts.path.lstrip('/')}.registry.{contract.table}")


def collect_flow(contract: Contract, tools: Surroundings) -> Flow:
    """Native columns of the agency → columns of the registry."""
    block = contract.source
    source = system(tools.connections.get(block.connection), block.options)
    return Flow(
        f"collect.{contract.id}",
        (source,),
        registry(tools.address, contract),
        {f.name: (Origin(source, f.native),) for f in contract.fields},
        {f.name: f.type for f in contract.fields},
    )


def deliver_flow(agreement: Agreement, tools: DeliverySurroundings) -> Flow | None:
    """Columns of the registry → shared fields, each with its treatment; None without an inbox."""
    block = agreement.delivery
    if block is None:
        return None
    known = GateInputs(agreement, tools.contracts).fields
    return Flow(
        f"deliver.{agreement.id}",
        tuple(registry(tools.address, tools.contracts[d]) for d in agreement.datasets),
        system(tools.connections.get(block.connection), block.options),
        _shared(agreement, tools),
        {n: known[n].type if n in known else "string" for n in agreement.names},
    )


def _shared(agreement: Agreement, tools: DeliverySurroundings) -> dict[str, tuple[Origin, ...]]:
    datasets = {"": agreement.dataset} | {j.alias: j.dataset for j in agreement.joins}
    known = GateInputs(agreement, tools.contracts).fields
    found: dict[str, tuple[Origin, ...]] = {}
    for shared in agreement.fields:
        if shared.name not in known or shared.origin is None:
            continue  # constants and counts come from no column
        alias, _, name = shared.origin.rpartition(".")
        table = registry(tools.address, tools.contracts[datasets[alias]])
        found[shared.name] = (Origin(table, name, shared.treatment),)
    return found
