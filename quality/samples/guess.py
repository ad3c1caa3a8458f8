"""What is guessed of a column and of a source; no value of a row stands in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from schemas.models.contract import Field
from schemas.models.text_form import Thousands

ENOUGH = 0.9
"""Share of a column's values that must be right for a guess: sources hold wrong ones as well."""
LIKELY = 0.5
"""The same for what is of a person: half of a column being right leaves no other reading of it."""
FEW = 5
"""Values from which on one may be wrong, however few they are."""


def count_of(right: pl.Series) -> int:
    """How many values of a mask hold.

    Args:
        right: true or false.
    """
    return int(right.fill_null(value=False).to_numpy().sum())


def is_enough(right: float, of: int, share: float = ENOUGH) -> bool:
    """Whether so many right values of so many speak for a guess.

    Args:
        right: values that are right.
        of: all values.
        share: of them that must be right.
    """
    wrong = of - right
    return right > 0 and wrong <= max((1 - share) * of, 1 if of >= FEW else 0) + 1e-9


@dataclass(frozen=True, slots=True)
class TextType:
    """The type of values that are written as text.

    Attributes:
        type: logical type of a contract.
        format: of dates and times (strftime); None: ISO 8601.
        thousands: sign between groups of three digits; None: there is none.
        precision: digits of a number.
        scale: decimals of a number.
    """

    type: Literal["string", "date", "timestamp", "integer", "number"] = "string"
    format: str | None = None
    thousands: Thousands | None = None
    precision: int | None = None
    scale: int | None = None


@dataclass(frozen=True, slots=True)
class CodeGuess:
    """What is known of a column of codes.

    Attributes:
        name: of the code list that holds them; None: none, or no single one.
        others: lists that hold them too.
        draft: the codes themselves, for a list that is to be made; only short signs that repeat.
    """

    name: str | None = None
    others: tuple[str, ...] = ()
    draft: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnGuess:
    """One column as a field of a draft.

    Attributes:
        field: as the contract has it; its name is legal, and once there.
        by: what says so: `known` (other contracts have the column), `values`, `declared` (the
            source's own type), `name` (no value was seen).
        seen: values that were looked at, and `empty` NULLs beside them.
        distinct: different values among them.
        draft_codes: of a code list that is to be made.
        other_lists: code lists that hold all values too.
        null_words: words for NULL that stand among the values, of those that are known.
        blanks: values with blanks around them.
        thousands: sign between groups of digits.
        headed: whether its native name may be a header, and is none of its values.
    """

    field: Field
    by: Literal["known", "values", "declared", "name"]
    seen: int
    empty: int
    distinct: int
    draft_codes: tuple[str, ...] = ()
    other_lists: tuple[str, ...] = ()
    null_words: tuple[str, ...] = ()
    blanks: int = 0
    thousands: Thousands | None = None
    headed: bool = True


@dataclass(frozen=True, slots=True)
class SourceGuess:
    """A source as a draft of a contract.

    Attributes:
        columns: those that a contract can take.
        refused: native names of the others, and why.
        key: names of the fields of the key.
        key_by: `primary key`, `unique key` (the catalogue's) or `sample`: a guess.
        cursor: name of the field by which the source can be read on; None: none.
        sequence: name of the field that orders versions of a row; None: none.
        marks: fields that look like marks of deletion.
    """

    columns: tuple[ColumnGuess, ...]
    refused: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    key_by: Literal["primary key", "unique key", "sample", "nothing"]
    cursor: str | None = None
    sequence: str | None = None
    marks: tuple[str, ...] = ()
