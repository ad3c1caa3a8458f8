"""Merged cells of a sheet, which are listed behind its rows.

So the part is looked through for them first, and what was found is held against the list once all
rows have been read.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Generator
from contextlib import closing

from connectors.files.sheets import MOST_ROWS
from connectors.files.xlsx_book import ListedSheet, Workbook
from onecard.errors import ProtocolError

_CELL = rb"[A-Za-z]{1,3}\d{1,7}"
_MERGED = re.compile(
    rb"mergeCell\s[^<>]{0,200}?ref\s*=\s*[\"'](" + _CELL + b":" + _CELL + rb")[\"']"
)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_OVERLAP = 512
"""Bytes of a piece that are looked at again with the next one: longer than such an element."""
MOST_MERGED = 100_000
"""Ranges of merged cells that are remembered."""


def merged_rows(book: Workbook, sheet: ListedSheet) -> MergedRows:
    """Which rows are touched by merged cells.

    Args:
        book: an open workbook.
        sheet: one of its sheets.

    Raises:
        ProtocolError: not whole, or of more ranges than may be.
    """
    with closing(book.pieces(sheet.part)) as data:
        return MergedRows(_merged_ranges(data, book.origin))


def _merged_ranges(data: Generator[bytes, None, None], origin: str) -> list[tuple[int, int]]:
    """First and last row of each range of merged cells, in the order of the first rows."""
    found: list[tuple[int, int]] = []
    rest = b""
    for piece in data:
        window = rest + piece
        end = 0
        if b"mergeCell" in window:
            for match in _MERGED.finditer(window):
                end = match.end()
                first, _, last = match[1].decode().partition(":")
                pair = sorted(int(ref.lstrip(_LETTERS)) for ref in (first, last))
                found.append((pair[0], pair[1]))
                if len(found) > MOST_MERGED:
                    msg = f"{origin}: more than {MOST_MERGED} ranges of merged cells"
                    raise ProtocolError(msg)
        rest = window[max(end, len(window) - _OVERLAP) :]
    return sorted(found)


class MergedRows:
    """Whether rows, asked for in their order, are touched by a range."""

    def __init__(self, ranges: list[tuple[int, int]]) -> None:
        """No row was asked for.

        Args:
            ranges: first and last row of each, in the order of the first rows.
        """
        self._ahead = ranges[::-1]
        self._count = len(ranges)
        self._open: list[int] = []

    def touches(self, row: int) -> bool:
        """Whether a range touches a row; none before it is asked for again."""
        while self._ahead and self._ahead[-1][0] <= row:
            heapq.heappush(self._open, self._ahead.pop()[1])
        while self._open and self._open[0] < row:
            heapq.heappop(self._open)
        return bool(self._open)

    def first_from(self, row: int) -> int:
        """The first row from this one on that a range touches; none before it is asked for then."""
        if self.touches(row):
            return row
        return self._ahead[-1][0] if self._ahead else MOST_ROWS + 1

    def check(self, found: int, origin: str) -> None:
        """After the last row.

        Args:
            found: ranges that the part lists.
            origin: name of the file, for messages.

        Raises:
            ProtocolError: they are others than were seen beforehand.
        """
        if found != self._count:
            msg = f"{origin}: its merged cells cannot be told: save it anew as XLSX"
            raise ProtocolError(msg)
