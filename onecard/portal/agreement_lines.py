"""An agency's agreements: what it gives to whom, what it receives, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from onecard.model.agreements import Life
from onecard.model.gate_inputs import GateInputs
from onecard.model.holds import Hold
from schemas.models import codes
from schemas.models.agreement import Agreement
from schemas.models.catalogue import Catalogue
from schemas.models.contract import Contract


@dataclass(frozen=True, slots=True)
class FieldLine:
    """One column that leaves, and how."""

    name: str
    title: str
    level: str
    treatment: str


@dataclass(frozen=True, slots=True)
class AgreementLine:
    """One agreement as a steward reads it."""

    agreement: Agreement
    life: Life
    provider: str
    purpose: str
    dataset: str

    @property
    def id(self) -> str:
        """Of the agreement."""
        return self.agreement.id


def provider(agreement: Agreement) -> str:
    """The agency whose data it is; only its stewards (and engineers) approve."""
    return agreement.dataset.partition("/")[0]


def concerns(agreement: Agreement, agency: str) -> bool:
    """Whether the agency receives, or any of its datasets is read."""
    return agreement.consumer == agency or gives(agreement, agency)


def gives(agreement: Agreement, agency: str) -> bool:
    """Whether a delivery reads a dataset of the agency."""
    return any(dataset.partition("/")[0] == agency for dataset in agreement.datasets)


def has_subject(catalogue: Catalogue, agency: str, subject: str) -> bool:
    """Whether a dataset is the agency's, or an agreement gives its data or gives it data.

    Args:
        catalogue: contracts and agreements.
        agency: its id.
        subject: dataset or agreement.
    """
    found = catalogue.agreements.get(subject)
    if found is not None:
        return concerns(found, agency)
    return subject in catalogue.contracts and catalogue.contracts[subject].agency == agency


def subjects(catalogue: Catalogue, agency: str) -> list[str]:
    """Datasets and agreements that concern an agency; all of them where none is named.

    Args:
        catalogue: contracts and agreements.
        agency: its id, or an empty text.
    """
    known = [*sorted(catalogue.contracts), *sorted(catalogue.agreements)]
    return [s for s in known if not agency or has_subject(catalogue, agency, s)]


def held_for(catalogue: Catalogue, hold: Hold, agency: str) -> bool:
    """Whether what is held was read from the agency, or is delivered of its data.

    Args:
        catalogue: agreements.
        hold: what is held.
        agency: whose page it is.
    """
    found = catalogue.agreements.get(hold.subject)
    return hold.agency == agency or (found is not None and gives(found, agency))


def line(catalogue: Catalogue, agreement: Agreement, life: Life) -> AgreementLine:
    """The agreement with its words; a dataset whose contract is broken goes by its id.

    Args:
        catalogue: contracts, for their titles.
        agreement: as it stands in its file.
        life: what was approved, suspended, stopped.
    """
    contract = catalogue.contracts.get(agreement.dataset)
    return AgreementLine(
        agreement,
        life,
        provider(agreement),
        codes.labels("purpose")[agreement.purpose],
        contract.title if contract else agreement.dataset,
    )


def contracts(catalogue: Catalogue, agreement: Agreement) -> Mapping[str, Contract]:
    """Of every dataset that it reads."""
    return {d: catalogue.contract(d) for d in agreement.datasets}


def fields(catalogue: Catalogue, agreement: Agreement) -> list[FieldLine]:
    """What leaves, column by column."""
    behind = GateInputs(agreement, contracts(catalogue, agreement)).fields
    return [
        FieldLine(
            name=shared.name,
            title=behind[shared.name].title if shared.name in behind else "",
            level=behind[shared.name].level if shared.name in behind else "",
            treatment=shared.treatment,
        )
        for shared in agreement.fields
    ]
