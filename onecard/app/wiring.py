"""The composition root: joins core, connectors and quality. DAGs and the CLI enter here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import copy
from typing import Literal

import connectors
from connectors.common import breaker
from onecard.app.hub_desk import HubDesk
from onecard.base import timeouts
from onecard.base.connections import Connections
from onecard.base.settings import Settings
from onecard.collect.context import CollectContext
from onecard.collect.run import Collect
from onecard.crypto import keys
from onecard.crypto.signing import Signer
from onecard.deliver.context import DeliveryContext, Peer
from onecard.deliver.run import Deliver
from onecard.errors import ConfigError
from onecard.observe import lineage
from onecard.observe.lineage_flow import Flow, collect_flow, deliver_flow
from onecard.observe.log import LogListener
from onecard.ports.auditor import Auditor
from onecard.ports.connector import Connector
from onecard.ports.listener import TransferListener
from onecard.ports.privacy_gate import Plan, PrivacyGate
from onecard.ports.row_gate import RowGate
from onecard.store.leases import Guard, unguarded
from onecard.store.log_signing import SignLog, at_once
from schemas.models.agreement import Agreement
from schemas.models.contract import Contract

AuditEngine = Literal["sql", "gx"]


class Hub(HubDesk):
    """Everything that one process needs to run transfers.

    Args:
        settings: default: from the environment.
        connections: default: `AIRFLOW_CONN_<ID>` variables; DAGs pass Airflow's own store.
        audit: engine of the dataset-level expectations: `sql` (one statement, the event lane and
            the command line) or `gx` (Great Expectations, the nightly DAGs). Same expectations.
        key_source: gives the key document as text; default: ONECARD_KEYS, else the key file.
        guard: is asked, in the transactions that claim, publish and confirm and before anything
            leaves, whether this process may still do so; default: it may.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        connections: Connections | None = None,
        audit: AuditEngine = "sql",
        key_source: keys.PassedText | None = None,
        guard: Guard = unguarded,
    ) -> None:
        super().__init__(settings, connections, key_source)
        self.audit_engine = audit
        self._guard = guard
        self._sign_log: SignLog = at_once
        self._gates: dict[str, tuple[Contract, RowGate]] = {}

    def guarded(self, guard: Guard, holder: str) -> Hub:
        """This hub with another guard; catalogue, keys and connections are the same.

        Args:
            guard: asked of each transfer that it starts.
            holder: of the lease; the sessions of the hub's database bear its name.
        """
        found = copy(self)
        found._guard = guard  # noqa: SLF001 - of the copy
        found.address = timeouts.named(self.address, holder)
        return found

    def signing(self, sign_log: SignLog) -> Hub:
        """This hub with another way to have the audit log signed.

        Args:
            sign_log: told of each transfer that is on record.
        """
        found = copy(self)
        found._sign_log = sign_log  # noqa: SLF001 - of the copy
        return found

    def left_alone(self, connection_id: str) -> float:
        """Seconds for which a system that failed too often is not called; 0: it may be called.

        Args:
            connection_id: of the system.
        """
        return breaker.of(self.connections.get(connection_id)).left()

    @property
    def read_back(self) -> Collection[str]:
        """Kinds of connectors whose inboxes can be read back."""
        return connectors.READ_BACK

    def connector(self, kind: str) -> Connector:
        """The connector of that kind; raises ConfigError where there is none."""
        return connectors.connector(kind)

    def collect(self, dataset: str, source: Connector | None = None) -> Collect:
        """The collect of one dataset, from its agency's system or from one quarantined row.

        Raises:
            ConfigError: unknown dataset, broken contract or one that is only proposed, unknown
                connector.
        """
        contract = self.catalogue.contract(dataset)
        if contract.proposed:
            msg = (
                f"{dataset} is only proposed: look at its contract, then write `status: draft`;"
                " until then `onecard collect --dry-run` alone reads it"
            )
            raise ConfigError(msg)
        if source is not None:
            contract = contract.model_copy(update={"drift": contract.drift.of_single_rows()})
        tools = self.tools(dataset, source)
        return Collect(contract, tools, self._listeners(lambda: collect_flow(contract, tools)))

    def tools(self, dataset: str, source: Connector | None = None) -> CollectContext:
        """What a collect of the dataset, or its reconciliation, needs; raises like `collect`."""
        contract = self.catalogue.contract(dataset)
        return CollectContext(
            address=self.address,
            settings=self.settings,
            connections=self.connections,
            keys=self.keys,
            connector=source or connectors.connector(contract.source.connector),
            gate=self._gate(contract),
            auditor=self._auditor(),
            suite=self.suite,
            signer=Signer(self.settings.suite, self.keys),
            guard=self._guard,
            sign_log=self._sign_log,
        )

    def privacy_gate(self, plan: Plan) -> PrivacyGate:
        """The privacy gate, with what its rules decide by."""
        from quality.privacy.gate import Gate  # noqa: PLC0415 - Polars only where rows flow

        return Gate(plan)

    def deliver(self, agreement_id: str) -> Deliver:
        """The delivery of one agreement.

        Raises:
            ConfigError: unknown agreement, broken YAML, unknown connector.
        """
        agreement, registers = self.catalogue.agreement(agreement_id), self.catalogue.registers
        read = {*agreement.datasets, registers.people.cards, registers.people.deaths}
        kind = agreement.delivery.connector if agreement.delivery else "sql"
        tools = DeliveryContext(
            address=self.address,
            settings=self.settings,
            connections=self.connections,
            keys=self.keys,
            connector=connectors.connector(kind),
            contracts={d: self.catalogue.contract(d) for d in sorted(read)},
            agencies=self.catalogue.agencies,
            registers=registers,
            suite=self.suite,
            signer=Signer(self.settings.suite, self.keys),
            gate=self.privacy_gate,
            guard=self._guard,
            peers=self._peers(agreement),
            expectation=self.catalogue.reaction.expected(
                agreement, self.catalogue.contract(agreement.dataset)
            ),
            sign_log=self._sign_log,
        )
        return Deliver(agreement, tools, self._listeners(lambda: deliver_flow(agreement, tools)))

    def _peers(self, agreement: Agreement) -> dict[str, Peer]:
        """Who else gets rows of the agreement's dataset as they come; nobody by a broken text."""
        known = self.catalogue.contracts
        others = (
            a
            for a in self.catalogue.agreements.values()
            if a.id != agreement.id and a.dataset == agreement.dataset and a.mode == "event"
        )
        return {
            a.id: Peer(a, {d: known[d] for d in a.datasets})
            for a in others
            if known.keys() >= set(a.datasets)
        }

    def _gate(self, contract: Contract) -> RowGate:
        """The gate of a contract, compiled once: neither of them ever changes."""
        known, gate = self._gates.get(contract.id, (None, None))
        if gate is None or known is not contract:
            from quality.rows.gate import compile_gate  # noqa: PLC0415 - Polars only where rows flow

            gate = compile_gate(contract, profile=self.settings.profile)
            self._gates[contract.id] = contract, gate
        return gate

    def _listeners(self, flow: Callable[[], Flow | None]) -> tuple[TransferListener, ...]:
        """Who is told of a transfer's steps, in this order; lineage only where it is asked for."""
        traced = (lineage.LineageListener(self.address, flow),) if lineage.enabled() else ()
        return (LogListener(), *traced)

    def _auditor(self) -> Auditor:
        if self.audit_engine == "gx":
            from quality.datasets.gx_audit import GxAuditor  # noqa: PLC0415 - three seconds of import

            return GxAuditor()
        from quality.datasets.sql_audit import SqlAuditor  # noqa: PLC0415 - only what is used is loaded

        return SqlAuditor()
