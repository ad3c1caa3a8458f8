"""What a text column's values must be, or are read as, and the same as the library reads it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import types

Marks = npt.NDArray[np.uint8]
"""A byte each."""


class Kind(IntEnum):
    """How a text is checked."""

    TEXT = 0
    AUTOMATON = 1
    ID_NUMBER = 2
    CREDIT_CODE = 3
    ACCOUNT = 4
    ENCODED = 5


class Form(IntEnum):
    """As what a text is parsed; a clock time is one of Beijing."""

    INTEGER = 0
    NUMBER = 1
    DATE = 2
    INSTANT = 3
    CLOCK = 4


class DatePart(IntEnum):
    """Parts of a date's form; 0 stands for a character of its own."""

    YEAR = 1
    MONTH = 2
    DAY = 3
    HOUR = 4
    MINUTE = 5
    SECOND = 6


_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64


class _Words(ctypes.Structure):
    _fields_ = (("number", _NUMBER), ("text", _POINTER), ("ends", _POINTER))


class _Automaton(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("next", "signs", "accepts")),
        *((name, _NUMBER) for name in ("start", "loop", "longest")),
    )


class _TextCheck(ctypes.Structure):
    _fields_ = (
        *((name, _NUMBER) for name in ("kind", "required", "ends", "least", "most")),
        ("shape", _POINTER),
        ("null_words", _Words),
        ("tokens", _Words),
        *((name, _POINTER) for name in ("blanks", "table", "letters", "weights")),
        *((name, _NUMBER) for name in ("earliest", "shortest", "longest")),
    )


class _TextParse(ctypes.Structure):
    _fields_ = (
        *((name, _NUMBER) for name in ("kind", "required", "point", "whole", "scale", "steps")),
        ("form", _POINTER),
        ("tokens", _Words),
    )


@dataclass(frozen=True, slots=True)
class Shape:
    """An automaton over bytes, as `onecard_check_texts` reads it.

    Attributes:
        next: uint32, by state (times the number of signs) plus sign.
        signs: uint8, by byte.
        accepts: uint8, by state.
        start: state, times the number of signs.
        loop: there is one state beside the dead one, accepted, where sign 1, the only one, stays.
        longest: bytes; -1: any number.
    """

    next: npt.NDArray[np.uint32]
    signs: Marks
    accepts: Marks
    start: int
    loop: bool
    longest: int


@dataclass(frozen=True, slots=True)
class TextCheck:
    """What a text column's values must be.

    Attributes:
        required: NULL is doubted.
        ends: a blank or a control at an end is doubted.
        least: characters, for automata.
        most: characters; -1: any number.
        null_words: are counted.
        tokens: stand for NULL.
        blanks: a bit by code point below 65536.
        table: of ID numbers uint8 by division (0 unlisted, 1 known, 2 refused), of credit codes
            uint8 by byte.
        letters: of ID numbers the check character by remainder.
        weights: int32, of the first 17 characters.
        earliest: birth, yyyymmdd.
        digits: fewest and most of an account.
    """

    kind: Kind
    required: bool = False
    ends: bool = False
    least: int = 0
    most: int = -1
    shape: Shape | None = None
    null_words: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    blanks: bytes = bytes(8192)
    table: Marks | None = None
    letters: bytes = b""
    weights: npt.NDArray[np.int32] | None = None
    earliest: int = 0
    digits: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class TextParse:
    """What a text column's values are read as.

    Attributes:
        kind: the form.
        type: of the column that comes of it.
        required: NULL is doubted.
        point: before decimals.
        steps: of a date's form: a part and whether it may have one digit, or 0 and a byte.
        tokens: stand for NULL.
    """

    kind: Form
    type: pa.DataType
    required: bool = False
    point: str = "."
    steps: tuple[tuple[int, int], ...] = ()
    tokens: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compiled:
    """A check or a form as the library reads it, with the memory that it points to."""

    struct: ctypes.Structure
    type: pa.DataType = field(default_factory=pa.string_view)
    marks_unlisted: bool = False
    kept: list[Any] = field(default_factory=list, repr=False)


def compile_check(check: TextCheck) -> Compiled:
    """A check as the library reads it."""
    kept: list[Any] = []
    shape = None
    if check.shape is not None:
        accepts = np.zeros(len(check.shape.next), np.uint8)
        accepts[:: len(accepts) // len(check.shape.accepts)] = check.shape.accepts
        tables = (check.shape.next, check.shape.signs, accepts)
        pointers = [_pointer(table, kept) for table in tables]
        shape = _Automaton(*pointers, check.shape.start, check.shape.loop, check.shape.longest)
        kept.append(shape)
    struct = _TextCheck(
        check.kind,
        check.required,
        check.ends,
        check.least,
        check.most,
        None if shape is None else ctypes.addressof(shape),
        _words(check.null_words, kept),
        _words(check.tokens, kept),
        _pointer(np.frombuffer(check.blanks, np.uint8), kept),
        None if check.table is None else _pointer(check.table, kept),
        _pointer(np.frombuffer(check.letters, np.uint8), kept),
        None if check.weights is None else _pointer(check.weights, kept),
        check.earliest,
        *check.digits,
    )
    return Compiled(struct, marks_unlisted=check.kind == Kind.ID_NUMBER, kept=kept)


def compile_parse(parse: TextParse) -> Compiled:
    """A form as the library reads it."""
    kept: list[Any] = []
    steps = np.array(parse.steps, np.uint8).reshape(-1)
    number = types.is_decimal128(parse.type)
    scale = parse.type.scale if number else 0
    struct = _TextParse(
        parse.kind,
        parse.required,
        ord(parse.point),
        parse.type.precision - scale if number else 0,
        scale,
        len(parse.steps),
        _pointer(steps, kept),
        _words(parse.tokens, kept),
    )
    return Compiled(struct, parse.type, kept=kept)


def _words(listed: Sequence[str], kept: list[Any]) -> _Words:
    texts = [text.encode() for text in listed]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    joined = np.frombuffer(b"".join(texts) or b"\0", np.uint8)
    return _Words(len(texts), _pointer(joined, kept), _pointer(ends, kept))


def _pointer(table: npt.NDArray[Any], kept: list[Any]) -> int:
    whole = np.ascontiguousarray(table)
    kept.append(whole)
    return int(whole.ctypes.data)
