"""Checks of one field by itself: code list, format, length, blanks, controls, identifiers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from onecard.ports.row_gate import Reason
from quality.rows import identifiers
from quality.rows.identifiers import Divisions, RowMask
from quality.rows.text_forms import AROUND, NULL_WORDS, blank_around
from schemas.models.contract import Field

CONTROL = "text.control"
_CONTROL = r"[\x00-\x1f\x7f\x{fffd}]"

Kernel = Callable[[pl.Series, int], Mapping[str, RowMask]]
"""Aspects of a column on a day (yyyymmdd): True where the value is right."""


@dataclass(frozen=True, slots=True)
class FieldCheck:
    """One check: its reason, and an expression over the typed column, true where it is broken."""

    reason: Reason
    broken: pl.Expr


def may_hold_null_word(field: Field) -> bool:
    """Whether a word that stands for NULL elsewhere would be a right value of the field."""
    kind = field.semantic_type
    if field.type != "string" or field.codes or kind.validator:
        return False
    words = pl.Series(NULL_WORDS)
    return not kind.pattern or bool(words.str.contains(rf"\A(?:{kind.pattern})\z").any())


def field_checks(field: Field) -> list[FieldCheck]:
    """A text field's checks: one defect has one reason.

    A value outside its code list or of the wrong format has that reason alone for whatever
    characters it holds. Where an identifier's kernel judges the format, the kernel stands alone.
    """
    column, kind = pl.col(field.name), field.semantic_type
    if field.type != "string":
        return []
    checks: list[FieldCheck] = []

    def add(rule: str, broken: pl.Expr) -> None:
        checks.append(FieldCheck(Reason(field.name, rule), broken))

    if field.codes:
        add("codes", ~column.is_in(list(field.allowed)))
    elif kind.pattern:
        right = column.str.contains(rf"\A(?:{kind.pattern})\z")
        add(f"{field.semantic}.format", ~right)
        add(CONTROL, right & column.str.contains(_CONTROL))
        add(AROUND, right & blank_around(column))
    elif not kind.validator:
        add(CONTROL, column.str.contains(_CONTROL))
        add(AROUND, blank_around(column))
    if field.max_length and not (field.codes or kind.validator):
        add("max_length", column.str.len_chars() > field.max_length)
    return checks


def kernel(field: Field, known: Divisions) -> Kernel | None:
    """The vectorised check of an identifier; None for other fields."""
    if field.type != "string":
        return None
    validator = field.semantic_type.validator
    if validator == "id_number":
        return lambda values, today: identifiers.id_number(values, today, known)
    if validator == "uscc":
        return lambda values, _today: identifiers.uscc(values)
    if validator == "bank_account":
        return lambda values, _today: identifiers.bank_account(values)
    return None
