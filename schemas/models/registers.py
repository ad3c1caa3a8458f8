"""Registers that agreements refer to: projects, assessments, notices, entrustments, card schemes.

`schemas/registers.yaml` is their one place. What an agreement names and a register does not hold
blocks the flow (`quality.privacy`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal

from onecard.base.frozen import Frozen
from onecard.base.kept import Kept
from schemas.models.agreement import AgreementId, RegisterId
from schemas.models.agreement_parts import Validity
from schemas.models.strict_yaml import parse
from schemas.models.values import DatasetId, Name, build

FILE = Path(__file__).parents[1] / "registers.yaml"


class Statute(Frozen):
    """A legal text: its kind, and how many articles it has.

    PIPL article 34 lets state organs act under laws and administrative regulations only.
    """

    kind: Literal["law", "administrative_regulation", "municipal_rule"]
    articles: int


class Project(Frozen):
    """An entry of the published list of applications (应用项目清单, order 249 article 7)."""

    title: str
    purpose: str
    validity: Validity


class Assessment(Frozen):
    """A personal information protection impact assessment (PIPL articles 55, 56)."""

    title: str
    reviewed: date
    agreements: tuple[AgreementId, ...]


class Notice(Frozen):
    """A notice to residents: which flows it tells of (PIPL articles 17, 23, 35)."""

    title: str
    published: date
    agreements: tuple[AgreementId, ...]


class Entrustment(Frozen):
    """A contract with an entrusted party (PIPL article 21)."""

    party: Name
    validity: Validity
    sub_entrustment: bool = False


class IdentifiabilityGrade(Frozen):
    """A graded assessment of how identifiable a de-identified flow is (GB/T 42460)."""

    agreement: AgreementId
    grade: Literal[1, 2, 3, 4]
    assessed: date


class ChildRules(Frozen):
    """Rules for handling data of children under 14 (PIPL article 31)."""

    title: str
    published: date


class CardScheme(Frozen):
    """A card or code scheme in use (order 249, article 9).

    Attributes:
        purposes: items of article 7 that it serves.
        codes: values of `credential code lists` that stand for it in the data.
        exemption: the higher rule that allows it beside the One-Card.
    """

    title: str
    issuer: str
    government: bool
    first_issued: date
    purposes: tuple[str, ...] = ()
    codes: Mapping[Name, tuple[str, ...]] = {}
    exemption: str = ""


class People(Frozen):
    """Where the gate looks up a person's cards and death.

    Attributes:
        cards: dataset with person_id18, card_status and fin_status.
        deaths: dataset with person_id18.
    """

    cards: DatasetId
    deaths: DatasetId


class Registers(Frozen):
    """The whole file."""

    list_version: str
    list_published: date
    statutes: Mapping[str, Statute]
    projects: Mapping[RegisterId, Project]
    assessments: Mapping[RegisterId, Assessment]
    notices: Mapping[RegisterId, Notice]
    entrustments: Mapping[RegisterId, Entrustment]
    grades: Mapping[RegisterId, IdentifiabilityGrade]
    child_rules: Mapping[RegisterId, ChildRules]
    schemes: Mapping[RegisterId, CardScheme]
    networks: tuple[str, ...]
    people: People


@Kept
def load(file: Path = FILE) -> Registers:
    """Read the registers.

    Raises:
        InvalidFile: with file, line, field, rule and the valid choices.
    """
    document = parse(file)
    return build(Registers, document.data, document)
