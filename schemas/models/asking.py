"""How single persons are asked for under an agreement of mode query or verify."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field as Attribute
from pydantic import field_validator, model_validator

from onecard.base.frozen import Frozen
from schemas.models.agreement_parts import Path_

QuotaScope = Literal["operator", "caller", "agreement", "person"]
"""Whose calls under one agreement are counted: one operator's of a caller, one caller's, all, or
those about one person."""

COMPARED = ("string", "integer", "number", "date")
"""Types of fields whose values a caller can know exactly (`onecard.serve.compare`)."""

Calls = Annotated[int, Attribute(ge=1, le=100_000_000)]


class Quota(Frozen):
    """Calls in an hour of the clock and in a day, at +08:00."""

    hour: Calls
    day: Calls

    @model_validator(mode="after")
    def _ordered(self) -> Quota:
        if self.day < self.hour:
            msg = "asking.quota: `day` is less than `hour`"
            raise ValueError(msg)
        return self


class Asking(Frozen):
    """What a call must bring, and how often there may be one.

    Attributes:
        by: fields that the call must give beside the ID number, and that must agree with the
            person's; else the answer is that there is no such person.
        case: form of the consumer's case numbers, a regular expression of the whole number.
        example: a case number of that form, for the caller's engineers.
        quotas: for each scope; without one for all nobody is answered.
    """

    by: tuple[Path_, ...] = ()
    case: str
    example: str
    quotas: Mapping[QuotaScope, Quota]

    @field_validator("case")
    @classmethod
    def _readable(cls, text: str) -> str:
        try:
            re.compile(text)
        except re.error as error:
            msg = f"asking.case: no regular expression: {error}"
            raise ValueError(msg) from None
        return text

    @model_validator(mode="after")
    def _whole(self) -> Asking:
        if not re.fullmatch(self.case, self.example):
            msg = "asking.case: `example` is not of the form that `case` says"
            raise ValueError(msg)
        missing = [s for s in ("operator", "caller", "agreement", "person") if s not in self.quotas]
        if missing:
            msg = f"asking.quotas: no quota for: {', '.join(missing)}"
            raise ValueError(msg)
        return self
