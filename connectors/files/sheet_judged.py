"""Cells of a column that are no plain texts or numbers: each kind of value is judged once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.files.sheet_cells import PLAIN, Cell, Taking, text_of
from connectors.files.sheet_chunks import Lost
from connectors.files.xlsx_book import Workbook
from onecard.native import sheet_scan
from onecard.ports.source import Column


@dataclass(frozen=True, slots=True)
class Judged:
    """Makes texts of such cells.

    Attributes:
        book: has the formats of their styles.
        column: that they stand in.
        taking: how cells are taken.
    """

    book: Workbook
    column: Column
    taking: Taking

    def texts(self, array: pa.Array, forms: npt.NDArray[np.int32]) -> tuple[pa.Array, Lost]:
        """The column's texts, and the values that cannot be taken.

        Args:
            array: cells as the file has them.
            forms: what each is judged by (`SheetTable.forms`); 0: it is a text already.
        """
        lost = Lost()
        for form in np.unique(forms[forms != 0]).tolist():
            mask = pa.array(forms == form)
            coded = array.filter(mask).dictionary_encode()
            texts, rules = self._one_by_one(form, coded.dictionary.to_pylist())
            values = pa.array(texts, pa.string()).take(coded.indices)
            array = pc.replace_with_mask(array, mask, values)
            if rules:
                rows = np.flatnonzero(forms == form).tolist()
                for row, code in zip(rows, coded.indices.to_pylist(), strict=True):
                    if code in rules:
                        lost.texts[row], lost.rules[row] = rules[code]
        return array, lost

    def _one_by_one(
        self, form: int, raws: list[str]
    ) -> tuple[list[str | None], dict[int, tuple[str, str]]]:
        """The texts of some values, and those that break a rule, by their number."""
        kind, style = sheet_scan.judged(form)
        shown = self.book.format(style) if kind == "number" else PLAIN
        texts: list[str | None] = []
        rules: dict[int, tuple[str, str]] = {}
        for code, raw in enumerate(raws):
            text, rule = text_of(Cell(kind, raw, shown), self.column, self.taking)
            texts.append(None if rule else text)
            if rule:
                rules[code] = (text or "", rule)
        return texts, rules
