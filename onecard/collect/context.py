"""What a collect needs from outside the core."""

from __future__ import annotations

from dataclasses import dataclass

from onecard.base.connections import Connections
from onecard.base.settings import Settings
from onecard.crypto.keys import KeyStore
from onecard.crypto.signing import Signer
from onecard.crypto.suites import Suite
from onecard.ports.auditor import Auditor
from onecard.ports.connector import Connector, InOrder
from onecard.ports.row_gate import RowGate
from onecard.store.leases import Guard, unguarded
from onecard.store.log_signing import SignLog, at_once


@dataclass(frozen=True, slots=True)
class CollectContext:
    """What a collect needs from outside the core; `onecard.app.wiring` fills it.

    Attributes:
        address: of the hub's database.
        guard: is asked in the transactions that claim and publish whether this process may still do
            so.
        sign_log: has the audit log signed when a transfer is on record.
    """

    address: str
    settings: Settings
    connections: Connections
    keys: KeyStore
    connector: Connector
    gate: RowGate
    auditor: Auditor
    suite: Suite
    signer: Signer
    guard: Guard = unguarded
    sign_log: SignLog = at_once

    @property
    def in_order(self) -> bool:
        """Whether the connector's readings come in order: a later row is a newer one."""
        return isinstance(self.connector, InOrder) and self.connector.in_order
