"""A sampled source as a draft: each column by what is known of it, what it declares, what it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import polars as pl

from onecard.base.blanks import BLANKS
from onecard.model.discovered import SampledColumn, SampledSource
from quality.rows.text_forms import NULL_WORDS
from quality.samples import code_lists, field_names, keys, text_types
from quality.samples.guess import CodeGuess, ColumnGuess, SourceGuess, TextType, is_enough
from quality.samples.known_words import KnownWords, is_mark_of_deletion, is_time_of_change
from quality.samples.meanings import Judges
from schemas.models import codes as lists
from schemas.models import semantic
from schemas.models.contract import Field, LogicalType
from schemas.models.text_form import Thousands

ABSENT_WORDS = (*NULL_WORDS, "无", "空", "暂无", "—", "--", "-", "/")
"""Words for NULL of databases and of offices that are looked for among values."""
REQUIRED = 0.005
"""Share of empty values up to which a field is taken for required."""
LENGTHS = (10, 20, 30, 50, 100, 200, 500, 1000, 4000)
"""Greatest lengths that are proposed."""
_IDENTIFIER = r"^[0-9A-Za-z_.-]{1,50}$"
_FEN = re.compile(r"[(（]分[)）]|(?:^|_)fen(?:$|_)", re.I)
_RATE = re.compile(r"比例|比率|税率|利率|(?:^|_)rate(?:$|_)", re.I)
_SEQUENCE = re.compile(r"(?:^|_)seq(?:uence)?(?:$|_)|序号", re.I)
_NO_KEY = ("person_name", "money", "rate", "fen", "sequence", "mobile", "bank_account", "text")
_NUMBERED = ("id_number", "mobile", "bank_account")
"""Numbers of persons that are found in columns of numbers, too."""


@dataclass(frozen=True, slots=True)
class _Values:
    """A column's values, and what was taken off them."""

    texts: pl.Series
    empty: int
    blanks: int
    null_words: tuple[str, ...]


def profile(sample: SampledSource, words: KnownWords, judges: Judges) -> SourceGuess:
    """Guess fields, key, cursor and sequence of a source.

    Args:
        sample: columns, keys and rows.
        words: of other contracts.
        judges: of semantic types.
    """
    columns = list(zip(*sample.rows, strict=True)) or [()] * len(sample.columns)
    found: list[ColumnGuess] = []
    refused: list[tuple[str, str]] = []
    for column, texts in zip(sample.columns, columns, strict=True):
        accepts = column.source.accepts
        if accepts is not None and not accepts.accepts:
            refused.append((column.source.name, f"{column.source.type}, which {accepts.why}"))
            continue
        found.append(_column(column, texts, words, judges))
    named = field_names.distinct(found)
    key, by = _key(sample, named)
    named = [_raised(g, named, key) for g in named]
    cursor = _cursor(sample, named, words)
    return SourceGuess(
        columns=tuple(named),
        refused=tuple(refused),
        key=key,
        key_by=by,
        cursor=cursor,
        sequence=_sequence(named, words),
        marks=tuple(
            g.field.name
            for g in named
            if g.distinct <= 3 and is_mark_of_deletion(g.field.native, g.field.title)
        ),
    )


def _column(
    column: SampledColumn, texts: Sequence[str | None], words: KnownWords, judges: Judges
) -> ColumnGuess:
    source, values = column.source, _values(texts)
    known = words.fields(source.name, column.title)
    guess = _Guess(column, values.texts, judges)
    by: Literal["known", "values", "declared", "name"] = "known"
    field = next((f for k in known if (f := guess.as_known(k)) is not None), None)
    if field is None:
        by = "name" if not len(values.texts) else "values" if source.family == "text" else "declared"
        meant = words.type_of_title(source.name, column.title)
        field = guess.by_type(meant) if meant else None
        field = field or guess.by_values()
    codes = guess.codes if not field.codes else CodeGuess()
    return ColumnGuess(
        field=field.model_copy(update={"required": _required(column, values)}),
        by=by,
        seen=len(values.texts),
        empty=values.empty,
        distinct=values.texts.n_unique() if len(values.texts) else 0,
        draft_codes=codes.draft if field.semantic == "code" else (),
        other_lists=codes.others if field.semantic in ("code", "text") else (),
        null_words=() if field.codes else values.null_words,
        blanks=values.blanks,
        thousands=guess.thousands if field.type in ("number", "integer") else None,
    )


