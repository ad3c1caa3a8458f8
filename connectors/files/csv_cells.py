"""One CSV record into cells (RFC 4180), telling an empty cell from an empty quoted text."""

from __future__ import annotations

import re
from functools import cache


class BadQuote(ValueError):
    """A quote stays open at the record's end, or something other than a delimiter follows it."""

    def __init__(self, *, still_open: bool) -> None:
        super().__init__("quote")
        self.open = still_open


def cells_of(text: str, delimiter: str) -> list[str | None]:
    """Cells of one record; an empty unquoted cell is NULL, a quoted one an empty text.

    A quote inside an unquoted cell is data.

    Raises:
        BadQuote: the record is not well quoted.
    """
    if '"' not in text:
        return [cell or None for cell in text.split(delimiter)]
    cells: list[str | None] = []
    place = 0
    while True:
        if text.startswith('"', place):
            cell, place = _quoted(text, place + 1)
            cells.append(cell)
        else:
            end = text.find(delimiter, place)
            end = len(text) if end < 0 else end
            cells.append(text[place:end] or None)
            place = end
        if place == len(text):
            return cells
        if not text.startswith(delimiter, place):
            raise BadQuote(still_open=False)
        place += 1


def plainly_quoted(text: bytes, delimiter: str) -> bool:
    """Whether every line (UTF-8) with a quote is well quoted and complete in itself."""
    whole = _well_quoted(delimiter).fullmatch
    place = text.find(b'"')
    while place >= 0:
        start = text.rfind(b"\n", 0, place) + 1
        end = text.find(b"\n", place)
        end = len(text) if end < 0 else end
        if whole(text, start, end) is None:
            return False
        place = text.find(b'"', end)
    return True


def _quoted(text: str, place: int) -> tuple[str, int]:
    """The cell whose opening quote stands before `place`, and the place behind its closing one."""
    parts: list[str] = []
    while True:
        end = text.find('"', place)
        if end < 0:
            raise BadQuote(still_open=True)
        parts.append(text[place:end])
        if not text.startswith('"', end + 1):
            return '"'.join(parts), end + 1
        place = end + 2


@cache
def _well_quoted(delimiter: str) -> re.Pattern[bytes]:
    mark = re.escape(delimiter.encode())
    cell = rb'(?:"(?:[^"\n]|"")*+"|[^"\n\r' + mark + rb"]*+)"
    return re.compile(cell + rb"(?:" + mark + cell + rb")*+\r?")
