"""What a contract decides about changes of its source that a night meets (F32).

An unknown column is no choice: it may hold personal data, so it is refused (files, APIs) or never
asked for (SQL) until the contract names and classifies it.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from onecard.base.frozen import Frozen

Decision = Literal["fail", "quarantine"]

RULES = {
    "missing": "missing",
    "max_length": "widened",
    "scale": "widened",
    "type": "type",
    "required": "nullable",
    "codes": "new_code",
}
"""The gate's rules by which a night sees a change, and the change's kind."""


class Drift(Frozen):
    """Fail the whole transfer, or quarantine the rows that do not fit; never a silent NULL.

    Attributes:
        missing: the source has a column no more. With `quarantine` every row is; a column of the
            key, the cursor or the sequence fails the transfer all the same.
        widened: values are longer, or have more digits, than the contract says.
        type: values are of another type.
        nullable: a required field is empty.
        new_code: a code that stands in none of the field's lists.
    """

    missing: Decision = "fail"
    widened: Decision = "quarantine"
    type: Decision = "quarantine"
    nullable: Decision = "quarantine"
    new_code: Decision = "quarantine"

    def decision(self, kind: str) -> Decision:
        """What is decided for a kind of change."""
        found: Decision = getattr(self, kind)
        return found

    def of_single_rows(self) -> Drift:
        """The policy for rows that do not come from the source: they say nothing about it."""
        rows: Decision = "quarantine"
        return Drift(missing=self.missing, widened=rows, type=rows, nullable=rows, new_code=rows)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: Any) -> Any:  # noqa: ANN401 - plain YAML data
        if not isinstance(data, dict):
            return data
        known = ", ".join(sorted(cls.model_fields))
        for kind in data:
            if kind == "new":
                msg = (
                    "contract.unknown_drift: a column that the contract does not name is always "
                    f"refused, no policy relaxes it; known kinds: {known}"
                )
                raise ValueError(msg)
            if kind not in cls.model_fields:
                msg = f"contract.unknown_drift: no kind of drift {kind!r}; known: {known}"
                raise ValueError(msg)
        return data
