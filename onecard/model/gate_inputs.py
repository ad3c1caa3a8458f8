"""Control columns of a delivery: what the privacy gate must know of a row, and nobody may receive.

They stand beside the agreement's columns in the delivery's SQL, are read by the gate, and are
dropped with it (ADR 0010). Their names cannot be those of a field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from schemas.models.agreement import Agreement
from schemas.models.contract import Contract, Field
from schemas.models.registers import People

PREFIX = "_gate_"
SUBJECT = "_gate_subject"
"""ID number of the person whom the row is about."""

KEY = "_gate_key"
"""The dataset key as a JSON list, for a row that is quarantined."""

CONSENT = "_gate_consent"
CONSENT_KIND = "_gate_consent_kind"
ACTIVE = "_gate_active"
"""Whether the person has an activated bank account (order 249, article 19)."""

ENDED = "_gate_ended"
"""Whether the person died or all their cards are cancelled. Of all rows of an agreement it is told
by a list of such persons, and is not in the delivery's SQL."""

TOP = "_gate_top"
"""Largest contribution of one contributor to a statistical cell."""

DELIVERED = "_gate_delivered"
"""Whether the row was delivered, by the versions that a hub without a record of it knows."""

LAPSED = "_gate_lapsed"
"""Whether the consumer was to erase the row since it was delivered; beside `DELIVERED`."""

SAME_PERSON = "_gate_same_person"
"""Whether the row was about the same person whenever it left, for certain; beside `DELIVERED`."""

ASKED_PLACE = "_asked_place"
"""Of a call about one person: which of the persons that were asked for together the row is of."""

CHILD_YEARS = 14
"""Under this age all personal information is sensitive (PIPL article 28)."""


def filter_name(index: int) -> str:
    """Control column of the scope's filter of that index: the tested value as text."""
    return f"{PREFIX}filter_{index}"


def exists_name(index: int) -> str:
    """Control column of the scope's semi-join of that index: whether it holds."""
    return f"{PREFIX}exists_{index}"


@dataclass(frozen=True)
class GateInputs:
    """Which control columns an agreement needs."""

    agreement: Agreement
    contracts: Mapping[str, Contract]

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The contract field behind each shared field; constants and counts have none."""
        agreement = self.agreement
        counted = agreement.statistics.count if agreement.statistics else None
        found: dict[str, Field] = {}
        for shared in agreement.fields:
            if shared.origin is None or shared.name == counted:
                continue
            found[shared.name] = self.field(shared.origin)
        return found

    def field(self, path: str) -> Field:
        """The contract field of a path: `name` of the dataset, `alias.name` of a join."""
        alias, _, name = path.rpartition(".")
        datasets = {j.alias: j.dataset for j in self.agreement.joins}
        return self.contracts[datasets[alias] if alias else self.agreement.dataset].field(name)

    def looked_up(self, people: People) -> tuple[str, ...]:
        """Datasets, beside the agreement's own, that the control columns are taken from."""
        if self.agreement.mode == "statistics":
            return ()
        deaths = (people.deaths,) if self.agreement.after_death == "stop" else ()
        return (people.cards, *deaths) if deaths or self.financial else ()

    @cached_property
    def financial(self) -> bool:
        """Whether the flow pays out or carries a bank account (PR-16)."""
        return any(f.semantic == "bank_account" for f in self.fields.values())

    @cached_property
    def scanned(self) -> tuple[str, ...]:
        """Shared text fields that are no identifiers and could hold personal data (PR-10)."""
        return tuple(
            name
            for name, field in self.fields.items()
            if field.type == "string"
            and field.pii != "DI"
            and not field.codes
            and not field.semantic_type.closed
        )
