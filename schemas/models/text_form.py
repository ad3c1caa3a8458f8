"""How a source writes its values as text, where it does not write them as the hub reads them."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator, model_validator

from onecard.base.frozen import Frozen

Thousands = Literal[",", ".", "'", " ", "，", "\u00a0", "\u202f"]
"""Signs that group digits by three, blanks that do not break a line among them."""


class TextForm(Frozen):
    """The form of text values; what is of no declared form is rejected, never guessed.

    Attributes:
        decimal: sign before the decimals of a number.
        thousands: sign between groups of three digits, which a number has between all or none.
        null: texts that mean NULL; the whole value, letter by letter.
        trim: blanks around a value, of any width, are taken off and counted; without it they
            reject the row.
    """

    decimal: Literal[".", ","] = "."
    thousands: Thousands | None = None
    null: tuple[str, ...] = ()
    trim: bool = False

    def under(self, own: TextForm | None) -> TextForm:
        """This form with what a field says of itself.

        Args:
            own: what stands at the field; only what is written there counts.
        """
        if own is None:
            return self
        said = {name: getattr(own, name) for name in own.model_fields_set}
        return self.model_copy(update=said)

    @property
    def normalises(self) -> bool:
        """Whether text is changed before it is read as its type."""
        return self.trim or bool(self.null)

    @property
    def grouped(self) -> bool:
        """Whether numbers are written in a form of their own."""
        return self.thousands is not None or self.decimal != "."

    @property
    def clashes(self) -> bool:
        """Whether decimals and thousands have the same sign."""
        return self.decimal == self.thousands

    @field_validator("null")
    @classmethod
    def _tokens(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not token or token != token.strip() for token in value):
            msg = "text.null: a token is a text without blanks around it; an empty one needs none"
            raise ValueError(msg)
        if len(set(value)) != len(value):
            msg = "text.null: a token stands twice"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _two_signs(self) -> TextForm:
        if self.clashes:
            msg = f"text.signs: decimal and thousands are both {self.decimal!r}"
            raise ValueError(msg)
        return self
