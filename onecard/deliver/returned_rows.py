"""How rejected rows are shown to the agency that they came from: masked, sealed, or plain.

Where a row stood and why it was rejected stands beside its values, which are under the agency's own
column names. What sends them back, and what gives them to a steward, says it the same way.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from onecard.base import personal
from onecard.deliver.treatment_display import SHOWN_LEVELS
from onecard.ports.desk import Desk
from onecard.store.quarantine import Record
from schemas.models import semantic
from schemas.models.contract import Contract, Field
from schemas.models.expected import expected

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

Row = tuple[Record, dict[str, str | None]]
Title = Callable[[str], str]
"""A built-in rule's Chinese title."""

RECORD, NUMBER, ORIGIN, REASONS = "hub_record", "hub_row", "hub_origin", "hub_reasons"
SEALED, EPOCH = "hub_sealed", "hub_key_epoch"


@dataclass(frozen=True, slots=True)
class Returning:
    """Rejected rows of one dataset on their way to its own agency.

    Attributes:
        hub: has keys and suite, for rows that are sealed.
        title: a built-in rule's Chinese title.
    """

    hub: Desk
    contract: Contract
    treatment: Literal["masked", "sealed", "plain"]
    title: Title

    def table(self, rows: Sequence[Row]) -> pa.Table:
        """Columns: `RECORD`, `NUMBER`, `ORIGIN`, `REASONS`, then the agency's own, as text.

        Sealed rows have `SEALED` and `EPOCH` instead of their own columns.
        """
        import pyarrow as pa  # noqa: PLC0415 - only where rows flow

        reasons = [self.reasons(record) for record, _ in rows]
        found: dict[str, Any] = {
            RECORD: pa.array([record.id for record, _ in rows], pa.int64()),
            NUMBER: pa.array([record.row_number for record, _ in rows], pa.int64()),
            ORIGIN: pa.array([record.origin for record, _ in rows], pa.string()),
            REASONS: pa.array(reasons, pa.string()),
        }
        return pa.table(found | self._values(rows))

    def reasons(self, record: Record) -> str:
        """All reasons of a row in Chinese, and what was expected."""
        return "；".join(self._reason(field, rule) for field, rule in record.reasons)

    def _reason(self, field: str, rule: str) -> str:
        names = {f.name: f.title for f in self.contract.fields}
        own = {r.name: r.title for r in self.contract.rules}
        where = f"{names.get(field, field)}：" if field else ""
        form = expected(self.contract, field, rule, "zh")
        return where + (own.get(rule) or self.title(rule)) + (f"（应为：{form}）" if form else "")

    def _values(self, rows: Sequence[Row]) -> dict[str, pa.Array]:
        if self.treatment == "sealed":
            return self._sealed(rows)
        import polars as pl  # noqa: PLC0415 - only where rows flow

        values = [given for _, given in rows]
        shown = masked_rows if self.treatment == "masked" else _frame
        frame = shown(self.contract, values)
        level = pl.CompatLevel.oldest()
        return {f.native: frame[f.name].to_arrow(compat_level=level) for f in self.contract.fields}

    def _sealed(self, rows: Sequence[Row]) -> dict[str, pa.Array]:
        """Each row as JSON by native names, sealed; bound to its dataset and record."""
        import pyarrow as pa  # noqa: PLC0415 - only where rows flow

        key = self.hub.keys.handback(self.contract.agency)
        natives = {field.name: field.native for field in self.contract.fields}
        texts = []
        for record, values in rows:
            plain = {natives[n]: _text(v) for n, v in values.items() if n in natives}
            content = json.dumps(plain, ensure_ascii=False, sort_keys=True).encode()
            bound = f"{self.contract.id}|{record.id}".encode()
            sealed = self.hub.suite.seal(key.secret, content, bound)
            texts.append(base64.b64encode(sealed).decode())
        epochs = pa.array([key.epoch] * len(rows), pa.string())
        return {SEALED: pa.array(texts, pa.string()), EPOCH: epochs}


def masked_rows(
    contract: Contract,
    values: Sequence[dict[str, str | None]],
    names: Collection[str] | None = None,
) -> pl.DataFrame:
    """Rejected rows under the masks of their semantic types.

    Args:
        contract: of their dataset.
        values: of each row, by field.
        names: only these fields; None: all.

    Returns:
        One text column for each field, by its name; NULL where a value has no mask and is not
        harmless, or does not fit its mask.
    """
    fields = [f for f in contract.fields if names is None or f.name in names]
    frame = _texts(fields, values)
    return frame.select(_masked(frame, field) for field in fields)


def _frame(contract: Contract, values: Sequence[dict[str, str | None]]) -> pl.DataFrame:
    return _texts(contract.fields, values)


def _texts(fields: Sequence[Field], values: Sequence[dict[str, str | None]]) -> pl.DataFrame:
    """A text column for each field."""
    import polars as pl  # noqa: PLC0415 - only where rows flow

    return pl.DataFrame(
        {f.name: [_text(given.get(f.name)) for given in values] for f in fields},
        schema=dict.fromkeys([f.name for f in fields], pl.String),
    )


def _masked(frame: pl.DataFrame, field: Field) -> pl.Expr | pl.Series:
    """A column by its semantic mask; what has none is shown only where it is harmless."""
    import polars as pl  # noqa: PLC0415 - only where rows flow

    from onecard.deliver.treatment import mask  # noqa: PLC0415 - only where rows flow

    column, name = pl.col(field.name), field.semantic_type.mask
    if name is not None:
        hidden, pattern = mask(name, column), semantic.load().masks[name].pattern
        fits = hidden.str.contains(pattern)
        return pl.when(fits).then(hidden).otherwise(None).alias(field.name)
    if field.level in SHOWN_LEVELS and field.pii in ("NONE", "PI"):
        texts = [v if v is None else personal.redact(v) for v in frame[field.name]]
        return pl.Series(field.name, texts, dtype=pl.String)
    return pl.Series(field.name, [None] * len(frame), dtype=pl.String)


def _text(value: str | None) -> str | None:
    """Text that any receiver can store: halves of characters become a question mark."""
    return None if value is None else value.encode("utf-8", "replace").decode()
