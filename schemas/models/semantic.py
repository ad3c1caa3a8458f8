"""Semantic types and masks, read from `schemas/semantic_types.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from onecard.base.frozen import Frozen
from onecard.base.kept import Kept
from onecard.errors import ConfigError, unknown
from schemas.models.strict_yaml import parse
from schemas.models.values import build

FILE = Path(__file__).parents[1] / "semantic_types.yaml"

Pii = Literal["DI", "QI", "PI", "NONE"]
"""Direct identifier, quasi identifier, other personal information, none."""

Level = Literal["L1", "L2", "L3", "L4"]
MaskName = Literal["NAME", "ID", "MOBILE", "LAST4", "LAST3"]
Validator = Literal["id_number", "uscc", "bank_account"]

PII_ORDER = {"NONE": 0, "PI": 1, "QI": 2, "DI": 3}


class Mask(Frozen):
    """A mask's title, the pattern that every masked value matches, and an example."""

    title: str
    pattern: str
    example: str


class SemanticType(Frozen):
    """What a value means and how it is checked and protected.

    Attributes:
        validator: a named check of `quality.rows.identifiers` (checksum, birth date ...).
        pattern: or a regular expression on the whole value.
        mask: the mask that display and delivery use; None means the value is dropped.
        token: whether a keyed token can be made of it (a person's ID number).
        closed: whether its check leaves no room for other personal data (PR-10 looks elsewhere).
    """

    title: str
    standard: str
    pii: Pii
    level: Level
    validator: Validator | None = None
    pattern: str | None = None
    max_length: int | None = None
    mask: MaskName | None = None
    token: bool = False
    closed: bool = False

    @model_validator(mode="after")
    def _one_check(self) -> SemanticType:
        if self.validator and self.pattern:
            msg = "semantic.check: give validator or pattern, not both"
            raise ValueError(msg)
        return self


class SemanticTypes(Frozen):
    """The whole file."""

    masks: dict[MaskName, Mask]
    types: dict[str, SemanticType]


@Kept
def load(file: Path = FILE) -> SemanticTypes:
    """All semantic types and masks."""
    document = parse(file)
    return build(SemanticTypes, document.data, document)


def semantic_type(name: str) -> SemanticType:
    """The type of that name.

    Raises:
        ConfigError: there is no such type.
    """
    types = load().types
    if name not in types:
        raise ConfigError(unknown("semantic type", name, types))
    return types[name]
