"""What one column may be: as other contracts have it, as it is declared, as its values look."""

from __future__ import annotations

import re
from functools import cached_property

import polars as pl

from onecard.model.discovered import SampledColumn
from quality.samples import code_lists, text_types
from quality.samples.guess import CodeGuess, TextType, count_of, is_enough
from quality.samples.meanings import Judges
from schemas.models import codes as lists
from schemas.models import semantic
from schemas.models.contract import Field, LogicalType
from schemas.models.text_form import Thousands

LENGTHS = (10, 20, 30, 50, 100, 200, 500, 1000, 4000)
"""Greatest lengths that are proposed."""
MOST_WHOLE = 18
"""Digits of an integer of a contract."""
_IDENTIFIER = r"^[0-9A-Za-z_.-]{1,50}$"
_FEN = re.compile(r"[(（]分[)）]|(?:^|_)fen(?:$|_)", re.IGNORECASE)
_RATE = re.compile(r"比例|比率|税率|利率|(?:^|_)rate(?:$|_)", re.IGNORECASE)
_SEQUENCE = re.compile(r"(?:^|_)seq(?:uence)?(?:$|_)|序号", re.IGNORECASE)
_NUMBERED = ("id_number", "mobile", "bank_account")
"""Numbers of persons that are found in columns of numbers, too."""


