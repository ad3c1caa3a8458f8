"""Types of every kind of source, values written in them by hand, and what is to arrive.

What arrives stands here as text that a person wrote, never as what a parser of the hub makes of it:
numbers plain, dates ISO 8601, times at +08:00. `None`: the value costs its row. A logical type that
is not named is refused before the first row is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Arrives = tuple[str | None, ...]


@dataclass(frozen=True)
class Sample:
    """One type of a database.

    Attributes:
        name: as the table of types calls it.
        declared: in CREATE TABLE.
        written: literals of SQL.
        arrives: logical type → what comes of each literal.
        before: statements that make the type itself; `{t}` is a name of the run's own.
    """

    name: str
    declared: str
    written: tuple[str, ...]
    arrives: Mapping[str, Arrives] = field(default_factory=dict)
    before: Sequence[str] = ()


TEXTS = ("'abc'", "'1'", "'-1.50'", "'1e3'", "'+1'", "'2024-02-29'", "'2024-02-29T08:00:00+08:00'")
TEXT: dict[str, Arrives] = {
    "string": ("abc", "1", "-1.50", "1e3", "+1", "2024-02-29", "2024-02-29T08:00:00+08:00"),
    "integer": (None, "1", None, None, None, None, None),
    "number": (None, "1", "-1.50", None, None, None, None),
    "date": (None, None, None, None, None, "2024-02-29", None),
    "timestamp": (None, None, None, None, None, None, "2024-02-29T08:00:00+08:00"),
}


def whole(name: str, declared: str, *written: str) -> Sample:
    same = tuple(written)
    return Sample(name, declared, same, {"string": same, "integer": same, "number": same})


def shown(name: str, declared: str, *values: str) -> Sample:
    return Sample(name, declared, tuple(f"'{v}'" for v in values), {"string": tuple(values)})


def refused(name: str, declared: str, written: str, *before: str) -> Sample:
    return Sample(name, declared, (written,), {}, before)


LONG = ("9223372036854775807", "999999999999999999", "-5")
DATES: tuple[Arrives, Arrives] = (
    ("2024-02-29", "1900-01-01", "1940-06-01", "1988-07-01"),
    (
        "2024-02-29T00:00:00+08:00",
        "1900-01-01T00:00:00+08:00",
        "1940-06-01T00:00:00+08:00",
        "1988-07-01T00:00:00+08:00",
    ),
)
TIMES = (
    "'2024-01-02 03:04:05.123456'",
    "'2024-01-02 00:00:00'",
    "'1900-01-01 00:00:00'",
    "'1988-07-01 00:00:00'",  # summer time
    "'1988-09-11 01:30:00'",  # was twice
)
AS_TIMES: Arrives = (
    "2024-01-02T03:04:05.123456+08:00",
    "2024-01-02T00:00:00+08:00",
    "1900-01-01T00:00:00+08:00",
    "1988-06-30T23:00:00+08:00",
    None,
)
AS_DATES: Arrives = (None, "2024-01-02", "1900-01-01", "1988-07-01", None)
NOTHING: Arrives = (None, None, None)

POSTGRESQL: tuple[Sample, ...] = (
    whole("smallint", "smallint", "-32768", "0", "32767"),
    whole("integer", "integer", "-2147483648", "2147483647"),
    Sample(
        "bigint",
        "bigint",
        LONG,
        {"string": LONG, "integer": (None, "999999999999999999", "-5"), "number": LONG},
    ),
    Sample(
        "numeric",
        "numeric",
        ("'NaN'", "'Infinity'", "123456789012345678.1234", "1.00", "0.0001"),
        {
            "string": ("NaN", "Infinity", "123456789012345678.1234", "1.00", "0.0001"),
            "integer": (None, None, None, "1", None),
            "number": (None, None, "123456789012345678.1234", "1", "0.0001"),
        },
    ),
    Sample("text", "text", TEXTS, TEXT),
    Sample("character varying", "varchar(40)", TEXTS, TEXT),
    Sample(
        "character",
        "char(10)",
        ("'c'", "'1'", "'1.5'", "'2024-02-29'"),
        {
            "string": ("c", "1", "1.5", "2024-02-29"),
            "integer": (None, "1", None, None),
            "number": (None, "1", "1.5", None),
            "date": (None, None, None, "2024-02-29"),
            "timestamp": (None, None, None, None),
        },
    ),
    Sample(
        "enum",
        "{t}_enum",
        ("'男'", "'1'"),
        {
            "string": ("男", "1"),
            "integer": (None, "1"),
            "number": (None, "1"),
            "date": (None, None),
            "timestamp": (None, None),
        },
        ("CREATE TYPE {t}_enum AS ENUM ('男', '1')",),
    ),
    shown("uuid", "uuid", "0d9e2fa4-7a1a-4a5f-9d6a-0f1f0a2b3c4d"),
    shown("boolean", "boolean", "true", "false"),
    shown("time without time zone", "time", "09:05:00", "23:59:59.5"),
    shown("time with time zone", "timetz", "09:05:00+08"),
    Sample(
        "date",
        "date",
        (
            "'2024-02-29'",
            "'1900-01-01'",
            "'1940-06-01'",
            "'1988-07-01'",
            "'infinity'",
            "'0044-03-15 BC'",
            "'10000-01-01'",
        ),
        {"date": (*DATES[0], *NOTHING), "timestamp": (*DATES[1], *NOTHING)},
    ),
    Sample(
        "timestamp without time zone",
        "timestamp",
        (*TIMES, "'-infinity'", "'0044-03-15 10:00:00 BC'", "'294276-12-31 23:59:59'"),
        {"date": (*AS_DATES, *NOTHING), "timestamp": (*AS_TIMES, *NOTHING)},
    ),
    Sample(
        "timestamp with time zone",
        "timestamptz",
        (
            "'2024-01-02 03:04:05.123456+00'",
            "'2024-01-01 16:00:00+00'",
            "'1988-07-01 00:00:00+08'",
            "'1988-07-01 00:00:00+09'",
            "'infinity'",
            "'0044-03-15 10:00:00+08 BC'",
            "'294276-12-31 23:59:59+08'",
        ),
        {
            "date": (None, "2024-01-02", "1988-07-01", "1988-07-01", *NOTHING),
            "timestamp": (
                "2024-01-02T11:04:05.123456+08:00",
                "2024-01-02T00:00:00+08:00",
                "1988-07-01T00:00:00+08:00",
                "1988-06-30T23:00:00+08:00",
                *NOTHING,
            ),
        },
    ),
    refused("real", "real", "123456.78"),
    refused("double precision", "double precision", "0.1"),
    refused("money", "money", "'1.50'"),
    refused("bytea", "bytea", "'\\x00ff'"),
    refused("bit", "bit(8)", "B'00000101'"),
    refused("bit varying", "varbit", "B'101'"),
    refused("array", "integer[]", "'{1,2}'"),
    refused(
        "composite",
        "{t}_pair",
        "'(1,2)'",
        "CREATE TYPE {t}_pair AS (a integer, b integer)",
    ),
    refused("json", "json", "'{\"a\": 1}'"),
    refused("jsonb", "jsonb", "'{\"a\": 1}'"),
    refused("xml", "xml", "'<a/>'"),
    refused("inet", "inet", "'192.168.0.1'"),
    refused("cidr", "cidr", "'192.168.0.0/24'"),
    refused("interval", "interval", "'1 day'"),
    refused("oid", "oid", "1"),
    refused("name", "name", "'a'"),
    refused('"char"', '"char"', "'a'"),
    refused("point", "point", "'(1,2)'"),
    refused("int4range", "int4range", "'[1,2)'"),
    refused("macaddr", "macaddr", "'08:00:2b:01:02:03'"),
    refused("tsvector", "tsvector", "'a'"),
)

ZERO_DATES = ("'0000-00-00'", "'2024-00-10'", "'2024-02-31'")

MARIADB: tuple[Sample, ...] = (
    whole("tinyint", "tinyint(1)", "-128", "0", "127"),
    whole("smallint", "smallint", "-32768", "32767"),
    whole("mediumint", "mediumint", "-8388608", "8388607"),
    whole("int", "int unsigned", "0", "4294967295"),
    Sample(
        "bigint",
        "bigint unsigned",
        ("18446744073709551615", "999999999999999999", "5"),
        {
            "string": ("18446744073709551615", "999999999999999999", "5"),
            "integer": (None, "999999999999999999", "5"),
            "number": ("18446744073709551615", "999999999999999999", "5"),
        },
    ),
    Sample(
        "zerofill",
        "bigint(20) zerofill",
        ("42", "9223372036854775807"),
        {
            "string": ("00000000000000000042", "09223372036854775807"),
            "integer": (None, None),
            "number": ("42", "9223372036854775807"),
        },
    ),
    Sample(
        "decimal",
        "decimal(22,4)",
        ("123456789012345678.1234", "1", "-0.0001"),
        {
            "string": ("123456789012345678.1234", "1.0000", "-0.0001"),
            "integer": (None, "1", None),
            "number": ("123456789012345678.1234", "1", "-0.0001"),
        },
    ),
    Sample(
        "year",
        "year",
        ("2024", "0000"),
        {"string": ("2024", "0000"), "integer": ("2024", "0"), "number": ("2024", "0")},
    ),
    Sample(
        "bit",
        "bit(64)",
        ("b'101'", "b'0'", "b'" + "1" * 64 + "'"),
        {"integer": ("5", "0", None), "number": ("5", "0", "18446744073709551615")},
    ),
    Sample(
        "char",
        "char(30)",
        TEXTS,
        TEXT,
    ),
    Sample("varchar", "varchar(40)", TEXTS, TEXT),
    Sample("tinytext", "tinytext", TEXTS, TEXT),
    Sample("text", "text", TEXTS, TEXT),
    Sample("mediumtext", "mediumtext", TEXTS, TEXT),
    Sample(
        "longtext",
        "json",
        ("'{\"a\": 1}'", "'1'"),
        {
            "string": ('{"a": 1}', "1"),
            "integer": (None, "1"),
            "number": (None, "1"),
            "date": (None, None),
            "timestamp": (None, None),
        },
    ),
    Sample(
        "enum",
        "enum('男','1')",
        ("'男'", "'1'"),
        {
            "string": ("男", "1"),
            "integer": (None, "1"),
            "number": (None, "1"),
            "date": (None, None),
            "timestamp": (None, None),
        },
    ),
    Sample(
        "set",
        "set('a','b')",
        ("'a,b'", "''"),
        {
            "string": ("a,b", ""),
            "integer": (None, None),
            "number": (None, None),
            "date": (None, None),
            "timestamp": (None, None),
        },
    ),
    shown("uuid", "uuid", "0d9e2fa4-7a1a-4a5f-9d6a-0f1f0a2b3c4d"),
    shown("time", "time", "09:05:00", "838:59:59", "-01:00:00"),
    Sample(
        "date",
        "date",
        ("'2024-02-29'", "'1900-01-01'", "'1940-06-01'", "'1988-07-01'", *ZERO_DATES),
        {"date": (*DATES[0], *NOTHING), "timestamp": (*DATES[1], *NOTHING)},
    ),
    Sample(
        "datetime",
        "datetime(6)",
        (*TIMES, *ZERO_DATES),
        {"date": (*AS_DATES, *NOTHING), "timestamp": (*AS_TIMES, *NOTHING)},
    ),
    Sample(
        "timestamp",
        "timestamp(6) null",
        (
            "'2024-01-02 03:04:05.123456'",
            "'2024-01-02 00:00:00'",
            "'1988-07-01 00:00:00'",
            "'1988-09-11 01:30:00'",
            "'0000-00-00'",
        ),
        {
            "date": (None, "2024-01-02", "1988-07-01", None, None),
            "timestamp": (
                "2024-01-02T03:04:05.123456+08:00",
                "2024-01-02T00:00:00+08:00",
                "1988-07-01T00:00:00+08:00",
                "1988-09-11T01:30:00+08:00",
                None,
            ),
        },
    ),
    refused("float", "float", "123456.78"),
    refused("double", "double", "0.1"),
    refused("binary", "binary(4)", "'a'"),
    refused("varbinary", "varbinary(4)", "'a'"),
    refused("tinyblob", "tinyblob", "'a'"),
    refused("blob", "blob", "'a'"),
    refused("mediumblob", "mediumblob", "'a'"),
    refused("longblob", "longblob", "'a'"),
    refused("inet4", "inet4", "'192.168.0.1'"),
    refused("inet6", "inet6", "'::1'"),
    refused("geometry", "geometry", "ST_GeomFromText('POINT(1 2)')"),
    refused("point", "point", "ST_GeomFromText('POINT(1 2)')"),
    refused("polygon", "polygon", "ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')"),
)
"""Times are written in a session at +08:00."""

BLOB = "x'4142'"
SQLITE: tuple[Sample, ...] = (
    Sample(
        "TEXT",
        "varchar(40)",
        (*TEXTS, BLOB),
        {kind: (*found, None) for kind, found in TEXT.items()},
    ),
    Sample(
        "INTEGER",
        "bigint",
        ("7", "9223372036854775807", "'x'", "1.5", BLOB),
        {
            "string": ("7", "9223372036854775807", "x", None, None),
            "integer": ("7", None, None, None, None),
            "number": ("7", "9223372036854775807", None, "1.5", None),
            "date": (None,) * 5,
            "timestamp": (None,) * 5,
        },
    ),
    Sample(
        "NUMERIC",
        "decimal(18,2)",
        ("123456.78", "1", "0.1 + 0.2", "1234567890123456.75", "'x'", "'2024-02-29'", BLOB),
        {
            "string": (None, "1", None, None, "x", "2024-02-29", None),
            "integer": (None, "1", None, None, None, None, None),
            "number": ("123456.78", "1", None, None, None, None, None),
            "date": (None, None, None, None, None, "2024-02-29", None),
            "timestamp": (None,) * 7,
        },
    ),
    Sample(
        "untyped",
        "",
        (*TEXTS, "7", "1.5", BLOB),
        {
            "string": (*TEXT["string"], "7", None, None),
            "integer": (*TEXT["integer"], "7", None, None),
            "number": (*TEXT["number"], "7", "1.5", None),
            "date": (*TEXT["date"], None, None, None),
            "timestamp": (*TEXT["timestamp"], None, None, None),
        },
    ),
    refused("REAL", "double", "0.1"),
    refused("BLOB", "blob", BLOB),
)
