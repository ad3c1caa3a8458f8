"""Values of databases that no server was at hand for, as their drivers give them for our questions.

What a server prints stands as `given`, by the maker's manuals: Oracle Database SQL Language
Reference 19c (Format Models, TM9), DM8 SQL 语言使用手册, Transact-SQL (CAST and CONVERT, style 121).
What comes of it was written by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.connectors.type_samples import TEXT, Arrives


@dataclass(frozen=True)
class Given:
    """One type.

    Attributes:
        name: as the table of types calls it.
        told: what the catalogue says of the column.
        given: values as the driver gives them.
        arrives: logical type → what comes of each.
    """

    name: str
    told: Mapping[str, Any]
    given: Sequence[Any]
    arrives: Mapping[str, Arrives] = field(default_factory=dict)


class Lob:
    """A large text as some drivers give it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def read(self) -> str:
        return self._text


def whole(name: str, told: Mapping[str, Any], *given: Any) -> Given:
    same = tuple(str(v) for v in given)
    return Given(name, told, given, {"string": same, "integer": same, "number": same})


def texts(name: str, told: Mapping[str, Any], *, lob: bool = False) -> Given:
    plain = TEXT["string"]
    return Given(name, told, [Lob(str(v)) if lob else v for v in plain], TEXT)


def refused(name: str, told: Mapping[str, Any]) -> Given:
    return Given(name, told, [b"\0"], {})


def timed(name: str, told: Mapping[str, Any], more: Sequence[tuple[str, str | None]] = ()) -> Given:
    """Clock times in writing; what is no time, or lies between microseconds, costs its row."""
    pairs: list[tuple[str, str | None]] = [
        ("2024-01-02 03:04:05.123456", "2024-01-02T03:04:05.123456+08:00"),
        ("2024-01-02 03:04:05.123456000", "2024-01-02T03:04:05.123456+08:00"),
        ("2024-01-02 03:04:05.123456789", None),
        ("2024-01-02 00:00:00", "2024-01-02T00:00:00+08:00"),
        ("1900-01-01 00:00:00", "1900-01-01T00:00:00+08:00"),
        ("1988-07-01 00:00:00", "1988-06-30T23:00:00+08:00"),
        ("before the year 1", None),
        *more,
    ]
    days: Arrives = (None, None, None, "2024-01-02", "1900-01-01", "1988-07-01", None)
    return Given(
        name,
        told,
        [value for value, _ in pairs],
        {
            "timestamp": tuple(found for _, found in pairs),
            "date": days + (None,) * len(more),
        },
    )


def instants(name: str, told: Mapping[str, Any]) -> Given:
    return Given(
        name,
        told,
        ["2024-01-01 19:04:05.123456000", "2024-01-01 16:00:00.000", "before the year 1"],
        {
            "timestamp": ("2024-01-02T03:04:05.123456+08:00", "2024-01-02T00:00:00+08:00", None),
            "date": (None, "2024-01-02", None),
        },
    )


DIGITS = (".5", "-.0001", "123456789012345678.1234", "7", "1E+3")
NUMBERS: dict[str, Arrives] = {
    "string": ("0.5", "-0.0001", "123456789012345678.1234", "7", "1000"),
    "integer": (None, None, None, "7", "1000"),
    "number": ("0.5", "-0.0001", "123456789012345678.1234", "7", "1000"),
}
LONG = ("9223372036854775807", "999999999999999999", "-5")
BIG: dict[str, Arrives] = {
    "string": LONG,
    "integer": (None, "999999999999999999", "-5"),
    "number": LONG,
}
DAYS = Given(
    "date",
    {},
    ["2024-02-29", "1900-01-01", "1988-07-01", "before the year 1"],
    {
        "date": ("2024-02-29", "1900-01-01", "1988-07-01", None),
        "timestamp": (
            "2024-02-29T00:00:00+08:00",
            "1900-01-01T00:00:00+08:00",
            "1988-07-01T00:00:00+08:00",
            None,
        ),
    },
)


def _of(kind: str, **more: Any) -> dict[str, Any]:
    return {"data_type": kind, **more}


ORACLE: tuple[Given, ...] = (
    Given("number", _of("NUMBER"), DIGITS, NUMBERS),
    Given("number", _of("NUMBER", data_precision=19, data_scale=0), LONG, BIG),
    Given("float", _of("FLOAT", data_precision=126), DIGITS, NUMBERS),
    texts("varchar2", _of("VARCHAR2", char_length=40)),
    texts("nvarchar2", _of("NVARCHAR2", char_length=40)),
    texts("char", _of("CHAR", char_length=40)),
    texts("nchar", _of("NCHAR", char_length=40)),
    texts("clob", _of("CLOB")),
    texts("nclob", _of("NCLOB")),
    texts("long", _of("LONG")),
    timed("date", _of("DATE")),
    timed("timestamp", _of("TIMESTAMP(9)")),
    instants("timestamp with time zone", _of("TIMESTAMP(6) WITH TIME ZONE")),
    instants("timestamp with local time zone", _of("TIMESTAMP(6) WITH LOCAL TIME ZONE")),
    refused("binary_float", _of("BINARY_FLOAT")),
    refused("binary_double", _of("BINARY_DOUBLE")),
    refused("raw", _of("RAW")),
    refused("long raw", _of("LONG RAW")),
    refused("blob", _of("BLOB")),
    refused("bfile", _of("BFILE")),
    refused("json", _of("JSON")),
    refused("xmltype", _of("XMLTYPE")),
    refused("interval day to second", _of("INTERVAL DAY(2) TO SECOND(6)")),
    refused("interval year to month", _of("INTERVAL YEAR(2) TO MONTH")),
    refused("rowid", _of("ROWID")),
    refused("urowid", _of("UROWID")),
    refused("sdo_geometry", _of("SDO_GEOMETRY")),
    refused("vector", _of("VECTOR")),
)
"""What `TO_CHAR` and the driver make of each; the last one stands in no table."""

