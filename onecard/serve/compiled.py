"""An agreement made ready to be asked under: its SQL, its fields, what beside them is selected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from psycopg import sql

from onecard.base.sql_text import Kept
from onecard.deliver.query import Selection
from onecard.model.gate_inputs import GateInputs
from onecard.store.agreement_lives import Text
from onecard.store.registry_indexes import Index
from schemas.models.agreement import Agreement
from schemas.models.asking import Asking
from schemas.models.contract import Contract, Field
from schemas.models.registers import People

SEQUENCE = "_asked_sequence"
"""The row's order of versions at its source, where the contract has one."""


@dataclass(frozen=True)
class Compiled:
    """One agreement as of one day.

    Attributes:
        contracts: of every dataset that agreement and gate read.
        people: where the gate looks up cards and deaths.
        today: for conditions of age.
    """

    agreement: Agreement
    contracts: Mapping[str, Contract]
    people: People
    today: date

    @property
    def asking(self) -> Asking:
        """What a call must bring."""
        asking = self.agreement.asking
        assert asking is not None  # noqa: S101 - the model has one for every agreement that is asked
        return asking

    @cached_property
    def text(self) -> Text:
        """The agreement with its fingerprint, which takes longer than the rest of a receipt."""
        return Text.of(self.agreement)

    @cached_property
    def inputs(self) -> GateInputs:
        """Its fields in the contracts."""
        return GateInputs(self.agreement, self.contracts)

    @property
    def fields(self) -> Mapping[str, Field]:
        """The contract field behind each shared field."""
        return self.inputs.fields

    @cached_property
    def given(self) -> dict[str, Field]:
        """What a call must give beside the ID number: the contract field of each, by its name."""
        return {path.rpartition(".")[2]: self.inputs.field(path) for path in self.asking.by}

    @cached_property
    def values(self) -> tuple[str, ...]:
        """Fields of which a call must give a value to be verified."""
        return self.agreement.names if self.agreement.mode == "verify" else ()

    @cached_property
    def statement(self) -> sql.Composed:
        """Selects the rows of the persons in `$1`."""
        return Kept(self._selection.of_persons(self._more))

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """Without which nothing can be said: those of the agreement, and of the gate."""
        controls = self.inputs.looked_up(self.people)
        return tuple(dict.fromkeys([*self.agreement.datasets, *controls]))

    @cached_property
    def indexes(self) -> tuple[Index, ...]:
        """By which the statement finds its persons; without them it would read whole tables."""
        wanted = [
            Index(table, (column,), only) for table, column, only in self._selection.indexes()
        ]
        alias, _, column = str(self.agreement.subject).rpartition(".")
        dataset = {j.alias: j.dataset for j in self.agreement.joins}.get(
            alias, self.agreement.dataset
        )
        if self.contracts[dataset].key != (column,):
            wanted.append(Index(self.contracts[dataset].table, (column,)))
        return tuple(wanted)

    @staticmethod
    def by_column(name: str) -> str:
        """The column of a field that a call gives beside the ID number."""
        return f"_asked_by_{name}"

    @property
    def _selection(self) -> Selection:
        return Selection(self.agreement, self.contracts, self.today, self.people)

    @property
    def _more(self) -> dict[str, str]:
        found: dict[str, Any] = {
            self.by_column(path.rpartition(".")[2]): path for path in self.asking.by
        }
        sequence = self.contracts[self.agreement.dataset].sequence
        return found | ({SEQUENCE: sequence} if sequence else {})
