"""What sheets of either kind of workbook have in common: rows of cells, and which sheet is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from connectors.files.sheet_cells import Cell
from onecard.base.shown import file_name
from onecard.errors import ProtocolError

MOST_ROWS = 1_048_576
"""Rows that a sheet has at most (ECMA-376; Excel's limits)."""
MOST_COLUMNS = 16_384
"""Columns that a sheet has at most."""
NOTES = "onecard校验结果"
"""Name of the sheet in which a copy of `onecard check` lists what was found; it is no data."""
COPY = ".checked.xlsx"
"""What names of such copies end in."""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row of a sheet that holds anything.

    Attributes:
        number: as the spreadsheet shows it, from 1.
        cells: by the number of their column, from 0; plain text as it is.
        hidden: whether the sheet does not show it (hidden, or left out by a filter).
        merged: whether one of its cells is merged with another row's or column's.
    """

    number: int
    cells: Mapping[int, str | Cell]
    hidden: bool = False
    merged: bool = False


class SheetRows(Iterator[SheetRow], Protocol):
    """Rows of a sheet in their order."""

    def close(self) -> None:
        """No more of them are read."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of a workbook.

    Attributes:
        name: as its tab shows it.
        visible: whether its tab is shown.
        rows: reads its rows from the first on, each time anew.
    """

    name: str
    visible: bool
    rows: Callable[[], SheetRows]


def chosen(sheets: Sequence[Sheet], name: str | None, origin: str) -> Sheet:
    """The sheet that is read.

    Args:
        sheets: of the workbook, those without cells (charts) left out.
        name: that the contract gives; None: the only visible one that holds anything, beside the
            list of an earlier check.
        origin: of the file, for messages.

    Raises:
        ProtocolError: there is none, or more than one that could be meant.
    """
    if name is not None:
        named = [s for s in sheets if s.name == name]
        if len(named) == 1:
            return named[0]
        msg = f"{origin}: no sheet has the name {name}; {_listed(sheets)}"
        raise ProtocolError(msg)
    shown = [s for s in sheets if s.visible and s.name != NOTES]
    full = shown if len(shown) == 1 else [s for s in shown if _holds_anything(s)]
    if len(full) == 1:
        return full[0]
    if not full:
        msg = f"{origin}: no visible sheet holds anything"
        raise ProtocolError(msg)
    msg = f"{origin}: {len(full)} sheets hold something: say `sheet`; {_listed(full)}"
    raise ProtocolError(msg)


def column_letters(number: int) -> str:
    """How a spreadsheet calls a column: 0 → `A`, 26 → `AA`.

    Args:
        number: from 0.
    """
    found = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        found = chr(ord("A") + rest) + found
    return found


def column_number(reference: str) -> int:
    """The number of a column, from 0, from a cell's reference (`AB12`); -1 where it is none.

    Args:
        reference: letters, and digits behind them.
    """
    return _number_of(reference.rstrip("0123456789"))


@lru_cache(maxsize=MOST_COLUMNS)
def _number_of(letters: str) -> int:
    number = 0
    if not letters.isascii() or not letters.isalpha() or len(letters) > 3:
        return -1
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1 if number <= MOST_COLUMNS else -1


def _holds_anything(sheet: Sheet) -> bool:
    with closing(sheet.rows()) as rows:
        return next(rows, None) is not None


def _listed(sheets: Sequence[Sheet]) -> str:
    names = ", ".join(file_name(s.name) for s in sheets[:10])
    return f"its sheets: {names}" + (" …" if len(sheets) > 10 else "")