class ColumnTrial:
    """Tries what a column may be."""

    def __init__(self, column: SampledColumn, values: pl.Series, judges: Judges) -> None:
        self._column, self._values, self._judges = column, values, judges
        self.native, self.title = column.source.name, column.title
        self.codes = CodeGuess()
        self.thousands: Thousands | None = None

    def as_known(self, known: Field) -> Field | None:
        """The field as another contract has it, where the values agree, or there are none."""
        if not self._takes(known.type):
            return None
        values, found = self._values, self._text_type(known.type)
        if len(values):
            if known.type == "string":
                if known.codes and not any(code_lists.holds(n, values) for n in known.codes):
                    return None
                if not self._judges.are(values, known.semantic):
                    return None
            elif found is None:
                return None
        made = self._field(known.semantic, found or TextType(known.type))
        update: dict[str, object] = {
            "name": known.name,
            "title": self.title or known.title,
            "level": known.level,
            "pii": known.pii,
            "spi": known.spi,
            "codes": known.codes,
        }
        if known.type == "string":
            update["max_length"] = max(made.max_length or 0, known.max_length or 0)
        return made.model_copy(update=update)

    def by_type(self, name: str) -> Field | None:
        """The field as a semantic type that the column's title names, where the values are it."""
        kind = semantic.semantic_type(name)
        checked = bool(kind.pattern or kind.validator)
        if checked and self._takes("string") and self._judges.are(self._values, name):
            return self._field(name, TextType())
        return None

    def by_values(self) -> Field:
        """The field as it is declared, or as its values look where it is declared as text."""
        family = self._column.source.family
        if family in ("integer", "number"):
            return self._by_number()
        if family in ("date", "timestamp"):
            return self._dated(TextType("date" if family == "date" else "timestamp"))
        tries = (
            self._as_moment,
            self._as_telling,
            self._as_decimal,
            self._as_codes,
            self._as_whole,
        )
        found = (field for ask in tries if (field := ask()) is not None)
        return next(found, None) or self._as_text()

    @cached_property
    def _moment(self) -> TextType | None:
        found = text_types.moment_type(self._values)
        return found if found is not None and self._takes(found.type) else None

    @cached_property
    def _number(self) -> TextType | None:
        found = None if self._moment else text_types.number_type(self._values)
        return found if found is not None and self._takes(found.type) else None

    def _as_moment(self) -> Field | None:
        """Eight digits may be anything: they are a date where nothing else is found."""
        moment = self._moment
        if moment is None or moment.format == text_types.DIGITS_OF_DAY:
            return None
        return self._dated(moment)

    def _as_telling(self) -> Field | None:
        name = self._judges.telling(self._values) if self._takes("string") else None
        return self._field(name, TextType()) if name else None

    def _as_decimal(self) -> Field | None:
        number = self._number
        if number is None or number.type != "number":
            return None
        self.thousands = number.thousands
        return self._numeric(number)

    def _as_codes(self) -> Field | None:
        whole = text_types.of_type(self._values, "integer")
        if _SEQUENCE.search(self.native) and is_enough(whole, len(self._values)):
            return self._numeric(TextType("integer")) if self._takes("integer") else None
        if not code_lists.are_codes(self._values) or self._moment is not None:
            return None
        self.codes = code_lists.guessed(self._values, self.native)
        field = self._field("code", TextType())
        if self.codes.name is None:
            return field
        longest = max(map(len, lists.codes(self.codes.name)))
        length = max(longest, self._column.source.width or 0)
        return field.model_copy(update={"codes": (self.codes.name,), "max_length": length})

    def _as_whole(self) -> Field | None:
        if self._moment is not None:
            return self._dated(self._moment)
        return self._numeric(self._number) if self._number is not None else None

    def _as_text(self) -> Field:
        values = self._values
        one = is_enough(count_of(values.str.contains(_IDENTIFIER)), len(values))
        return self._field("identifier" if one else "text", TextType())

    def _dated(self, kind: TextType) -> Field:
        return self._field("date" if kind.type == "date" else "instant", kind)

    def _by_number(self) -> Field:
        """A declared number: of a person, where the values are one; else an amount or a count."""
        source, values = self._column.source, self._values
        for name in _NUMBERED if self._takes("string") else ():
            if self._judges.are(values, name):
                return self._field(name, TextType())
        whole = source.family == "integer" or source.scale == 0
        if whole and self._takes("integer") and (source.precision or 0) <= MOST_WHOLE:
            return self._numeric(TextType("integer"))
        return self._numeric(self._declared_number())

    def _declared_number(self) -> TextType:
        """As it is declared; where no digits are, with room for what was seen."""
        source = self._column.source
        if source.precision is None:
            found = text_types.number_type(self._values)
            return found if found is not None and found.type == "number" else text_types.AMOUNT
        return TextType("number", None, None, source.precision, source.scale or 0)

    def _numeric(self, kind: TextType) -> Field:
        words = f"{self.native} {self.title}"
        if kind.type == "integer":
            return self._field("fen" if _FEN.search(words) else "sequence", kind)
        rate = _RATE.search(words) or text_types.are_below_one(self._values)
        return self._field("rate" if rate else "money", kind)

    def _text_type(self, wanted: LogicalType) -> TextType | None:
        """The form of the column as a type; None where its values are not of it."""
        family = self._column.source.family
        if wanted == "string":
            return TextType()
        if wanted == "number" and family in ("integer", "number"):
            return self._declared_number()
        if family == wanted:
            return TextType(wanted)
        found = text_types.as_type(self._values, wanted)
        self.thousands = found.thousands if found else None
        return found

    def _takes(self, kind: LogicalType) -> bool:
        return self._column.source.taken_for(kind)

    def _field(self, name: str, kind: TextType) -> Field:
        meaning = semantic.semantic_type(name)
        number = kind.type == "number"
        return Field(
            name="field",
            title=self.title or self.native,
            native=self.native,
            type=kind.type,
            semantic=name,
            level=meaning.level,
            pii=meaning.pii,
            format=kind.format,
            max_length=self._length(name) if kind.type == "string" else None,
            precision=(kind.precision or text_types.USUAL_DIGITS) if number else None,
            scale=(2 if kind.scale is None else kind.scale) if number else None,
        )

    def _length(self, name: str) -> int:
        """The type's own length, else the declared one, else one with room for what was seen."""
        own = semantic.semantic_type(name).max_length
        if own is not None and name not in ("identifier", "person_name"):
            return own
        width = self._column.source.width
        seen = int(self._values.str.len_chars().quantile(0.98, "higher") or 1)
        fitting = next((length for length in LENGTHS if length >= seen), LENGTHS[-1])
        limits = [n for n in (own, width if width and width >= seen else None) if n]
        return min([*limits, LENGTHS[-1]]) if limits else fitting
