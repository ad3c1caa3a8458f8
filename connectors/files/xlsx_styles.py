"""Formats of the cells of an XLSX workbook (ECMA-376-1, 18.8)."""

from __future__ import annotations

from connectors.common.xml_stream import Handler, Refused
from connectors.files.sheet_cells import CellFormat, format_of
from connectors.files.xlsx_names import names

MOST_STYLES = 1 << 17
"""Formats of cells; Excel has half as many at most."""
LONGEST_CODE = 1 << 10
"""Characters of one format; Excel writes 255 at most."""


class Styles(Handler):
    """Takes down the formats of cells; those of conditions and tables have numbers of their own."""

    _KINDS = names("numFmts", "numFmt", "cellXfs", "xf")

    def __init__(self) -> None:
        super().__init__()
        self._codes: dict[int, str] = {}
        self._numbers: list[int] = []
        self._of_cells = self._of_codes = False

    def formats(self) -> tuple[CellFormat, ...]:
        """Of each style of a cell."""
        return tuple(format_of(n, self._codes.get(n)) for n in self._numbers)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """A format, or what is around formats.

        Args:
            name: of the element.
            attributes: of it.
        """
        kind = self._KINDS.get(name)
        number = attributes.get("numFmtId", "0")
        which = int(number) if number.isdecimal() and len(number) < 10 else 0
        if kind == "numFmts":
            self._of_codes = True
        elif kind == "numFmt" and self._of_codes:
            self._codes[which] = _short(attributes.get("formatCode", ""))
        elif kind == "cellXfs":
            self._of_cells = True
        elif kind == "xf" and self._of_cells:
            self._numbers.append(which)
            if len(self._numbers) > MOST_STYLES:
                msg = f"more than {MOST_STYLES} formats of cells"
                raise Refused(msg)

    def end(self, name: str) -> None:
        """What was around formats ends."""
        kind = self._KINDS.get(name)
        if kind == "numFmts":
            self._of_codes = False
        elif kind == "cellXfs":
            self._of_cells = False


def _short(code: str) -> str:
    """A format's text, which is looked through with patterns."""
    if len(code) > LONGEST_CODE:
        msg = f"a format of more than {LONGEST_CODE} characters"
        raise Refused(msg)
    return code
