"""Plants defects and duplicates into clean rows and keeps the truth about them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from connectors.common.wire_text import as_text
from demo.chance import Chance
from demo.defects import Defect, Row, of_fields
from demo.rule_defects import RULES
from schemas.models.contract import Contract
from schemas.models.rules import Unique

RATE = 0.003
"""Share of rows that are spoilt, beside one of each kind in the first block."""
DUPLICATE_RATE = 0.0005


@dataclass
class Truth:
    """What was planted into one dataset on one day.

    Attributes:
        rows: rows that the source holds for this day's reading.
        duplicates: exact repeats and older versions among them.
    """

    rows: int = 0
    duplicates: int = 0
    defects: list[dict[str, Any]] = field(default_factory=list)

    def write(self, folder: Path, contract: Contract) -> None:
        """Write one JSON line for each defect."""
        folder.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(d, ensure_ascii=False, default=str) for d in self.defects]
        (folder / f"{contract.table}.jsonl").write_text("\n".join(lines) + "\n" if lines else "")


class Planter:
    """Spoils rows of one dataset; blocks come one after the other."""

    def __init__(
        self, contract: Contract, seed: int, day: int, *, as_text: bool, rate: float = RATE
    ) -> None:
        self._contract, self._seed, self._day, self._as_text = contract, seed, day, as_text
        self._kinds = [*of_fields(contract, as_text=as_text), *RULES.get(contract.id, [])]
        self._unused = list(range(len(self._kinds)))
        self._turn = 0
        self._rate = rate
        self.truth = Truth()

    def spoil(self, clean: pl.DataFrame) -> list[pl.DataFrame]:
        """The rows as the source will hold them: sound ones, then spoilt ones, then repeats.

        Args:
            clean: contract columns and `index` (the person); typed.
        """
        chance = Chance(self._seed, clean["index"].to_numpy())
        chosen = pl.Series(chance.share(f"spoil{self._contract.id}{self._day}", self._rate))
        first = min(3 * len(self._unused), len(clean) // (10 if self._day else 3))
        chosen |= pl.Series(np.arange(len(clean)) < first)
        typed = clean.select(self._contract.names)
        sound, picked = typed.filter(~chosen), typed.filter(chosen)
        frame = text_frame(sound) if self._as_text else sound
        records = (text_frame(picked) if self._as_text else picked).to_dicts()
        spoilt, kept = self._apply(records)
        repeats = self._repeats(frame) + self._collisions(frame)
        self.truth.rows += len(sound) + len(spoilt) + len(kept) + len(repeats)
        extra = [self._frame(rows, frame) for rows in (spoilt, kept, repeats) if rows]
        return [frame, *extra]

    def _apply(self, records: list[Row]) -> tuple[list[Row], list[Row]]:
        spoilt, kept = [], []
        for row in records:
            defect, changes = self._next(row)
            if defect is None:
                kept.append(row)
                continue
            spoilt.append({**row, **changes})
            self._note(row, defect.reasons)
        return spoilt, kept

    def _next(self, row: Row) -> tuple[Defect | None, Row]:
        """A defect that suits the row: first those not used yet, then each in turn."""
        for kind in list(self._unused):
            changes = self._kinds[kind].change(row)
            if changes is not None:
                self._unused.remove(kind)
                return self._kinds[kind], changes
        for _ in range(len(self._kinds)):
            self._turn = (self._turn + 1) % len(self._kinds)
            changes = self._kinds[self._turn].change(row)
            if changes is not None:
                return self._kinds[self._turn], changes
        return None, {}

    def _repeats(self, frame: pl.DataFrame) -> list[Row]:
        """Exact repeats, and where rows have a sequence also older versions of the same key.

        Numbered pages have older versions only: the same row on two of them is a lost one.
        """
        count = max(2, round(len(frame) * DUPLICATE_RATE)) if len(frame) > 20 else 0
        rows = frame.head(count).to_dicts()
        sequence = self._contract.sequence
        if sequence:
            paginator = self._contract.source.options.get("paginator") or {}
            numbered = paginator.get("kind") == "page_number"
            for row in rows if numbered else rows[::2]:
                older = int(row[sequence]) - 1
                row[sequence] = str(older) if self._as_text else older
        self.truth.duplicates += len(rows)
        return rows

    def _collisions(self, frame: pl.DataFrame) -> list[Row]:
        """Rows that repeat another row's unique columns under a new key, and came later."""
        rows: list[Row] = []
        unique = [r for r in self._contract.rules if isinstance(r.check, Unique)]
        for rule in unique:
            for row in frame.tail(3).to_dicts() if len(frame) > 20 else ():
                twin = {**row, self._contract.key[0]: row[self._contract.key[0]] + "D"}
                sequence = self._contract.sequence
                if sequence:
                    later = int(row[sequence]) + 1
                    twin[sequence] = str(later) if self._as_text else later
                rows.append(twin)
                assert isinstance(rule.check, Unique)  # noqa: S101 - chosen above
                self._note(twin, ((rule.check.columns[-1], rule.name),))
        return rows

    def _note(self, row: Row, reasons: tuple[tuple[str, str], ...]) -> None:
        key = {name: row[name] for name in self._contract.key}
        self.truth.defects.append({"key": key, "origin": None, "row": None, "reasons": reasons})

    def _frame(self, rows: list[Row], like: pl.DataFrame) -> pl.DataFrame:
        schema = {
            name: pl.Decimal(24, 7) if isinstance(kind, pl.Decimal) else kind
            for name, kind in like.schema.items()
        }
        return pl.DataFrame(rows, schema=schema)


def text_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """All columns as the text that stands in CSV and JSON."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
    columns = [
        as_text(c.combine_chunks() if isinstance(c, pa.ChunkedArray) else c).cast(pa.large_string())
        for c in table.columns
    ]
    return pl.DataFrame(pl.from_arrow(pa.table(columns, names=table.column_names)))
