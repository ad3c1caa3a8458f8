"""Values of a database as Arrow columns: a bad one costs its row, not its chunk."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

import pyarrow as pa

from connectors.common.instants import zoned
from onecard.model.source_types import SourceType
from schemas.models.contract import LogicalType

ENCODING = "record.encoding"
EXACT_DIGITS = 15
"""Decimal digits that a double keeps whatever they are (IEEE 754, binary64)."""
_EXACT_BELOW = 10.0**EXACT_DIGITS
_CLOCK = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(?:\.(\d+))?)?( ?[+-]\d\d(?::?\d\d)?|Z)?"
)
"""A time in ISO 8601: day, seconds, their fraction, offset."""
MICROSECONDS = 6
IN_WRITING = ("iso", "iso_utc", "digits", "lob")
"""Ways of asking of which nothing is right before it was looked at here."""
NATURAL: Mapping[str, LogicalType] = {
    "date": "date",
    "timestamp": "timestamp",
    "integer": "integer",
    "long": "number",
    "decimal": "number",
}
"""Family → what it is where no field says what is wanted; else text."""


class Undecoded(bytes):
    """A text whose bytes are none in its encoding."""


class NotOfType(ValueError):
    """A value that is none of its column's type."""


@dataclass(slots=True)
class Cells:
    """A column of one chunk.

    Attributes:
        array: with NULL where a value is in `unread` or its row in `damaged`.
        unread: row offset → value as text.
        damaged: row offset → rule.
    """

    array: pa.Array
    unread: dict[int, str] = field(default_factory=dict)
    damaged: dict[int, str] = field(default_factory=dict)


def typed(values: Sequence[Any], kind: SourceType, wanted: LogicalType, zone: str) -> Cells:
    """A column of a known type, as a field of the wanted type takes it.

    Args:
        values: as the driver gave them.
        kind: the column's type.
        wanted: the field's.
        zone: of times without one.
    """
    if kind.read == "lob":
        values = [v.read() if hasattr(v, "read") else v for v in values]
    if kind.read in ("iso", "iso_utc"):
        return _written(values, kind, wanted, zone)
    if kind.read == "digits":
        return _converted(values, _Never, pa.string(), partial(_digits, wanted))
    if kind.family == "timestamp":
        found = _converted(values, datetime, pa.timestamp("us"), _only(datetime))
        found.array = zoned(found.array, "UTC" if kind.read == "utc" else zone)
        return found
    if kind.family == "date":
        return _converted(values, date, pa.date32(), _only(date))
    if kind.family in ("integer", "long", "bits") and kind.read != "text":
        try:
            return _converted(values, int, pa.int64(), _only(int))
        except OverflowError:  # half of the unsigned ones: as text
            pass
    convert = _loose if kind.family == "loose" else _plain
    return _converted(values, str, pa.string(), partial(convert, wanted))


class _Never:
    """The type of no value: all are looked at one by one."""


def _written(values: Sequence[Any], kind: SourceType, wanted: LogicalType, zone: str) -> Cells:
    """Times that were asked for in writing; a day may have hours in some modes of a database."""
    hours = wanted == "timestamp" and any(isinstance(v, str) and ":" in v for v in values)
    if kind.family == "date" and not hours:
        return _converted(values, _Never, pa.date32(), _day)
    if kind.read == "iso_utc":
        found = _converted(values, _Never, pa.timestamp("us"), _utc)
        found.array = zoned(found.array, "UTC")
        return found
    found = _converted(values, _Never, pa.timestamp("us"), _clock)
    found.array = zoned(found.array, zone)
    return found


def _clock(value: object) -> datetime:
    """A clock time; what lies between two microseconds is none that could be kept."""
    parts = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if parts is None or parts[4]:
        raise NotOfType
    return _moment(parts)


