"""How long the events of a delivery took to their consumer's confirmation, and why some were late.

Only an event's first way to a consumer counts: a row that was published since the last confirmed
delivery, and of which the record of what the consumer holds knows nothing. A delivery of rows that
are sent again, and the first delivery of a history, say nothing of how fast events travel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from onecard.deliver.lateness import (
    ENDED,
    MOMENT,
    OPENED,
    PUBLISHED,
    SECONDS,
    WAITED,
    Lateness,
    utc,
)
from onecard.model import measured
from onecard.model.reaction import AHEAD, LATER, Breach, buckets_of
from onecard.store import holding, reaction, reaction_facts
from onecard.store.database import Connection
from onecard.store.reaction_facts import Moments
from schemas.models.agreement import Agreement
from schemas.models.reaction import Expectation

IS_LATER = "later"
COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    measured.KIND: pl.String,
    measured.AT: MOMENT,
    measured.TRANSFER: pl.Int64,
    IS_LATER: pl.Boolean,
    WAITED: pl.Boolean,
}
"""Of the events that left; `later`: within the consumer's reach only after their publication;
`waited`: an earlier delivery left them out, until the old carrier was blocked elsewhere."""


@dataclass(frozen=True, slots=True)
class Measuring:
    """Measures the events of one agreement.

    Attributes:
        after: version of its dataset that the consumer has confirmed.
    """

    agreement: Agreement
    expectation: Expectation
    after: int

    def new(self, raw: pl.DataFrame, was: pl.Series, *, rekeyed: bool) -> pl.Series:
        """Rows that the consumer has not, as far as its record tells.

        Args:
            raw: as selected, columns of `onecard.model.measured` among them.
            was: what the record has of each, as `KnownRows.digests` tells it.
            rekeyed: the record was made under another key, and tells of no changed row what it was.
        """
        new = was.fill_null(holding.UNKNOWN) == holding.UNKNOWN
        if rekeyed:
            new &= was.is_null() | (raw[measured.FIRST] > self.after).fill_null(value=True)
        return new

    def events(self, raw: pl.DataFrame, first: pl.Series) -> tuple[pl.DataFrame, ...]:
        """Events among the rows of a batch, as one frame of `COLUMNS`; nothing without any.

        Args:
            raw: as selected.
            first: rows that leave, and that the consumer has not.
        """
        found = raw.filter(first & raw[measured.KIND].is_not_null())
        if not len(found):
            return ()
        later = (found[measured.FIRST] <= self.after).fill_null(value=False)
        waited = found[measured.FIRST].is_null()
        found = found.with_columns(later.alias(IS_LATER), waited.alias(WAITED))
        return (found.select(pl.col(name).cast(kind) for name, kind in COLUMNS.items()),)

    def note(self, connection: Connection, transfer: int, events: Sequence[pl.DataFrame]) -> None:
        """Count the events of a delivery, and note those that are late, with their cause.

        Args:
            connection: in the transaction that confirms.
            transfer: the delivery.
            events: that left, at least one frame; columns `COLUMNS`.
        """
        moments = reaction_facts.moments(connection, transfer)
        at = utc(moments.confirmed)
        hour = at.replace(minute=0, second=0, microsecond=0)
        known = _with_publications(connection, pl.concat(events))
        took = (pl.lit(at) - pl.col(measured.AT)).dt.total_microseconds() / 1e6
        ahead = pl.col(measured.AT) > pl.col(PUBLISHED)
        timed = known.with_columns(took.alias(SECONDS), ahead.alias("ahead"))
        buckets = buckets_of(timed[SECONDS].to_numpy())
        bucket = (
            pl.when(pl.col("ahead"))
            .then(AHEAD)
            .when(pl.col(IS_LATER))
            .then(LATER)
            .otherwise(pl.lit(pl.Series(buckets)))
        )
        counted = timed.with_columns(bucket.alias("bucket")).group_by(measured.KIND, "bucket").len()
        numbers = {(kind, bucket): n for kind, bucket, n in counted.iter_rows()}
        reaction.add(connection, self.agreement.id, hour, numbers)
        steady = timed.filter(~pl.col("ahead") & ~pl.col(IS_LATER))
        lateness = Lateness(connection, self.agreement, transfer, moments)
        found = [
            Breach(self.agreement.id, kind, cause, allowed, hour, number, worst, at, at)
            for kind, allowed, late in self._late(steady, moments)
            for cause, number, worst in lateness.causes(late)
        ]
        reaction.add_breaches(connection, found)

    def _late(
        self, events: pl.DataFrame, moments: Moments
    ) -> Iterator[tuple[str, str, pl.DataFrame]]:
        """For each kind with a limit: its name, the limit, and the events beyond it, if any."""
        for kind, limit in self.expectation.limits.items():
            latest = utc(limit.latest(moments.confirmed))
            late = events.filter(
                (pl.col(measured.KIND) == kind) & (pl.col(measured.AT) < pl.lit(latest))
            )
            if len(late):
                yield kind, str(limit), late


def _with_publications(connection: Connection, events: pl.DataFrame) -> pl.DataFrame:
    """With `OPENED`, `PUBLISHED`, `ENDED` of its collect; without one, the event's time."""
    ids = events[measured.TRANSFER].unique().to_list()
    found = reaction_facts.publications(connection, ids)
    lines = pl.DataFrame(
        [(p.transfer, *map(utc, (p.opened, p.published, p.ended))) for p in found],
        schema={measured.TRANSFER: pl.Int64, OPENED: MOMENT, PUBLISHED: MOMENT, ENDED: MOMENT},
        orient="row",
    )
    dated = events.join(lines, on=measured.TRANSFER, how="left")
    return dated.with_columns(pl.col(OPENED, PUBLISHED, ENDED).fill_null(pl.col(measured.AT)))
