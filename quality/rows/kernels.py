"""What the compiled library looks for in a field's text: the field's own checks, none of its own.

Each kernel proves values right by the same lists, patterns and tables as the checks of
`fieldchecks` and `parsing`; it may doubt what these find right, never the reverse.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa

from onecard.base.blanks import BLANKS
from onecard.native.checks import (
    Compiled,
    DatePart,
    Form,
    Kind,
    Shape,
    TextCheck,
    TextParse,
    compile_check,
    compile_parse,
)
from quality.rows import automata, identifiers
from quality.rows.automata import Automaton
from quality.rows.fieldchecks import may_hold_null_word
from quality.rows.identifiers import Divisions
from quality.rows.text_forms import NULL_WORDS, may_have_one_digit, written
from schemas.models.contract import Field
from schemas.models.text_form import TextForm

_PARTS = {
    "%Y": DatePart.YEAR,
    "%m": DatePart.MONTH,
    "%d": DatePart.DAY,
    "%H": DatePart.HOUR,
    "%M": DatePart.MINUTE,
    "%S": DatePart.SECOND,
}
_DATE_PARTS = frozenset(("%Y", "%m", "%d"))
_WIDEST = 38


def text_check(field: Field, form: TextForm, known: Divisions) -> Compiled | None:
    """The check of a field of text; None: what it asks is asked by Polars.

    Args:
        field: of type string.
        form: how its source writes text.
        known: lookup table of division codes.
    """
    kind = field.semantic_type
    made = None
    if field.codes:
        shape = automata.of_codes(tuple(dict.fromkeys(field.allowed)))
        made = TextCheck(Kind.AUTOMATON, shape=_shape(shape), ends=form.trim) if shape else None
    elif kind.validator:
        made = _identifier(kind.validator, known)
    elif kind.pattern:
        shape = automata.of_pattern(kind.pattern)
        made = _of_pattern(field, shape) if shape else None
    else:
        made = TextCheck(Kind.TEXT, ends=True, most=field.max_length or -1)
    return None if made is None else _compiled(made, field, form)


def encoded(field: Field, form: TextForm) -> Compiled:
    """The check of text that Polars then reads: it is UTF-8, and as the contract means it."""
    return _compiled(TextCheck(Kind.ENCODED, ends=form.trim), field, form)


def text_parse(field: Field, form: TextForm) -> Compiled | None:
    """How text becomes a field's type; None: Polars parses it.

    Args:
        field: of another type than string.
        form: how its source writes text.
    """
    steps: tuple[tuple[int, int], ...] | None = ()
    kind, made = Form.INTEGER, pa.int64()
    if field.type == "number":
        kind = Form.NUMBER
        made = pa.decimal128(field.precision or _WIDEST, field.scale or 0)
    elif field.type == "date":
        kind, made = Form.DATE, pa.date32()
        steps = _steps(field.format, clock=False)
    elif field.type == "timestamp":
        kind, made = Form.CLOCK if field.format else Form.INSTANT, pa.timestamp("us", "UTC")
        steps = _steps(field.format, clock=True) if field.format else ()
    if steps is None:
        return None
    parse = TextParse(kind, made, field.required, form.decimal, steps, form.null)
    return compile_parse(parse)


def _compiled(check: TextCheck, field: Field, form: TextForm) -> Compiled:
    words = NULL_WORDS if may_hold_null_word(field) else ()
    return compile_check(
        replace(
            check, required=field.required, null_words=words, tokens=form.null, blanks=_blanks()
        )
    )


def _of_pattern(field: Field, shape: Automaton) -> TextCheck:
    bounds = [most for most in (shape.most, field.max_length or -1) if most >= 0]
    return TextCheck(
        Kind.AUTOMATON,
        ends=True,
        least=shape.least,
        most=min(bounds, default=-1),
        shape=_shape(shape),
    )


def _identifier(validator: str, known: Divisions) -> TextCheck:
    if validator == "id_number":
        return TextCheck(
            Kind.ID_NUMBER,
            table=known,
            letters=identifiers.ID_CHECK.tobytes(),
            weights=identifiers.ID_WEIGHTS.astype(np.int32),
            earliest=identifiers.EARLIEST_BIRTH,
        )
    if validator == "uscc":
        return TextCheck(
            Kind.CREDIT_CODE,
            table=identifiers.USCC_VALUE,
            weights=identifiers.USCC_WEIGHTS.astype(np.int32),
        )
    widths = identifiers.ACCOUNT_WIDTHS
    return TextCheck(Kind.ACCOUNT, digits=(widths.start, widths.stop - 1))


def _shape(found: Automaton) -> Shape:
    return Shape(found.next, found.signs, found.accepts, found.start, found.loops, found.longest)


@cache
def _blanks() -> bytes:
    bits = np.zeros(65536, np.uint8)
    bits[[ord(blank) for blank in BLANKS]] = 1
    return np.packbits(bits, bitorder="little").tobytes()


def _steps(form: str | None, *, clock: bool) -> tuple[tuple[int, int], ...] | None:
    """A date's form, step by step; None where it lacks a part, or has one that is not known."""
    lenient, form = form is not None, form or "%Y-%m-%d"
    if written(form) is None:
        return None
    parts = re.findall(r"%.|[^%]+", form, re.DOTALL)
    named = [part for part in parts if part in _PARTS]
    wanted = frozenset(_PARTS) if clock else _DATE_PARTS
    if len(named) != len(wanted) or frozenset(named) != wanted:
        return None
    steps: list[tuple[int, int]] = []
    for place, part in enumerate(parts):
        if part in _PARTS:
            steps.append((_PARTS[part], int(lenient and may_have_one_digit(parts, place))))
        else:
            literal = "%" if part == "%%" else part
            steps += [(0, byte) for byte in literal.encode()]
    return tuple(steps)