def _utc(value: object) -> datetime:
    """An instant as clock time of UTC; without an offset it is that already."""
    parts = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if parts is None:
        raise NotOfType
    found = _moment(parts, (parts[4] or "").strip())
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def _moment(parts: re.Match[str], offset: str = "") -> datetime:
    fraction = parts[3] or ""
    if fraction[MICROSECONDS:].strip("0"):
        raise NotOfType
    second = f"{parts[2] or '00:00:00'}.{fraction[:MICROSECONDS] or '0'}"
    try:
        return datetime.fromisoformat(f"{parts[1]}T{second}{offset}")
    except (ValueError, OverflowError):
        raise NotOfType from None


def _day(value: object) -> date:
    found = _clock(value)
    if (found.hour, found.minute, found.second, found.microsecond) != (0, 0, 0, 0):
        raise NotOfType
    return found.date()


def _digits(wanted: LogicalType, value: object) -> str:
    """A number that was asked for in writing; `.5` and `1E+20` are written out."""
    try:
        return _plain(wanted, Decimal(value)) if isinstance(value, str) else _plain(wanted, value)
    except InvalidOperation:
        raise NotOfType from None


def _converted(
    values: Sequence[Any], usual: type, kind: pa.DataType, convert: Callable[[Any], Any]
) -> Cells:
    """A column of an Arrow type; at once where all values are of the usual Python type."""
    if set(map(type, values)) <= {usual, type(None)}:
        try:
            return Cells(pa.array(values, kind))
        except UnicodeError:
            pass
    unread: dict[int, str] = {}
    damaged: dict[int, str] = {}
    found: list[Any] = []
    for place, value in enumerate(values):
        try:
            found.append(None if value is None else convert(value))
        except UnicodeError:
            found.append(None)
            damaged[place] = ENCODING
        except NotOfType:
            found.append(None)
            unread[place] = _shown(value)
    return Cells(pa.array(found, kind), unread, damaged)


def _only(kind: type) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:  # noqa: ANN401 - a driver's value
        if type(value) is not kind:  # a datetime is a date to Python
            raise NotOfType
        return value

    return convert


def _plain(wanted: LogicalType, value: object) -> str:
    """What stands in a column of texts, whole numbers or decimals, as text."""
    if isinstance(value, Decimal):
        whole = wanted == "integer" and value.is_finite() and value == value.to_integral_value()
        return format(value.to_integral_value() if whole else value, "f")
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if not isinstance(value, str | int):
        raise NotOfType
    return _encodable(str(value))


def _loose(wanted: LogicalType, value: object) -> str:
    """What stands in a column of SQLite, where any value may be of any type, as text."""
    if isinstance(value, Undecoded):
        raise UnicodeError
    if isinstance(value, str):
        return _encodable(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and wanted in ("number", "integer"):
        return _decimal(wanted, value)
    raise NotOfType


def _decimal(wanted: LogicalType, value: float) -> str:
    """The decimal that was written, where a double cannot have lost any of its digits."""
    if not abs(value) < _EXACT_BELOW:
        raise NotOfType
    found = Decimal(repr(value)).normalize()
    if len(found.as_tuple().digits) > EXACT_DIGITS or (wanted == "integer" and found % 1):
        raise NotOfType
    return format(found, "f")


def _encodable(text: str) -> str:
    text.encode("utf-8")
    return text


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def as_it_is(values: Sequence[Any], zone: str) -> Cells:
    """A column of which nothing is known: Arrow's own types where it is uniform, else text.

    Args:
        values: as the driver gave them.
        zone: of times without one.
    """
    kinds = {type(v) for v in values if v is not None}
    if kinds == {datetime} and not any(v.tzinfo for v in values if v is not None):
        return Cells(zoned(pa.array(values, pa.timestamp("us")), zone))
    if len(kinds) == 1 and not kinds & {Decimal, timedelta, bytes, Undecoded, bool, float}:
        try:
            return Cells(pa.array(values))
        except (OverflowError, pa.ArrowInvalid, UnicodeError):
            pass
    return _converted(values, str, pa.string(), _any_text)


def _any_text(value: object) -> str:
    """A value as text: decimals plain, floats exact, bytes as UTF-8 (else UnicodeError)."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return repr(value) if isinstance(value, float) else _encodable(str(value))
