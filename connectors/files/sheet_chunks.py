"""Rows of a sheet as chunks of text; a cell that cannot be taken stands beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from connectors.files.sheet_cells import Cell, Taking, text_of
from connectors.files.sheets import SheetRow, SheetRows
from onecard.ports.source import Chunk, Column

CELLS, HEADER, MERGED = "record.cells", "record.header", "record.merged"
LONGEST_ROWS = 1 << 25
"""Characters of the rows of one chunk: many cells may name one long text of the workbook."""


@dataclass(frozen=True, slots=True)
class OpenSheet:
    """A sheet, read as far as its header.

    Attributes:
        name: as its tab shows it.
        titles: the rows above it, their cells joined.
        names: of its columns, and where each stands.
        first: number of the row behind the header.
        rows: those that follow.
        taking: how its cells become text.
    """

    name: str
    titles: tuple[str, ...]
    names: dict[str, int]
    header: dict[int, str]
    first: int
    rows: SheetRows
    taking: Taking


@dataclass(slots=True)
class Lost:
    """Values of one column that cannot be taken.

    Attributes:
        texts: of them, by row.
        rules: that they break, by row.
    """

    texts: dict[int, str] = field(default_factory=dict)
    rules: dict[int, str] = field(default_factory=dict)


def chunk(
    rows: Sequence[SheetRow], wanted: Sequence[Column], sheet: OpenSheet, at: tuple[str, int]
) -> Chunk:
    """Rows as a chunk.

    Args:
        rows: in their order.
        wanted: columns that the sheet has.
        sheet: that they stand in.
        at: origin of the chunk, and its first row.
    """
    damaged = {i: rule for i, row in enumerate(rows) if (rule := _broken(row, sheet))}
    lost = {c.name: Lost() for c in wanted}
    arrays = []
    for column in wanted:
        place, mine = sheet.names[column.native], lost[column.name]
        values: list[str | None] = []
        for i, row in enumerate(rows):
            cell = None if i in damaged else row.cells.get(place)
            if isinstance(cell, Cell):
                text, rule = text_of(cell, column, sheet.taking)
                if rule:
                    mine.texts[i], mine.rules[i] = text or "", rule
                    text = None
                values.append(text)
            else:
                values.append(cell)
        arrays.append(pa.array(values, pa.string()))
    batch = pa.RecordBatch.from_arrays(arrays, names=[c.name for c in wanted])
    unread = {name: found.texts for name, found in lost.items() if found.texts}
    because = {name: lost[name].rules for name in unread}
    return Chunk(batch, at[0], at[1], damaged, unread=unread, because=because)


def _broken(row: SheetRow, sheet: OpenSheet) -> str:
    """The rule that a whole row breaks, or an empty text."""
    if row.merged:
        return MERGED
    if not row.cells.keys() <= sheet.header.keys():
        return CELLS  # a value below no name
    if row.cells == sheet.header:
        return HEADER
    return ""
