"""A type of a source, and what it is to each logical type of a contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from schemas.models.contract import LogicalType

Acceptance = Literal["exact", "rows", "refused"]
"""Every value arrives as it was written; each value is looked at, and a bad one costs its row; no
value is read."""
ReadAs = Literal[
    "as_it_is", "text", "unpadded", "unsigned", "whole", "digits", "utc", "iso", "iso_utc", "lob"
]
"""What each means: `connectors/source_types.yaml`."""


@dataclass(frozen=True, slots=True)
class SourceType:
    """A type that columns of a source may have.

    Attributes:
        name: as the source calls it, without lengths.
        family: types that are taken alike.
        accepts: logical type → how it is taken; what is absent is refused.
        read: how a column of it is asked for, where drivers would change its values.
        why: it is refused, for messages.
    """

    name: str
    family: str
    accepts: Mapping[LogicalType, Acceptance] = field(default_factory=dict)
    read: ReadAs = "as_it_is"
    why: str = ""

    def acceptance(self, wanted: LogicalType) -> Acceptance:
        """How a column of this type is taken for a field of the wanted type."""
        return self.accepts.get(wanted, "refused")


@dataclass(frozen=True, slots=True)
class DeclaredColumn:
    """A column as its source declares it.

    Attributes:
        declared: its type in the source's own words, lengths included.
        nullable: None where the source says nothing.
    """

    name: str
    declared: str
    type: SourceType
    nullable: bool | None = None
