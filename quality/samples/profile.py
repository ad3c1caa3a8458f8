"""A sampled source as a draft: its columns, its key, by what it is read on, what orders it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import polars as pl

from onecard.base.blanks import BLANKS
from onecard.model.discovered import SampledColumn, SampledSource
from quality.rows.text_forms import NULL_WORDS
from quality.samples import field_names, keys
from quality.samples.guess import CodeGuess, ColumnGuess, SourceGuess
from quality.samples.known_words import KnownWords, is_mark_of_deletion, is_time_of_change
from quality.samples.meanings import Judges, is_header_of
from quality.samples.trial import ColumnTrial
from schemas.models import semantic
from schemas.models.contract import Field

ABSENT_WORDS = (*NULL_WORDS, "无", "空", "暂无", "—", "--", "-", "/")
"""Words for NULL of databases and of offices that are looked for among values."""
REQUIRED = 0.02
"""Share of empty values up to which a field is taken for required."""
_NO_KEY = ("person_name", "money", "rate", "fen", "sequence", "mobile", "bank_account", "text")


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
    guess = ColumnTrial(column, values.texts, judges)
    by: Literal["known", "values", "declared", "name"] = "known"
    field = next((f for k in known if (f := guess.as_known(k)) is not None), None)
    if field is None:
        by = (
            "name" if not len(values.texts) else "values" if source.family == "text" else "declared"
        )
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
        headed=by == "known" or is_header_of(source.name, field.semantic, values.texts),
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
        list(sample.rows), schema=dict.fromkeys(natives, pl.String()), orient="row"
    )
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


def _raised(guess: ColumnGuess, guesses: Sequence[ColumnGuess], key: Sequence[str]) -> ColumnGuess:
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
    return closed or (field.semantic == "instant" and is_time_of_change(field.native, field.title))


def _cursor(sample: SampledSource, guesses: Sequence[ColumnGuess], words: KnownWords) -> str | None:
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
