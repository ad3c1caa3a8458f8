"""The problem list as a workbook (XLSX): text is text, whatever it begins with.

A cell that begins with `=`, `+`, `-`, `@`, a tab or a line end is a formula to some programs
(OWASP, CSV injection). Every text is therefore written as a string cell, with an apostrophe before
such a beginning, and without characters that turn the reading direction or cannot be stored.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from onecard.base import files
from onecard.base.extras import extra

with extra("reports"):
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_LONGEST = 32_767
"""Characters in a cell, by the limits of the format."""


def harmless(text: str) -> str:
    """The text as a cell may hold it."""
    kept = "".join(
        c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs")
    )
    return ("'" + kept if kept.startswith(_FORMULA) else kept)[:_LONGEST]


def write(
    file: Path, title: str, columns: Sequence[str], rows: Iterable[Sequence[str | int | float]]
) -> None:
    """Write one sheet with a frozen header; the file appears whole or not at all.

    Args:
        file: where.
        title: of the sheet; 31 characters of it are kept.
        columns: names in the header.
        rows: of cells, in the order of the columns.
    """
    book = Workbook()
    sheet = book.active
    if sheet is None:  # a new workbook has one
        sheet = book.create_sheet()
    sheet.title = title[:31]
    for number, name in enumerate(columns, start=1):
        cell = sheet.cell(1, number, harmless(name))
        cell.font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(number)].width = 18
    at_top = Alignment(vertical="top", wrap_text=True)
    for at, row in enumerate(rows, start=2):
        for number, value in enumerate(row, start=1):
            cell = sheet.cell(at, number)
            cell.value = harmless(value) if isinstance(value, str) else value
            if isinstance(value, str):
                cell.data_type = "s"
            cell.alignment = at_top
    sheet.freeze_panes = "A2"
    book.properties.creator = "onecard-hub"
    with files.replacing(file) as draft:
        book.save(draft)
