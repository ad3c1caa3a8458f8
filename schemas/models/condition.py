"""A condition on one field, as rules of rows and of datasets write it."""

from __future__ import annotations

from pydantic import Field, model_validator

from onecard.base.frozen import Frozen
from schemas.models.values import Name

Scalar = str | int


class Condition(Frozen):
    """A condition on one field; exactly one of the tests is given.

    A NULL field meets only `null: true`.
    """

    field: Name
    in_: tuple[Scalar, ...] | None = Field(default=None, alias="in")
    not_in: tuple[Scalar, ...] | None = None
    null: bool | None = None
    min: Scalar | None = None
    max: Scalar | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Condition:
        tests = [self.in_, self.not_in, self.null, self.min, self.max]
        if sum(test is not None for test in tests) != 1:
            msg = "rule.condition: give exactly one of in, not_in, null, min, max"
            raise ValueError(msg)
        return self
