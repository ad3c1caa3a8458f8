"""Persons whom systems of profile `sandbox` ask for: `schemas/sandbox.yaml` is the one place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from pydantic import Field as Attribute
from pydantic import field_validator, model_validator

from onecard.base.frozen import Frozen
from onecard.base.kept import Kept
from onecard.base.personal import UNASSIGNED_DIVISION, is_id_number
from schemas.models.contract import Field
from schemas.models.strict_yaml import parse
from schemas.models.values import DatasetId, Name, build

FILE = Path(__file__).parents[1] / "sandbox.yaml"

Value = object
"""As the registry has it: text, day, time, whole number; a decimal number as text."""


class SandboxPerson(Frozen):
    """One person, who is nobody.

    Attributes:
        title: what a caller can try with this person.
        title_en: the same in English.
        id_number: in a division that is not assigned, so that no number is a real person's.
        rows: what would stand in the registry, by dataset and field, all as text; of a dataset
            that is not named there is no row.
        outside: agreements under which nothing is said of this person, as of one who is outside
            their scope or kept back by a rule.
    """

    title: str
    title_en: str
    id_number: str
    rows: Mapping[DatasetId, Mapping[Name, str]] = Attribute(default_factory=dict)
    outside: tuple[str, ...] = ()

    @field_validator("id_number")
    @classmethod
    def _nobodys(cls, number: str) -> str:
        if not is_id_number(number) or not number.startswith(UNASSIGNED_DIVISION):
            msg = (
                "sandbox.id_number: 18 characters with a right check character (GB 11643), in the"
                f" division {UNASSIGNED_DIVISION}, which is not assigned; another may be a real"
                " person's"
            )
            raise ValueError(msg)
        return number


class SandboxPeople(Frozen):
    """The whole file."""

    people: tuple[SandboxPerson, ...] = ()

    @model_validator(mode="after")
    def _once(self) -> SandboxPeople:
        if len({person.id_number for person in self.people}) < len(self.people):
            msg = "sandbox.people: an ID number stands twice"
            raise ValueError(msg)
        return self

    def person(self, id_number: str) -> SandboxPerson | None:
        """The person of a number; None: there is none.

        Args:
            id_number: 18 characters.
        """
        return next((p for p in self.people if p.id_number == id_number), None)


def typed(field: Field, text: str) -> Value:
    """A value of the file as the registry would have it.

    Args:
        field: of the contract.
        text: as it stands in the file.

    Raises:
        ValueError: it is no value of that field; nothing of it is in the message.
    """
    try:
        if field.type == "date":
            return date.fromisoformat(text)
        if field.type == "timestamp":
            return _instant(text)
        if field.type == "integer":
            return int(text)
        if field.type == "number":
            return str(Decimal(text))
    except (ValueError, InvalidOperation):
        msg = f"{field.name} is a {field.type}"
        raise ValueError(msg) from None
    if field.codes and text not in field.allowed:
        msg = f"{field.name} is a code; valid choices: {', '.join(field.allowed)}"
        raise ValueError(msg)
    return text


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        msg = "no offset"
        raise ValueError(msg)
    return found.astimezone(UTC)


@Kept
def load(file: Path = FILE) -> SandboxPeople:
    """Read the file.

    Raises:
        InvalidFile: with file, line, field, rule and the valid choices.
    """
    document = parse(file)
    return build(SandboxPeople, document.data, document)
