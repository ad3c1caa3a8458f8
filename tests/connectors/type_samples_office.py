"""Cells of workbooks, fields of DBF, XML and fixed widths, and what is to arrive; see `type_samples`."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.connectors.type_samples import Arrives
from tests.connectors.type_samples_files import AS_TEXT, TEXTS, Value
from tests.workbooks import DbfColumn, Number, Raw

KINDS = ("string", "integer", "number", "date", "timestamp")
ID = "410101199001011237"


@dataclass(frozen=True)
class OfficeColumn:
    """A column of one kind of cells, or of one kind of field.

    Attributes:
        name: of the kind.
        cells: as `tests.workbooks` writes them.
        says: each cell in words, for the page.
        arrives: logical type → what comes of each; none: the column is refused.
        field: of a DBF table.
    """

    name: str
    cells: tuple[Any, ...]
    says: tuple[str, ...]
    arrives: Mapping[str, Arrives] = field(default_factory=dict)
    field: DbfColumn | None = None


def _each(count: int, **arrives: Arrives) -> dict[str, Arrives]:
    """What comes as each logical type; where nothing is said, every cell costs its row."""
    return {kind: arrives.get(kind, (None,) * count) for kind in KINDS}


_TEXTS = (*TEXTS, ID)
_MOMENT = "2026-01-05T12:00:00+08:00"
EXCEL: tuple[OfficeColumn, ...] = (
    OfficeColumn(
        "text",
        _TEXTS,
        _TEXTS,
        {k: (*v, ID if k in ("string", "integer", "number") else None) for k, v in AS_TEXT.items()},
    ),
    OfficeColumn(
        "number",
        tuple(map(Number, ("1", "1234.5", "0.1", "123456789012345", "4.1010119900101123E+17"))),
        (
            "1",
            "1234.5",
            "0.1",
            "123456789012345",
            "410101199001011237, of which 15 digits are kept",
        ),
        _each(
            5,
            string=("1", "1234.5", "0.1", "123456789012345", None),
            integer=("1", None, None, "123456789012345", None),
            number=("1", "1234.5", "0.1", "123456789012345", None),
        ),
    ),
    OfficeColumn(
        "number shown with zeros",
        (Number("42", 4),),
        ("000042",),
        _each(1, string=("000042",), integer=("42",), number=("42",)),
    ),
    OfficeColumn(
        "date",
        (Number("45351", 1), Number("1", 1), Number("60", 1)),
        ("2024/2/29", "1900/1/1", "1900/2/29, which never was"),
        _each(
            3,
            string=("2024-02-29", "1900-01-01", None),
            date=("2024-02-29", "1900-01-01", None),
            timestamp=("2024-02-29T00:00:00+08:00", "1900-01-01T00:00:00+08:00", None),
        ),
    ),
    OfficeColumn(
        "date and time",
        (Number("46027.5", 2), Number("46027", 2)),
        ("2026-01-05 12:00:00", "2026-01-05 00:00:00"),
        _each(
            2,
            string=("2026-01-05 12:00:00", "2026-01-05"),
            date=(None, "2026-01-05"),
            timestamp=(_MOMENT, "2026-01-05T00:00:00+08:00"),
        ),
    ),
    OfficeColumn("time of day", (Number("0.25", 5),), ("6:00",), _each(1, string=("06:00:00",))),
    OfficeColumn("percentage", (Number("0.15", 3),), ("15.00%",), _each(1)),
    OfficeColumn("truth", (True, False), ("TRUE", "FALSE"), _each(2, string=("true", "false"))),
    OfficeColumn("formula", (Raw("<f>A1*2</f><v>5</v>"),), ("=A1*2, with 5 kept",), _each(1)),
    OfficeColumn("error", (Raw("<v>#N/A</v>", "e"),), ("#N/A",), _each(1)),
)


def _field(kind: str, width: int, *cells: bytes, decimals: int = 0) -> Any:
    """The start of a column: its kind, cells and words."""

    def made(*says: str, **arrives: Arrives) -> OfficeColumn:
        told = _each(len(cells), **arrives)
        return OfficeColumn(kind, cells, says, told, DbfColumn("v", kind, width, decimals))

    return made


def _refused(kind: str, width: int) -> OfficeColumn:
    return OfficeColumn(kind, (b"",), ("anything",), {}, DbfColumn("v", kind, width))


_NULLS: dict[str, Arrives] = dict.fromkeys(KINDS, (None, None, "NULL"))
DBF: tuple[OfficeColumn, ...] = (
    _field("C", 26, *(t.encode() for t in TEXTS))(*TEXTS, **AS_TEXT),
    _field("N", 12, b"1234.50", b"-.50", b"7", b"****", decimals=2)(
        "1234.50",
        "-.50",
        "7",
        "****",
        string=("1234.50", "-0.50", "7", "****"),
        integer=(None, None, "7", None),
        number=("1234.50", "-0.50", "7", None),
    ),
    _field("F", 12, b"1.5", decimals=2)("1.5", string=("1.5",), number=("1.5",)),
    _field("D", 8, b"20240229", b"19000101", b"20240230")(
        "20240229",
        "19000101",
        "20240230",
        string=("2024-02-29", "1900-01-01", "20240230"),
        integer=(None, None, "20240230"),
        number=(None, None, "20240230"),
        date=("2024-02-29", "1900-01-01", None),
        timestamp=("2024-02-29T00:00:00+08:00", "1900-01-01T00:00:00+08:00", None),
    ),
    _field("L", 1, b"T", b"n", b"?")(
        "T", "n", "?", **{**_NULLS, "string": ("true", "false", "NULL")}
    ),
    _field("I", 4, struct.pack("<i", -7), struct.pack("<i", 2147483647))(
        "-7",
        "2147483647",
        string=("-7", "2147483647"),
        integer=("-7", "2147483647"),
        number=("-7", "2147483647"),
    ),
    _field("Y", 8, struct.pack("<q", 12345), struct.pack("<q", 50000))(
        "1.2345",
        "5.0000",
        string=("1.2345", "5.0000"),
        integer=(None, "5"),
        number=("1.2345", "5"),
    ),
    _field("T", 8, struct.pack("<ii", 2461046, 43_200_000), struct.pack("<ii", 2461046, 0))(
        "2026-01-05 12:00:00",
        "2026-01-05 00:00:00",
        string=("2026-01-05 12:00:00", "2026-01-05"),
        date=(None, "2026-01-05"),
        timestamp=(_MOMENT, "2026-01-05T00:00:00+08:00"),
    ),
    *(_refused(kind, width) for kind, width in (("M", 10), ("B", 8), ("O", 8), ("G", 10))),
    *(_refused(kind, width) for kind, width in (("P", 10), ("Q", 8), ("V", 8), ("W", 4), ("+", 4))),
)


def _values(name: str, *written: str) -> list[Value]:
    """Texts as they are written, which give what the same texts give in Parquet."""
    return [
        Value(name, w, {kind: AS_TEXT[kind][n] for kind in KINDS}) for n, w in enumerate(written)
    ]


def _all(name: str, written: str, arrives: str | None) -> Value:
    return Value(name, written, dict.fromkeys(KINDS, arrives))


_ONE = {"string": "1", "integer": "1", "number": "1", "date": None, "timestamp": None}
XML: tuple[Value, ...] = (
    *_values("text", *(f"<v>{t}</v>" for t in TEXTS)),
    Value("CDATA", "<v><![CDATA[1]]></v>", _ONE),
    _all("no text", "<v/>", "NULL"),
    _all("no element", "", "NULL"),
    _all("element twice", "<v>1</v><v>1</v>", None),
)
FIXED: tuple[Value, ...] = (
    *_values("text", *TEXTS),
    Value("text among blanks", "   1", _ONE),
    _all("blanks", "", "NULL"),
)
