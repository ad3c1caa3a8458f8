"""The port of the privacy gate: what the core asks of it, and what it answers.

`quality.privacy` implements it; `onecard.deliver.run` calls it: `open` before anything is selected,
`check` on each batch that would leave, `close` when the receiver has answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol

from onecard.base.connections import Connection
from onecard.crypto.keys import Key
from onecard.errors import HoldError, PolicyError
from onecard.model.agreements import Life
from onecard.model.gate_inputs import GateInputs
from onecard.ports.sink import Sent
from schemas.models.agreement import Agreement
from schemas.models.catalogue import Agency
from schemas.models.contract import Contract
from schemas.models.registers import Registers

if TYPE_CHECKING:
    import polars as pl

Action = Literal["block", "quarantine", "warn", "alert", "audit"]
RuleOutcome = Literal["passed", "hit", "not_applicable"]


class PrivacyBlock(PolicyError):
    """A rule of the privacy gate blocks the delivery: nothing more leaves.

    Attributes:
        rule: id of the rule (`PR-03`).
    """

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class VolumeHold(HoldError):
    """Far more rows than usual would leave; a person must release the delivery."""


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule found in one delivery.

    Attributes:
        checked: rows (or facts, for rules about the agreement) that it looked at.
        hits: of these, how many break it.
        detail: field names and counts; never a value.
    """

    rule: str
    action: Action
    outcome: RuleOutcome
    checked: int = 0
    hits: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A call under a query or verify agreement (PR-18).

    Attributes:
        persons: whom it asks for.
        operator: of the caller, who asks.
        reason: number of the case that it is asked for.
        calls_last_hour: of the operator, before this one.
        quota_per_hour: of the operator.
    """

    persons: int
    operator: str
    reason: str
    calls_last_hour: int
    quota_per_hour: int


@dataclass(frozen=True)
class Plan:
    """Everything about a delivery that rules decide by, besides its rows.

    Attributes:
        life: approval and state of the agreement; None when unknown.
        destination: connection that the rows would go to.
        token_keys: current token key of each consumer that has one.
        digests: keyed digests of ID numbers under a key (32 bytes each).
        previous: values of statistical cells that the consumer holds already.
        overdue_erasures: copies past their retention without an erasure receipt.
        delivered_rows: rows that earlier deliveries of this agreement sent.
        auditable: whether the audit log takes entries.
        signable: whether a signing key is there.
        sealed_for: id of the consumer's key that the rows would be sealed for; empty: they would
            not be sealed.
        queries: the calls that are to be answered, in the modes query and verify.
        accesses: recent look-ups of single persons in the hub (PR-19).
    """

    agreement: Agreement
    contracts: Mapping[str, Contract]
    agencies: Mapping[str, Agency]
    registers: Registers
    now: datetime
    life: Life | None = None
    destination: Connection | None = None
    token_keys: Mapping[str, Key] | None = None
    digests: Callable[[Key, list[str]], list[bytes]] | None = None
    previous: Callable[[list[str]], Mapping[str, int]] | None = None
    overdue_erasures: int = 0
    delivered_rows: int = 0
    auditable: bool = False
    signable: bool = False
    sealed_for: str = ""
    queries: tuple[Query, ...] = ()
    accesses: tuple[Access, ...] = ()

    @cached_property
    def inputs(self) -> GateInputs:
        """The contract fields behind the agreement's, for all rules together."""
        return GateInputs(self.agreement, self.contracts)


@dataclass(frozen=True, slots=True)
class Access:
    """One look at a person's data by an operator of the hub; the person as a keyed reference."""

    operator: str
    person: str
    at: datetime


@dataclass(frozen=True)
class Batch:
    """One batch before and after treatment.

    Attributes:
        raw: the agreement's columns untreated, and the gate's inputs (`model.gate_inputs`).
        treated: the agreement's columns as they would leave, row for row.
        released: dataset keys (as `control.KEY` gives them) that a person has released (PR-10).
    """

    raw: pl.DataFrame
    treated: pl.DataFrame
    released: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Admitted:
    """What the gate lets through.

    Attributes:
        rows: one boolean per row of the batch: it may leave.
        quarantined: per row index, the (field, rule) pairs for which it is quarantined.
        withheld: rows that stay back by rule (children, deceased, small cells).
    """

    rows: pl.Series
    quarantined: Mapping[int, tuple[tuple[str, str], ...]]
    withheld: int


class PrivacyGate(Protocol):
    """The rules PR-01 to PR-30 over one delivery."""

    def open(self) -> None:
        """Rules about agreement, registers, keys and destination.

        Raises:
            PrivacyBlock: a blocking rule is broken, or cannot be evaluated.
        """
        ...

    def check(self, batch: Batch) -> Admitted:
        """Rules about rows; raises like `open`."""
        ...

    def close(self, sent: Sent, passed: int) -> None:
        """Rules about what the receiver confirmed; raises like `open`."""
        ...

    @property
    def results(self) -> tuple[RuleResult, ...]:
        """One result per rule, in order of id."""
        ...
