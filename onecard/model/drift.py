"""What a source offers now: its columns, types and shapes; never a value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from onecard.model.source_types import SourceType
from schemas.models.contract import LogicalType

Family = Literal["text", "integer", "number", "date", "timestamp", "other"]


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """One column as the source has it now.

    Attributes:
        type: in the source's own words, for messages.
        width: length of text: declared by a database; of a sample, what nine tenths keep to
            (single longer values are defects of their rows, not of the source).
        shapes: shapes of sampled values (digits 9, letters a, ideographs x); never the values.
        accepts: its type, and what that is to a contract; None: text, of which each value is tried.
        always: whether every sampled record has it (records of APIs may leave keys out).
    """

    name: str
    family: Family
    type: str = ""
    width: int | None = None
    precision: int | None = None
    scale: int | None = None
    nullable: bool | None = None
    shapes: frozenset[str] = field(default=frozenset(), repr=False)
    always: bool = True
    accepts: SourceType | None = None

    def taken_for(self, wanted: LogicalType) -> bool:
        """Whether any value of the column can be one of a logical type."""
        return self.accepts is None or self.accepts.acceptance(wanted) != "refused"


@dataclass(frozen=True, slots=True)
class Described:
    """What a source offers now.

    Attributes:
        origin: table, path or file that was looked at; never a value.
        named: whether the connector asks for columns by name, so that new ones stay unread.
        optional: whether a column that the contract does not require may be absent.
    """

    origin: str
    columns: tuple[SourceColumn, ...]
    named: bool = False
    optional: bool = False


def shape(text: str) -> str:
    """A value's shape: what kind of signs stand in it, in which order; at most 40 of them."""
    for pattern, sign in ((r"\d", "9"), (r"[A-Za-z]", "a"), (r"[^\x00-\x7f]", "x")):
        text = re.sub(pattern, sign, text[:40])
    return text
