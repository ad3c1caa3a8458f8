"""Values of files, and what is to arrive; see `type_samples`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tests.connectors.type_samples import AS_DATES, AS_TIMES, LONG, Arrives


@dataclass(frozen=True)
class Written:
    """A column of Parquet as a writer left it.

    Attributes:
        name: as the table of types calls it.
        column: its values.
        says: each value in words, for the page.
        options: of pyarrow's writer.
        zone: the contract's `timezone`.
    """

    name: str
    column: pa.Array
    says: tuple[str, ...]
    arrives: Mapping[str, Arrives] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    zone: str | None = None


def _times(kind: pa.DataType) -> pa.Array:
    naive = [
        datetime(2024, 1, 2, 3, 4, 5, 123456 if kind.unit != "ms" else 123000),
        datetime(2024, 1, 2),
        datetime(1900, 1, 1),
        datetime(1988, 7, 1),
        datetime(1988, 9, 11, 1, 30),
    ]
    return pa.array(naive, kind)


SAYS_TIMES = (
    "2024-01-02 03:04:05.123456",
    "2024-01-02 00:00:00",
    "1900-01-01 00:00:00",
    "1988-07-01 00:00:00",
    "1988-09-11 01:30:00",
)
LOCAL = {"date": AS_DATES, "timestamp": AS_TIMES}
AS_UTC: dict[str, Arrives] = {
    "date": (None, None, None, None, None),
    "timestamp": (
        "2024-01-02T11:04:05.123456+08:00",
        "2024-01-02T08:00:00+08:00",
        "1900-01-01T08:00:00+08:00",
        "1988-07-01T08:00:00+08:00",
        "1988-09-11T09:30:00+08:00",
    ),
}
OLD = {"use_deprecated_int96_timestamps": True}
DAYS = (date(2024, 2, 29), date(1900, 1, 1), date(1988, 7, 1))
SAYS_DAYS = ("2024-02-29", "1900-01-01", "1988-07-01", "day 2932897 (10000-01-01)")
AS_DAYS: dict[str, Arrives] = {
    "date": ("2024-02-29", "1900-01-01", "1988-07-01", None),
    "timestamp": (
        "2024-02-29T00:00:00+08:00",
        "1900-01-01T00:00:00+08:00",
        "1988-07-01T00:00:00+08:00",
        None,
    ),
}
TEXTS = ("abc", "1", "-1.50", "2024-02-29", "2024-02-29T08:00:00+08:00")
AS_TEXT: dict[str, Arrives] = {
    "string": TEXTS,
    "integer": (None, "1", None, None, None),
    "number": (None, "1", "-1.50", None, None),
    "date": (None, None, None, "2024-02-29", None),
    "timestamp": (None, None, None, None, "2024-02-29T08:00:00+08:00"),
}


def _text(name: str, column: pa.Array, **options: Any) -> Written:
    return Written(name, column, TEXTS, AS_TEXT, options)


def _whole(kind: pa.DataType, *values: int) -> Written:
    same = tuple(map(str, values))
    arrives = {"string": same, "integer": same, "number": same}
    return Written(str(kind), pa.array(values, kind), same, arrives)


def _long(kind: pa.DataType) -> Written:
    some: dict[str, Arrives] = {
        "string": LONG[:2],
        "integer": (None, LONG[1]),
        "number": LONG[:2],
    }
    return Written(str(kind), pa.array([int(v) for v in LONG[:2]], kind), LONG[:2], some)


def _decimal(name: str, kind: pa.DataType, **options: Any) -> Written:
    values = ("1.50", "7.00", "-0.01")
    arrives: dict[str, Arrives] = {
        "string": values,
        "integer": (None, "7", None),
        "number": values,
    }
    return Written(name, pa.array(map(Decimal, values), kind), values, arrives, options)


def _refused(column: pa.Array, name: str = "", **options: Any) -> Written:
    return Written(name or str(column.type), column, ("a value",), {}, options)


UUID = "0d9e2fa4-7a1a-4a5f-9d6a-0f1f0a2b3c4d"
PARQUET: tuple[Written, ...] = (
    _text("string", pa.array(TEXTS)),
    _text("string, dictionary", pa.array(TEXTS).dictionary_encode()),
    _text("large_string", pa.array(TEXTS, pa.large_string())),
    _text("string_view", pa.array(TEXTS, pa.string_view())),
    _text("string without Arrow's schema", pa.array(TEXTS), store_schema=False, version="1.0"),
    Written(
        "null",
        pa.nulls(1),
        ("nothing",),
        {
            "string": ("NULL",),
            "integer": ("NULL",),
            "number": ("NULL",),
            "date": ("NULL",),
            "timestamp": ("NULL",),
        },
    ),
    _whole(pa.int8(), -128, 127),
    _whole(pa.int16(), -32768, 32767),
    _whole(pa.int32(), -2147483648, 2147483647),
    _whole(pa.uint8(), 0, 255),
    _whole(pa.uint16(), 0, 65535),
    _whole(pa.uint32(), 0, 4294967295),
    _long(pa.int64()),
    Written(
        "uint64",
        pa.array([18446744073709551615, 5], pa.uint64()),
        ("18446744073709551615", "5"),
        {
            "string": ("18446744073709551615", "5"),
            "integer": (None, "5"),
            "number": ("18446744073709551615", "5"),
        },
    ),
    _decimal("decimal128(9, 2)", pa.decimal128(9, 2)),
    _decimal("decimal128(9, 2), as int32", pa.decimal128(9, 2), store_decimal_as_integer=True),
    _decimal("decimal256(60, 2)", pa.decimal256(60, 2)),
    _decimal("decimal64(12, 2)", pa.decimal64(12, 2)),
    Written("bool", pa.array([True, False]), ("true", "false"), {"string": ("true", "false")}),
    Written(
        "uuid",
        pa.ExtensionArray.from_storage(
            pa.uuid(), pa.array([bytes.fromhex(UUID.replace("-", ""))], pa.binary(16))
        ),
        (UUID,),
        {"string": (UUID,)},
    ),
    Written(
        "time32[ms]",
        pa.array([time(9, 5), time(23, 59, 59, 500_000)], pa.time32("ms")),
        ("09:05:00", "23:59:59.5"),
        {"string": ("09:05:00", "23:59:59.5")},
    ),
    Written(
        "time64[us]",
        pa.array([time(9, 5), time(23, 59, 59, 123_456)], pa.time64("us")),
        ("09:05:00", "23:59:59.123456"),
        {"string": ("09:05:00", "23:59:59.123456")},
    ),
    Written(
        "date32[day]",
        pa.array([(d - date(1970, 1, 1)).days for d in DAYS] + [2_932_897], pa.int32()).cast(
            pa.date32()
        ),
        SAYS_DAYS,
        AS_DAYS,
    ),
    Written(
        "timestamp[us, UTC]",
        pa.array(
            [
                datetime.fromisoformat("2024-01-02T03:04:05.123456+00:00"),
                datetime.fromisoformat("2024-01-01T16:00:00+00:00"),
            ],
            pa.timestamp("us", "UTC"),
        ),
        ("2024-01-02 03:04:05.123456 UTC", "2024-01-01 16:00:00 UTC"),
        {
            "date": (None, "2024-01-02"),
            "timestamp": ("2024-01-02T11:04:05.123456+08:00", "2024-01-02T00:00:00+08:00"),
        },
    ),
    Written(
        "timestamp[ns, UTC]",
        pa.array([1_704_164_645_123_456_000, 1_704_164_645_123_456_001], pa.int64()).cast(
            pa.timestamp("ns", "UTC")
        ),
        ("2024-01-02 03:04:05.123456 UTC", "the same and one nanosecond"),
        {"date": (None, None), "timestamp": ("2024-01-02T11:04:05.123456+08:00", None)},
    ),
    Written("timestamp[us] without zone", _times(pa.timestamp("us")), SAYS_TIMES),
    Written(
        "timestamp[us] without zone, timezone: Asia/Shanghai",
        _times(pa.timestamp("us")),
        SAYS_TIMES,
        LOCAL,
        zone="Asia/Shanghai",
    ),
    Written(
        "timestamp[us] without zone, timezone: UTC",
        _times(pa.timestamp("us")),
        SAYS_TIMES,
        AS_UTC,
        zone="UTC",
    ),
    Written("INT96", _times(pa.timestamp("us")), SAYS_TIMES, options=OLD),
    Written(
        "INT96, timezone: Asia/Shanghai",
        _times(pa.timestamp("us")),
        SAYS_TIMES,
        LOCAL,
        OLD,
        "Asia/Shanghai",
    ),
    Written("INT96, timezone: UTC", _times(pa.timestamp("us")), SAYS_TIMES, AS_UTC, OLD, "UTC"),
    Written(
        "INT96 far away, timezone: UTC",
        pa.array([datetime(1500, 1, 1), datetime(9999, 12, 31, 15, 59, 59)], pa.timestamp("us")),
        ("1500-01-01 00:00:00", "9999-12-31 15:59:59"),
        {
            "date": (None, None),
            "timestamp": ("1500-01-01T08:00:00+08:00", "9999-12-31T23:59:59+08:00"),
        },
        OLD,
        "UTC",
    ),
    Written(
        "INT96 with nanoseconds, timezone: UTC",
        pa.array([1_704_164_645_123_456_000, 1_704_164_645_123_456_001], pa.int64()).cast(
            pa.timestamp("ns")
        ),
        ("2024-01-02 03:04:05.123456", "the same and one nanosecond"),
        {"date": (None, None), "timestamp": ("2024-01-02T11:04:05.123456+08:00", None)},
        OLD,
        "UTC",
    ),
    _refused(pa.array([0.5], pa.float16())),
    _refused(pa.array([123456.78], pa.float32())),
    _refused(pa.array([0.1], pa.float64())),
    _refused(pa.array([b"a"], pa.binary())),
    _refused(pa.array([b"a"], pa.binary_view())),
    _refused(pa.array([b"ab"], pa.binary(2))),
    _refused(pa.array([[1]], pa.list_(pa.int64()))),
    _refused(pa.array([[1]], pa.list_(pa.int64(), 1))),
    _refused(pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))),
    _refused(pa.array([{"a": 1}])),
    _refused(pa.array([1], pa.int64()).cast(pa.duration("us"))),
    _refused(pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"])), "json"),
    _refused(pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1], pa.int8())), "bool8"),
)


@dataclass(frozen=True)
class Value:
    """A value of a text file, as it stands there, and what comes of it."""

    name: str
    written: str
    arrives: Mapping[str, str | None]


def _value(name: str, written: str, **arrives: str) -> Value:
    kinds = ("string", "integer", "number", "date", "timestamp")
    return Value(name, written, {k: arrives.get(k) for k in kinds})


CSV: tuple[Value, ...] = (
    _value("text", "abc", string="abc"),
    _value("text", "1", string="1", integer="1", number="1"),
    _value("text", "-0012.50", string="-0012.50", number="-12.50"),
    _value("text", "1.0", string="1.0", number="1"),
    _value("text", "1e3", string="1e3"),
    _value("text", "NaN", string="NaN"),
    _value("text", "true", string="true"),
    _value("text", "2024-02-29", string="2024-02-29", date="2024-02-29"),
    _value("text", "2024-02-30", string="2024-02-30"),
    _value(
        "text",
        "2024-02-29T08:00:00+08:00",
        string="2024-02-29T08:00:00+08:00",
        timestamp="2024-02-29T08:00:00+08:00",
    ),
    _value("text", "2024-02-29 08:00:00", string="2024-02-29 08:00:00"),
    _value(
        "text",
        "1900-01-01T00:00:00Z",
        string="1900-01-01T00:00:00Z",
        timestamp="1900-01-01T08:00:00+08:00",
    ),
)

JSON: tuple[Value, ...] = (
    _value("string", '"abc"', string="abc"),
    _value("string", '"1"', string="1", integer="1", number="1"),
    _value("string", '"1.0"', string="1.0", number="1"),
    _value("string", '"1e3"', string="1e3"),
    _value("string", '"2024-02-29"', string="2024-02-29", date="2024-02-29"),
    _value(
        "string",
        '"2024-02-29T00:00:00Z"',
        string="2024-02-29T00:00:00Z",
        timestamp="2024-02-29T08:00:00+08:00",
    ),
    _value("number", "1", string="1", integer="1", number="1"),
    _value("number", "1.0", string="1.0", integer="1", number="1"),
    _value("number", "1e3", string="1e3", integer="1000", number="1000"),
    _value("number", "1.5", string="1.5", number="1.5"),
    _value("number", "15e-1", string="15e-1", number="1.5"),
    _value("number", "-0", string="-0", integer="0", number="0"),
    _value("number", "0.1", string="0.1", number="0.1"),
    _value(
        "number",
        "999999999999999999",
        string="999999999999999999",
        integer="999999999999999999",
        number="999999999999999999",
    ),
    _value(
        "number", "9223372036854775807", string="9223372036854775807", number="9223372036854775807"
    ),
    _value("number", "1e999", string="1e999"),
    _value("boolean", "true", string="true"),
    _value("object", '{"a": 1}'),
    _value("array", "[1]"),
)

SOAP: tuple[Value, ...] = (
    _value("xsd:string", "abc", string="abc"),
    _value("xsd:string", "1", string="1", integer="1", number="1"),
    _value("xsd:int", "-7", string="-7", integer="-7", number="-7"),
    _value("xsd:int", "+7", string="+7"),
    _value("xsd:decimal", "-0012.50", string="-0012.50", number="-12.50"),
    _value("xsd:decimal", "+1.50", string="+1.50"),
    _value("xsd:decimal", "1.0", string="1.0", number="1"),
    _value("xsd:double", "1.5E3", string="1.5E3"),
    _value("xsd:double", "INF", string="INF"),
    _value("xsd:boolean", "true", string="true"),
    _value("xsd:date", "2024-02-29", string="2024-02-29", date="2024-02-29"),
    _value("xsd:date", "2024-02-29+08:00", string="2024-02-29+08:00"),
    _value(
        "xsd:dateTime",
        "2024-02-29T08:00:00+08:00",
        string="2024-02-29T08:00:00+08:00",
        timestamp="2024-02-29T08:00:00+08:00",
    ),
    _value(
        "xsd:dateTime",
        "2024-02-29T00:00:00.123Z",
        string="2024-02-29T00:00:00.123Z",
        timestamp="2024-02-29T08:00:00.123000+08:00",
    ),
    _value("xsd:dateTime", "2024-02-29T08:00:00", string="2024-02-29T08:00:00"),
    _value(
        "nothing, or xsi:nil",
        "",
        string="NULL",
        integer="NULL",
        number="NULL",
        date="NULL",
        timestamp="NULL",
    ),
)
"""Of answers of web services, whose values come as texts whatever the schema calls them."""
