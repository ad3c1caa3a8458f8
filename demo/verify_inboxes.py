"""Compares what consumers hold with what their agreements say now, row by row.

What they say is the agreement's own query, treated and gated (`Deliver.preview`), run over the
whole registry: it knows nothing of what was delivered, when, or of any record of it. What they hold
is read out of their systems.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from demo.planting import text_frame
from demo.run import DemoCity
from onecard.app.wiring import Hub
from onecard.operations import night
from schemas.models.agreement import Agreement

EVERYTHING = 1 << 40
ZONE = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class InboxVerdict:
    """Of one agreement: what the consumer holds, beside what it should.

    Attributes:
        granted: rows that the agreement gives now.
        held: rows that the consumer has.
        missing: granted, but not there.
        differing: there, with another value.
        extra: there, and not granted; of statistics, and where deletes are not told, always 0.
    """

    granted: int
    held: int
    missing: int = 0
    differing: int = 0
    extra: int = 0

    @property
    def same(self) -> bool:
        """Whether the consumer holds what it should."""
        return not (self.missing or self.differing or self.extra)


def verify_inboxes(hub: Hub, city: DemoCity) -> dict[str, InboxVerdict]:
    """Compare every agreement; all are `same` after a night that ended well.

    Args:
        hub: after its night.
        city: where the inboxes are.
    """
    found: dict[str, InboxVerdict] = {}
    for consumer in sorted({a.consumer for a in hub.catalogue.agreements.values()}):
        wanted = night.agreements(hub, consumer)
        held = city.inbox(consumer) if wanted else {}
        for name in wanted:
            granted = hub.deliver(name).preview(EVERYTHING)
            there = held.get(name, pl.DataFrame())
            found[name] = compared(hub.catalogue.agreement(name), granted, there)
    return found


def compared(agreement: Agreement, granted: pl.DataFrame, held: pl.DataFrame) -> InboxVerdict:
    """Compare one inbox.

    Args:
        agreement: whose.
        granted: what it gives now, treated; its columns.
        held: what the consumer has, in types of its own.
    """
    names, key = list(agreement.names), list(agreement.key)
    if not len(granted):
        extra = len(held) if agreement.tells_deletes else 0
        return InboxVerdict(0, len(held), extra=extra)
    if not len(held):
        return InboxVerdict(len(granted), 0, missing=len(granted))
    now = alike(granted.select(names), granted.schema)
    there = alike(held.select(names), granted.schema)
    missing = len(now.join(there, on=key, how="anti", nulls_equal=True))
    extra = len(there.join(now, on=key, how="anti", nulls_equal=True))
    wrong = len(now.join(there, on=_told_columns(agreement), how="anti", nulls_equal=True))
    told = extra if agreement.tells_deletes else 0
    return InboxVerdict(len(now), len(there), missing, wrong - missing, told)


def _told_columns(agreement: Agreement) -> Sequence[str]:
    """All columns, but for those of joins whose change alone sends nothing."""
    ignored = {j.alias for j in agreement.joins if j.on_change == "ignore"}
    return [
        f.name
        for f in agreement.fields
        if f.name in agreement.key or (f.origin or "").rpartition(".")[0] not in ignored
    ]


def alike(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """A frame as text in which equal values are equal, however an inbox keeps them.

    Args:
        frame: has these columns, in types of its own.
        schema: as the agreement gives them, treated.
    """
    columns = []
    for name, kind in schema.items():
        column = pl.col(name)
        if isinstance(kind, pl.Datetime):
            column = _moment(frame.schema[name], column)
        elif isinstance(kind, pl.Decimal):
            column = column.cast(pl.String).cast(pl.Decimal(38, kind.scale))
        columns.append(column)
    texts = text_frame(frame.select(columns))
    return texts.select(pl.all().fill_null(""))


def _moment(kind: pl.DataType, column: pl.Expr) -> pl.Expr:
    """An instant; where an inbox has no zone, it has Beijing time."""
    if kind == pl.String:
        return column.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", time_zone=ZONE)
    if isinstance(kind, pl.Datetime) and kind.time_zone is None:
        return column.cast(pl.Datetime("us")).dt.replace_time_zone(ZONE)
    return column.cast(pl.Datetime("us", kind.time_zone)).dt.convert_time_zone(ZONE)  # type: ignore[attr-defined]
