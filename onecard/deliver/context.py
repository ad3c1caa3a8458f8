"""What a delivery needs from outside the core, and what may be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from onecard.base.connections import Connections
from onecard.base.settings import Settings
from onecard.crypto.keys import KeyStore
from onecard.crypto.signing import Signer
from onecard.crypto.suites import Suite
from onecard.ports.connector import Connector
from onecard.ports.privacy_gate import Plan, PrivacyGate
from onecard.store.leases import Guard, unguarded
from onecard.store.log_signing import SignLog, at_once
from schemas.models.catalogue import Agency
from schemas.models.contract import Contract
from schemas.models.reaction import Expectation
from schemas.models.registers import Registers

if TYPE_CHECKING:
    import polars as pl

    from schemas.models.agreement import Agreement


@dataclass(frozen=True, slots=True)
class Peer:
    """Another agreement on the same dataset, with the contracts of what it reads."""

    agreement: Agreement
    contracts: Mapping[str, Contract]


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """What a delivery needs from outside the core; `onecard.app.wiring` fills it.

    Attributes:
        address: of the hub's database.
        contracts: of every dataset that the agreement reads, and of the registers of people.
        gate: makes the privacy gate of one delivery.
        guard: is asked before anything leaves, and in the transaction that confirms, whether this
            process may still do so.
        peers: by id, the other agreements on the same dataset whose rows leave as they come; a new
            carrier waits for them.
        expectation: what is measured of how long events take; None: nothing.
        sign_log: has the audit log signed when a transfer is on record.
    """

    address: str
    settings: Settings
    connections: Connections
    keys: KeyStore
    connector: Connector
    contracts: Mapping[str, Contract]
    agencies: Mapping[str, Agency]
    registers: Registers
    suite: Suite
    signer: Signer
    gate: Callable[[Plan], PrivacyGate]
    guard: Guard = unguarded
    peers: Mapping[str, Peer] = field(default_factory=dict)
    expectation: Expectation | None = None
    sign_log: SignLog = at_once


@dataclass(frozen=True, slots=True)
class Delivered:
    """How one delivery ended.

    Attributes:
        transfer: None when nothing was due.
        to_reconcile: what the consumer holds is known by versions only, and its inbox can tell.
        waiting: new carriers that wait until the old ones are blocked everywhere.
    """

    agreement: str
    transfer: int | None
    rows: int = 0
    parts: int = 0
    already: int = 0
    quarantined: int = 0
    withheld: int = 0
    deleted: int = 0
    remarks: tuple[str, ...] = ()
    to_reconcile: bool = False
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Extent:
    """How far an agreement's text is from what its consumer has, in rows, before the gate.

    Attributes:
        send: rows that the consumer has not, or has otherwise.
        withdraw: rows that it has and is to have no more; 0 where it is not told of deletes.
    """

    send: int
    withdraw: int


@dataclass(frozen=True, slots=True)
class Replay:
    """Rows that are delivered again, whether or not they are due.

    Attributes:
        whole: all rows, and withdrawals as always: the consumer asks for a whole delivery.
        keys: values of one row's dataset key.
        vouched: dataset keys for which a person vouches, so that the gate lets them pass.
        chosen: staging table of the dataset keys; statistics are then sent whole.
        gone: keys to withdraw, as they left: rows that the inbox holds beyond its agreement.
    """

    keys: tuple[str, ...] = field(default=(), repr=False)
    vouched: frozenset[str] = field(default=frozenset(), repr=False)
    chosen: str = ""
    whole: bool = False
    gone: pl.DataFrame | None = field(default=None, repr=False)

    @property
    def alone(self) -> bool:
        """Whether these rows are sent beside what is due."""
        return not self.whole
