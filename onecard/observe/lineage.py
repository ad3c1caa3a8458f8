"""OpenLineage events of every transfer: START, and COMPLETE or FAIL, with columns' lineage.

Off unless the standard settings ask for it (OPENLINEAGE_URL, OPENLINEAGE_CONFIG or
OPENLINEAGE__TRANSPORT__*); the package `openlineage-python` sends them. Dataset names follow
OpenLineage's naming of systems, without any login. Both events are written when a transfer's step
has ended, with the times that the ledger has: a process that is killed sends nothing, and its next
attempt is a run of its own. A lineage server that is down never fails a transfer.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from onecard.base.connections import Connection
from onecard.collect.run import CollectContext, Collected
from onecard.deliver.run import Delivered, DeliveryContext, Replay
from onecard.errors import OnecardError
from onecard.model.gate_inputs import GateInputs
from onecard.observe.log import ToldCollect, ToldDeliver
from onecard.store import database
from schemas.models.agreement import Agreement
from schemas.models.contract import Contract

log = logging.getLogger(__name__)

NAMESPACE = "onecard"
"""Of the jobs, unless OPENLINEAGE_NAMESPACE names another."""
PRODUCER = "urn:onecard:hub"
_RUNS = uuid.UUID("6f6e6563-6172-4d00-8000-6c696e656167")
_PORTS = {"postgres": 5432, "mysql": 3306, "sftp": 22}
_SCHEMES = {"postgresql": "postgres", "mariadb": "mysql", "file": "fs"}
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


@dataclass(frozen=True, slots=True)
class Ran:
    """What the ledger says of a transfer."""

    id: int
    status: str
    started: datetime
    finished: datetime | None
    rows: int


def enabled(environment: Mapping[str, str] | None = None) -> bool:
    """Whether the standard settings ask for events."""
    env = os.environ if environment is None else environment
    if env.get("OPENLINEAGE_DISABLED", "").lower() in ("true", "1"):
        return False
    asked = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG")
    return any(env.get(n) for n in asked) or any(n.startswith("OPENLINEAGE__") for n in env)


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


def collect_flow(contract: Contract, tools: CollectContext) -> Flow:
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


def deliver_flow(agreement: Agreement, tools: DeliveryContext) -> Flow | None:
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


def _shared(agreement: Agreement, tools: DeliveryContext) -> dict[str, tuple[Origin, ...]]:
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


class TracedCollect(ToldCollect):
    """A collect that tells where rows came from; the steps may run in different processes."""

    def stage(self, *, whole: bool = False) -> int:
        """As in Collect; a failure ends the run."""
        seen = _Seen(self._tools.address, "collect", self._contract.id)
        with _following(seen, self._flow, only_failures=True):
            return super().stage(whole=whole)

    def audit(self, transfer: int) -> None:
        """As in Collect; a hold or failure ends the run."""
        seen = _Seen(self._tools.address, "collect", self._contract.id, transfer)
        with _following(seen, self._flow, only_failures=True):
            super().audit(transfer)

    def publish(self, transfer: int) -> Collected:
        """As in Collect; the run is complete."""
        seen = _Seen(self._tools.address, "collect", self._contract.id, transfer)
        with _following(seen, self._flow):
            return super().publish(transfer)

    def _flow(self) -> Flow:
        return collect_flow(self._contract, self._tools)


class TracedDeliver(ToldDeliver):
    """A delivery that tells what it sent where."""

    def run(self, replay: Replay | None = None) -> Delivered:
        """As in Deliver; nothing due gives no event."""
        seen = _Seen(self._tools.address, "deliver", self._agreement.id)
        with _following(seen, self._flow):
            return super().run(replay)

    def _flow(self) -> Flow | None:
        return deliver_flow(self._agreement, self._tools)


class _Seen:
    """Finds the transfer of a step: the named one, or the one that the step has opened."""

    def __init__(
        self, address: str, direction: str, subject: str, transfer: int | None = None
    ) -> None:
        self.address, self.subject = address, subject
        self._direction, self._transfer = direction, transfer
        before = None if transfer else self._read()
        self._after = before.id if before else 0

    def transfer(self) -> Ran | None:
        """What the ledger says of it; None when the step opened none."""
        found = self._read()
        return found if found and found.id > self._after else None

    def _read(self) -> Ran | None:
        with database.connect(self.address, autocommit=True) as connection:
            row: tuple[Any, ...] | None = connection.execute(
                "SELECT id, status, started_at, finished_at,"
                " CASE direction WHEN 'collect' THEN published ELSE sent_rows END"
                " FROM ledger.transfer WHERE direction = %s AND subject = %s"
                " AND id = coalesce(%s, id) ORDER BY id DESC LIMIT 1",
                (self._direction, self.subject, self._transfer),
            ).fetchone()
        return Ran(*row) if row else None


@contextmanager
def _following(
    seen: _Seen, flow: Callable[[], Flow | None], *, only_failures: bool = False
) -> Iterator[None]:
    try:
        yield
    except OnecardError as error:
        _tell(seen, flow, error)
        raise
    if not only_failures:
        _tell(seen, flow, None)


def _tell(seen: _Seen, flow: Callable[[], Flow | None], failed: OnecardError | None) -> None:
    """Send both events; whatever goes wrong is a line in the log, by its kind only."""
    try:
        ran, found = seen.transfer(), flow()
        if ran is None or found is None:
            return
        from openlineage.client import OpenLineageClient  # noqa: PLC0415 - only when asked for

        from onecard.observe.lineage_events import events  # noqa: PLC0415

        client = OpenLineageClient()
        try:
            for event in events(found, ran, run_id(seen.address, ran.id), failed):
                client.emit(event)
        finally:
            client.close()
    except Exception as error:  # noqa: BLE001 - lineage never fails a transfer
        log.warning("%s: no OpenLineage event was sent (%s)", seen.subject, type(error).__name__)


def run_id(address: str, transfer: int) -> str:
    """The same id for the same transfer of the same hub."""
    parts = urlsplit(address)
    return str(uuid.uuid5(_RUNS, f"{parts.hostname}:{parts.port}{parts.path}/{transfer}"))
