"""Options of the kinds of files that offices have besides CSV, JSON and Parquet."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from connectors.common.xml_names import is_path
from connectors.files import gb18030
from onecard.base.frozen import Frozen

Encoding = Literal["utf-8", "gb18030"]
MOST_ABOVE = 100
"""Lines that may stand above a header; what begins lower is no title."""
WIDEST = 1 << 16
"""Bytes of one fixed-width column."""


def codec(encoding: Encoding) -> str:
    """Python's name of the encoding: GB 18030 in its edition of 2022.

    Args:
        encoding: as the options name it.
    """
    return gb18030.NAME if encoding == "gb18030" else encoding


class Total(Frozen):
    """The number of rows that a line above the rows tells, and that must be there.

    Attributes:
        pattern: regular expression with one group, the digits of the number; commas between groups
            of three are taken off. It is looked for in the lines above the header; for a file of
            fixed widths, in those above the first row.
    """

    pattern: str

    @field_validator("pattern")
    @classmethod
    def _one_group(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error:
            groups = -1
        if groups != 1:
            msg = "files.total: the pattern must be a regular expression with one group: 共(\\d+)条"
            raise ValueError(msg)
        return value

    def number_in(self, lines: list[str]) -> int | None:
        """The number that the first of these lines tells that tells one; None: none does.

        Args:
            lines: those above the rows.
        """
        for line in lines:
            found = re.search(self.pattern, line)
            digits = (found[1] or "").replace(",", "") if found else ""
            if digits.isascii() and digits.isdecimal() and len(digits) <= 18:
                return int(digits)
        return None


class Titled(Frozen):
    """A kind of file with lines above its rows.

    Attributes:
        above: lines (rows of a sheet) above the header that are titles.
        total: what one of them says of the number of rows.
    """

    above: int = Field(default=0, ge=0, le=MOST_ABOVE)
    total: Total | None = None

    @model_validator(mode="after")
    def _total_stands_above(self) -> Titled:
        if self.total and not self.above:
            msg = "files.total: stands in a line above the header: say `above`"
            raise ValueError(msg)
        return self


class Excel(Titled):
    """One sheet of a workbook, XLSX or XLS by what the file is; an empty cell is NULL.

    Attributes:
        sheet: its name; None: the only visible sheet that holds anything.
        formulas: `reject` rows with a formula in a column of the contract, or take the value that
            the workbook keeps of it (`cached`), which it may lack or which may be old.
        percent: what a cell shown as 15% gives: 0.15 (`fraction`), 15 (`hundredths`), or a row that
            is rejected.
    """

    kind: Literal["excel"]
    sheet: str | None = None
    formulas: Literal["reject", "cached"] = "reject"
    percent: Literal["reject", "fraction", "hundredths"] = "reject"


class Dbf(Frozen):
    """A table of dBASE, FoxPro or Clipper; a field of blanks is NULL.

    Attributes:
        encoding: of its texts; the file's own mark of a code page may not say another one.
    """

    kind: Literal["dbf"]
    encoding: Encoding = "gb18030"

    @property
    def codec(self) -> str:
        """Python's name of the encoding."""
        return codec(self.encoding)


class Xml(Frozen):
    """An XML document with an element for each row; an empty element is NULL.

    A contract's `physicalName` is the path of an element below the row's (`XM`, `base/XM`), or of
    an attribute (`@id`, `base/@id`).

    Attributes:
        record: path of the elements that are rows, from the root on: `/data/rows/row`.
        namespaces: prefixes of the paths here and in the contract, and their URIs; the empty prefix
            is of names that have none.
        beside: names of elements with parts of their own that may stand beside the rows in a
            document without rows; any other may be a row by another name, and is an error.
        encoding: of the document, which its declaration must name, unless it is UTF-8.
    """

    kind: Literal["xml"]
    record: str
    namespaces: dict[str, str] = Field(default_factory=dict)
    beside: tuple[str, ...] = ()
    encoding: Encoding = "utf-8"

    @field_validator("record")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if not is_path(value):
            msg = "files.record: names each element from the root on, as in /data/rows/row"
            raise ValueError(msg)
        return value

    @property
    def codec(self) -> str:
        """Python's name of the encoding."""
        return codec(self.encoding)


class FixedColumn(Frozen):
    """A part of each line.

    Attributes:
        name: as the contract's `physicalName`; None: a filler that is not read.
        width: bytes in the file's encoding.
    """

    name: str | None = None
    width: int = Field(gt=0, le=WIDEST)


class FixedWidth(Titled):
    """Lines whose columns have widths in bytes; blanks around a value fill it, and are no data.

    Attributes:
        columns: from the left, together the whole line.
        short_lines: what becomes of a line that ends early: `reject`, or `pad`, as where a system
            cuts off the blanks at the end.
    """

    kind: Literal["fixed"]
    encoding: Encoding = "gb18030"
    columns: Annotated[tuple[FixedColumn, ...], Field(min_length=1, max_length=1000)]
    short_lines: Literal["reject", "pad"] = "reject"

    @property
    def codec(self) -> str:
        """Python's name of the encoding."""
        return codec(self.encoding)

    @property
    def names(self) -> list[str]:
        """Names of the columns that are read."""
        return [c.name for c in self.columns if c.name is not None]

    @field_validator("columns")
    @classmethod
    def _each_once(cls, value: tuple[FixedColumn, ...]) -> tuple[FixedColumn, ...]:
        names = [c.name for c in value if c.name is not None]
        if not names or len(set(names)) != len(names):
            msg = "files.columns: at least one has a name, and each name stands once"
            raise ValueError(msg)
        return value