DM: tuple[Given, ...] = (
    *(
        whole(name, _of(name.upper()), "-128", "0", "127")
        for name in ("tinyint", "byte", "smallint", "int", "integer")
    ),
    whole("bit", _of("BIT"), "0", "1"),
    Given("bigint", _of("BIGINT"), LONG, BIG),
    *(
        Given(
            name,
            _of(name.upper(), data_precision=22, data_scale=4),
            ("123456789012345678.1234", "1.0000", "-0.0001"),
            {
                "string": ("123456789012345678.1234", "1.0000", "-0.0001"),
                "integer": (None, "1", None),
                "number": ("123456789012345678.1234", "1", "-0.0001"),
            },
        )
        for name in ("number", "numeric", "decimal", "dec")
    ),
    *(
        texts(name, _of(name.upper(), char_length=40))
        for name in ("varchar", "varchar2", "nvarchar", "nvarchar2", "char", "character", "nchar")
    ),
    *(texts(name, _of(name.upper()), lob=True) for name in ("clob", "text", "longvarchar")),
    Given("time", _of("TIME"), ("09:05:00", "23:59:59.5"), {"string": ("09:05:00", "23:59:59.5")}),
    timed("date", _of("DATE")),  # with hours in the mode for Oracle
    timed("timestamp", _of("TIMESTAMP", data_scale=6)),
    timed("datetime", _of("DATETIME", data_scale=6)),
    *(
        refused(name, _of(name.upper()))
        for name in (
            *("float", "double", "double precision", "real", "binary", "varbinary", "blob"),
            *("image", "longvarbinary", "rowid", "timestamp with time zone"),
        )
    ),
)


def _kind(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, **more}


MSSQL: tuple[Given, ...] = (
    whole("tinyint", _kind("tinyint"), 0, 255),
    whole("smallint", _kind("smallint"), -32768, 32767),
    whole("int", _kind("int"), -2147483648, 2147483647),
    Given("bigint", _kind("bigint"), [int(v) for v in LONG], BIG),
    whole("bit", _kind("bit"), 0, 1),
    *(
        Given(
            name,
            _kind(name, precision=22, scale=4),
            [Decimal("123456789012345678.1234"), Decimal("1.0000"), Decimal("-0.0001")],
            {
                "string": ("123456789012345678.1234", "1.0000", "-0.0001"),
                "integer": (None, "1", None),
                "number": ("123456789012345678.1234", "1", "-0.0001"),
            },
        )
        for name in ("decimal", "numeric", "money", "smallmoney")
    ),
    *(
        texts(name, _kind(name, max_length=40))
        for name in ("char", "nchar", "varchar", "nvarchar", "text", "ntext", "sysname")
    ),
    Given(
        "uniqueidentifier",
        _kind("uniqueidentifier"),
        ["0D9E2FA4-7A1A-4A5F-9D6A-0F1F0A2B3C4D"],
        {"string": ("0D9E2FA4-7A1A-4A5F-9D6A-0F1F0A2B3C4D",)},
    ),
    Given("time", _kind("time", scale=7), ["09:05:00.0000000"], {"string": ("09:05:00.0000000",)}),
    Given("date", _kind("date"), DAYS.given, DAYS.arrives),
    timed("smalldatetime", _kind("smalldatetime")),
    timed(
        "datetime",
        _kind("datetime"),
        [
            ("2024-01-02 03:04:05.123", "2024-01-02T03:04:05.123000+08:00"),
            ("2024-01-02 03:04:05.127", "2024-01-02T03:04:05.127000+08:00"),
        ],
    ),
    timed(
        "datetime2",
        _kind("datetime2", scale=7),
        [
            ("2024-01-02 03:04:05.1234560", "2024-01-02T03:04:05.123456+08:00"),
            ("2024-01-02 03:04:05.1234567", None),
        ],
    ),
    instants("datetimeoffset", _kind("datetimeoffset", scale=7)),
    *(
        refused(name, _kind(name))
        for name in (
            *("float", "real", "binary", "varbinary", "image", "timestamp", "rowversion"),
            *("hierarchyid", "sql_variant", "xml", "json", "geometry", "geography", "vector"),
        )
    ),
)
SAMPLES: dict[str, tuple[Given, ...]] = {"oracle": ORACLE, "dm": DM, "mssql": MSSQL}
UNKNOWN = {"vector", "timestamp with time zone"}
"""Types that stand in no table of some dialect, and are refused for it."""
