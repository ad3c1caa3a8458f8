"""What a contract can demand of a row, beyond types, code lists and semantic types.

A tagged union: `check` says which. `quality.rows.gate` compiles each kind to a Polars expression;
later engines compile the same list. A rule is evaluated only on rows whose named fields passed
their own checks, so that one defect has one reason.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from onecard.base.frozen import Frozen
from schemas.models.condition import Condition, Scalar
from schemas.models.dataset_checks import Expectation
from schemas.models.values import Duration, Name

__all__ = ["Condition", "Expectation", "Scalar"]
"""Defined elsewhere, and read from here by those who read rules."""

Op = Literal["<", "<=", "=", ">=", ">"]


class Compare(Frozen):
    """`left op right + plus`; NULL on either side passes. `value: now` is the transfer's time."""

    check: Literal["compare"]
    left: Name
    op: Op
    right: Name | None = None
    value: Scalar | None = None
    plus: Duration | None = None

    @model_validator(mode="after")
    def _one_side(self) -> Compare:
        if (self.right is None) == (self.value is None):
            msg = "rule.compare: give exactly one of right (a field) and value"
            raise ValueError(msg)
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the rule reads."""
        return (self.left,) if self.right is None else (self.left, self.right)


class Sum(Frozen):
    """`total` equals the sum of `parts` within `tolerance`; NULL anywhere passes."""

    check: Literal["sum"]
    total: Name
    parts: tuple[Name, ...] = Field(min_length=2)
    tolerance: str = "0"

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the rule reads."""
        return (self.total, *self.parts)


class Product(Frozen):
    """`result` equals the product of `factors`, rounded half up to its scale, within tolerance."""

    check: Literal["product"]
    result: Name
    factors: tuple[Name, Name]
    tolerance: str = "0"

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the rule reads."""
        return (self.result, *self.factors)


class Implies(Frozen):
    """Where all of `when` hold, `then` must hold."""

    check: Literal["implies"]
    when: tuple[Condition, ...] = Field(min_length=1)
    then: Condition

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the rule reads."""
        return (*(condition.field for condition in self.when), self.then.field)


class Range(Frozen):
    """`min <= field <= max`; NULL passes."""

    check: Literal["range"]
    field: Name
    min: Scalar | None = None
    max: Scalar | None = None

    @model_validator(mode="after")
    def _some_bound(self) -> Range:
        if self.min is None and self.max is None:
            msg = "rule.range: give min, max or both"
            raise ValueError(msg)
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the rule reads."""
        return (self.field,)


class Pattern(Frozen):
    """The whole text matches the regular expression (Rust syntax, no look-around)."""

    check: Literal["pattern"]
    field: Name
    pattern: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the rule reads."""
        return (self.field,)


class TupleIn(Frozen):
    """The fields together are a row of a reference table (`schemas/codes/<table>.csv`)."""

    check: Literal["tuple_in"]
    columns: tuple[Name, ...] = Field(min_length=2)
    table: Name

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the rule reads."""
        return self.columns


class OfIdNumber(Frozen):
    """`field` equals what the ID number says: birth date (characters 7-14) or sex (17th digit)."""

    check: Literal["birth_date_of", "sex_of"]
    id_number: Name
    field: Name

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the rule reads."""
        return (self.id_number, self.field)


class Unique(Frozen):
    """No two published rows agree in all `columns` (the key is unique without saying so).

    A set rule: PostgreSQL finds it on the staged rows; the row that came later is quarantined.
    """

    check: Literal["unique"]
    columns: tuple[Name, ...] = Field(min_length=1)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the rule reads."""
        return self.columns


Check = Annotated[
    Compare | Sum | Product | Implies | Range | Pattern | TupleIn | OfIdNumber | Unique,
    Field(discriminator="check"),
]


class Rule(Frozen):
    """A named row rule of a contract.

    Attributes:
        name: stable id, shown in reports and in `onecard check`.
        title: Chinese description.
        severity: `error` quarantines the row, `warning` is only counted.
        dimension: quality dimension of ODCS (GB/T 36344 names in the reports).
    """

    name: Name
    title: str
    severity: Literal["error", "warning"] = "error"
    dimension: Literal[
        "accuracy",
        "completeness",
        "conformity",
        "consistency",
        "coverage",
        "timeliness",
        "uniqueness",
    ]
    check: Check