def _values(texts: Iterable[str | None]) -> _Values:
    """Values without blanks around them and without words for NULL, where those are few kinds."""
    given = pl.Series("value", list(texts), pl.String())
    bare = given.str.strip_chars(BLANKS)
    blanks = int((bare != given).sum())
    filled = bare.filter(bare.is_not_null() & (bare != ""))
    absent = filled.is_in(list(ABSENT_WORDS))
    seen = tuple(sorted(filled.filter(absent).unique().to_list()))
    kept = filled.filter(~absent)
    return _Values(kept, len(given) - len(kept), blanks, seen)


class _Guess:
    """Tries what a column may be."""

    def __init__(self, column: SampledColumn, values: pl.Series, judges: Judges) -> None:
        self._column, self._values, self._judges = column, values, judges
        self.native, self.title = column.source.name, column.title
        self.codes = CodeGuess()
        self.thousands: Thousands | None = None

    def as_known(self, known: Field) -> Field | None:
        """The field as another contract has it, where the values agree; without values, as it is."""
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
        update = {
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
        """The field as its values look, else as it is declared."""
        family, values = self._column.source.family, self._values
        if family in ("integer", "number"):
            return self._by_number()
        if family in ("date", "timestamp"):
            kind = TextType(family)
            return self._field("date" if family == "date" else "instant", kind)
        moment = text_types.moment_type(values) if len(values) else None
        if moment is not None and moment.format != "%Y%m%d" and self._takes(moment.type):
            return self._field("date" if moment.type == "date" else "instant", moment)
        name = self._judges.telling(values) if len(values) else None
        if name is not None:
            return self._field(name, TextType())
        if code_lists.are_codes(values):
            return self._by_codes()
        number = text_types.number_type(values) if len(values) else None
        if moment is None and number is not None and self._takes(number.type):
            self.thousands = number.thousands
            return self._numeric(number)
        if moment is not None and self._takes(moment.type):
            return self._field("date", moment)
        if is_enough(values.str.contains(_IDENTIFIER).sum(), len(values)):
            return self._field("identifier", TextType())
        return self._field("text", TextType())

    def _by_number(self) -> Field:
        """A declared number: of a person, where the values are one; else an amount or a count."""
        source, values = self._column.source, self._values
        if len(values) and self._takes("string"):
            for name in _NUMBERED:
                if self._judges.are(values, name):
                    return self._field(name, TextType())
        whole = source.family == "integer" or source.scale == 0
        if whole and self._takes("integer") and (source.precision or 0) <= 18:
            return self._numeric(TextType("integer"))
        digits, scale = source.precision, source.scale
        if digits is None:
            return self._numeric(text_types.number_type(values) or TextType("number", None, None, 16, 2))
        return self._numeric(TextType("number", None, None, digits, scale or 0))

    def _numeric(self, kind: TextType) -> Field:
        words = f"{self.native} {self.title}"
        if kind.type == "integer":
            said = next((n for p, n in ((_FEN, "fen"), (_SEQUENCE, "sequence")) if p.search(words)), "")
            return self._field(said or "sequence", kind)
        if kind.type == "number" and kind.precision is None:
            kind = replace(kind, precision=text_types.USUAL_DIGITS, scale=2)
        return self._field("rate" if _RATE.search(words) else "money", kind)

    def _by_codes(self) -> Field:
        self.codes = code_lists.guessed(self._values, self.native, self.title)
        field = self._field("code", TextType())
        if self.codes.name is None:
            return field
        longest = max(map(len, lists.codes(self.codes.name)))
        length = max(longest, self._column.source.width or 0)
        return field.model_copy(update={"codes": (self.codes.name,), "max_length": length})

    def _text_type(self, wanted: LogicalType) -> TextType | None:
        """The form of the column as a type; None where its values are not of it."""
        source, values = self._column.source, self._values
        if wanted == "string":
            return TextType()
        if source.family == wanted and source.family != "text":
            number = wanted == "number"
            digits = source.precision if number else None
            scale = (source.scale or 0) if number and digits else None
            if number and digits is None:
                return text_types.number_type(values) or TextType("number", None, None, 16, 2)
            return TextType(wanted, None, None, digits, scale)
        if wanted in ("date", "timestamp"):
            found = text_types.moment_type(values)
            return found if found is not None and found.type == wanted else None
        number_found = text_types.number_type(values)
        if number_found is not None and (number_found.type == wanted or wanted == "number"):
            self.thousands = number_found.thousands
            if number_found.type == "integer":
                return TextType("number", None, None, text_types.USUAL_DIGITS, 2)
            return number_found
        if not is_enough(text_types.of_type(values, wanted), len(values)):
            return None
        digits_of = (text_types.USUAL_DIGITS, 2) if wanted == "number" else (None, None)
        return TextType(wanted, None, None, *digits_of)

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
        seen = int(self._values.str.len_chars().quantile(0.98, "higher") or 1)  # type: ignore[arg-type]
        fitting = next((length for length in LENGTHS if length >= seen), LENGTHS[-1])
        limits = [n for n in (own, width if width and width >= seen else None) if n]
        return min([*limits, LENGTHS[-1]]) if limits else fitting


def _required(column: SampledColumn, values: _Values) -> bool:
    if column.source.nullable is False:
        return True
    total = len(values.texts) + values.empty
    return column.source.always and bool(len(values.texts)) and values.empty <= REQUIRED * total


def _key(
    sample: SampledSource, guesses: Sequence[ColumnGuess]
) -> tuple[tuple[str, ...], Literal["primary key", "unique key", "sample", "nothing"]]:
    """The catalogue's own key, else the first fields that tell the rows of the sample apart."""
    by_native = {g.field.native: g for g in guesses}
    stated = [key for key in sample.keys if all(n in by_native for n in key)]
    for place, key in enumerate(stated):
        filled = all(by_native[n].field.required for n in key)
        if filled:
            names = tuple(by_native[n].field.name for n in key)
            return names, "primary key" if place == 0 else "unique key"
    natives = [c.source.name for c in sample.columns]
    frame = pl.DataFrame(
        sample.rows, schema=dict.fromkeys(natives, pl.String()), orient="row"
    ) if sample.rows else pl.DataFrame(schema=dict.fromkeys(natives, pl.String()))
    fitting = [g.field.native for g in guesses if _may_be_key(g)]
    found = keys.guessed(frame, fitting)
    if found:
        return tuple(by_native[n].field.name for n in found), "sample"
    filled_first = [g.field.name for g in guesses if g.field.required][:1]
    return tuple(filled_first or [g.field.name for g in guesses][:1]), "nothing"


def _may_be_key(guess: ColumnGuess) -> bool:
    field = guess.field
    plain = field.type in ("string", "integer")
    return plain and field.semantic not in _NO_KEY and not guess.blanks


def _raised(
    guess: ColumnGuess, guesses: Sequence[ColumnGuess], key: Sequence[str]
) -> ColumnGuess:
    """What stands beside a person's number is about a person, until somebody says it is not.

    A key is required, whatever the sample lacks.
    """
    field = guess.field
    update: dict[str, object] = {"required": True} if field.name in key else {}
    about = any(g.field.pii == "DI" for g in guesses)
    if about and guess.by != "known" and not _is_technical(field):
        update["level"] = max(field.level, "L3")
        update["pii"] = field.pii if field.pii != "NONE" else "PI"
    return replace(guess, field=field.model_copy(update=update)) if update else guess


def _is_technical(field: Field) -> bool:
    closed = semantic.semantic_type(field.semantic).closed and field.semantic != "code"
    return closed or (
        field.semantic == "instant" and is_time_of_change(field.native, field.title)
    )


def _cursor(
    sample: SampledSource, guesses: Sequence[ColumnGuess], words: KnownWords
) -> str | None:
    """A required time that dates the last change of a row, an indexed one before others.

    Files are read by what is new in their folder; an API where it has a parameter for the bound.
    """
    if sample.connector == "files" or (
        sample.connector == "rest" and "since_param" not in sample.options
    ):
        return None
    indexed = {c.source.name for c in sample.columns if c.indexed}
    fitting = [
        g.field
        for g in guesses
        if g.field.type == "timestamp"
        and g.field.required
        and (g.field.name in words.cursors or is_time_of_change(g.field.native, g.field.title))
    ]
    fitting.sort(key=lambda f: (not is_time_of_change(f.native, f.title), f.native not in indexed))
    return next((f.name for f in fitting), None)


def _sequence(guesses: Sequence[ColumnGuess], words: KnownWords) -> str | None:
    """A required whole number that other contracts order versions of a row by."""
    found = (
        g.field.name
        for g in guesses
        if g.field.type == "integer" and g.field.required and g.field.name in words.sequences
    )
    return next(found, None)


