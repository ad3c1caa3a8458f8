"""Rows by county, for the reports: how many were read and how many went to quarantine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from schemas.models import codes
from schemas.models.contract import Contract

COUNTY_DIGITS = 6
"""GB/T 2260: a county's code is the first six digits of every division below it."""
ELSEWHERE = ""


def field_of(contract: Contract) -> str | None:
    """The field by which rows are counted: where people live, else any division, else None."""
    found = {f.semantic: f.name for f in reversed(contract.fields)}
    return found.get("street") or found.get("division")


class Tally:
    """Counts one transfer's rows; holds nothing but codes of the division register."""

    def __init__(self, contract: Contract) -> None:
        self._known = frozenset(codes.codes("division_zz"))
        self.field = field_of(contract)
        self.read: Counter[str] = Counter()
        self.quarantined: Counter[str] = Counter()

    def add_read(self, batch: pa.RecordBatch) -> None:
        """Count a batch as it was read: columns by contract name, as text or typed."""
        if self.field is None or not batch.num_rows:
            return
        if self.field not in batch.schema.names:  # a source that has the column no more
            self.read[ELSEWHERE] += batch.num_rows
            return
        cut = pc.utf8_slice_codeunits(batch.column(self.field).cast(pa.string()), 0, COUNTY_DIGITS)
        for pair in pc.value_counts(cut):
            self.read[self._place(pair["values"].as_py())] += pair["counts"].as_py()

    def add_quarantined(self, rows: Iterable[Mapping[str, str | None]]) -> None:
        """Count rejected rows by their values."""
        if self.field is not None:
            self.quarantined.update(self._place(row.get(self.field)) for row in rows)

    def _place(self, value: str | None) -> str:
        """A county of the city; every other place, and every bad value, counts as elsewhere."""
        county = (value or "")[:COUNTY_DIGITS]
        return county if county in self._known else ELSEWHERE
