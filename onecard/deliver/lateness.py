"""Why events reached their consumer too late: the longest part of their way, and what befell it.

An event's way has four parts: until the collect that published it was opened, until it was
published, until the delivery that brought it was opened, until that was confirmed. The longest is
what made it late; what the ledger knows of that part names the cause (`onecard.model.reaction`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import numpy as np
import polars as pl

from onecard.base.flags import flags
from onecard.model import measured
from onecard.model.reaction import CAUSES, Cause
from onecard.store import reaction_facts
from onecard.store.database import Connection
from onecard.store.reaction_facts import Moments
from schemas.models.agreement import Agreement

MOMENT = pl.Datetime("us", "UTC")
OPENED, PUBLISHED, ENDED, SECONDS = "opened", "published", "ended", "seconds"
"""When the collect of an event was opened and published, and the latter by the database's clock;
how long the event's whole way took."""
WAITED = "waited"
"""Whether an earlier delivery left the event out, until the old carrier was blocked elsewhere."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """Tells why events of one delivery are late.

    Attributes:
        connection: in the transaction that confirms.
        transfer: the delivery.
        moments: of it.
    """

    connection: Connection
    agreement: Agreement
    transfer: int
    moments: Moments

    def causes(self, late: pl.DataFrame) -> Iterator[tuple[Cause, int, float]]:
        """For each cause: how many events, and the seconds of the slowest.

        Args:
            late: events, at least one; columns `measured.AT`, `measured.TRANSFER`, `OPENED`,
                `PUBLISHED`, `SECONDS`, `WAITED`.
        """
        named = late.select(self._cause(late).alias("cause"), SECONDS)
        found = named.group_by("cause").agg(pl.len(), pl.col(SECONDS).max())
        by = {cause: (events, worst) for cause, events, worst in found.iter_rows()}
        yield from ((cause, *by[cause]) for cause in CAUSES if cause in by)

    def _cause(self, late: pl.DataFrame) -> pl.Series:
        """What the longest part of each event's way comes from."""
        opened, confirmed = (utc(m) for m in (self.moments.opened, self.moments.confirmed))
        parts = late.select(
            collect=pl.col(OPENED) - pl.col(measured.AT),
            publish=pl.col(PUBLISHED) - pl.col(OPENED),
            deliver=pl.lit(opened) - pl.col(PUBLISHED),
            send=pl.lit(confirmed - opened),
        )
        longest = pl.max_horizontal(parts.columns)
        return parts.select(
            pl.when(pl.col("collect") == longest)
            .then(pl.lit(self._before_collect(late)))
            .when(pl.col("publish") == longest)
            .then(pl.lit("collect"))
            .when(pl.col("deliver") == longest)
            .then(pl.lit(self._before_delivery(late)))
            .otherwise(pl.lit("consumer"))
        ).to_series()

    def _before_collect(self, late: pl.DataFrame) -> pl.Series:
        """Why nothing was collected for so long.

        A collect that was opened after the event and has not brought it, or a lane that looked at
        the source all the time, shows that the agency offered it late.
        """
        dataset, at = self.agreement.dataset, late[measured.AT]
        first = cast("datetime", at.min())
        found = reaction_facts.troubles(self.connection, "collect", dataset, first)
        span = (at, late[OPENED])
        held = _any_within((t.at for t in found if t.status == "held"), *span)
        failed = _any_within((t.at for t in found if t.status == "failed"), *span)
        ids = late[measured.TRANSFER].unique().to_list()
        before = reaction_facts.looked_before(self.connection, dataset, ids)
        looks = pl.DataFrame(
            [(transfer, utc(moment)) for transfer, moment in before.items()],
            schema={measured.TRANSFER: pl.Int64, "looked": MOMENT},
            orient="row",
        )
        looked = late.join(looks, on=measured.TRANSFER, how="left", maintain_order="left")["looked"]
        watched = reaction_facts.watched_since(self.connection, dataset, self.transfer)
        offered_late = (looked > at).fill_null(value=False)
        if watched is not None:
            offered_late = offered_late | (at >= utc(watched))
        return pl.select(
            pl.when(held)
            .then(pl.lit("collect_held"))
            .when(failed)
            .then(pl.lit("collect_failed"))
            .when(offered_late)
            .then(pl.lit("source"))
            .otherwise(pl.lit("collect"))
        ).to_series()

    def _before_delivery(self, late: pl.DataFrame) -> pl.Series:
        """Why nothing was delivered for so long after the publication."""
        agreement, published = self.agreement, late[PUBLISHED]
        first = cast("datetime", published.min())
        found = reaction_facts.troubles(self.connection, "deliver", agreement.id, first)
        end = pl.repeat(utc(self.moments.opened), len(late), eager=True).cast(MOMENT)
        span = (published, end)
        held = _any_within((t.at for t in found if t.status == "held"), *span)
        blocked = _any_within((t.at for t in found if t.blocked), *span)
        failed = _any_within((t.at for t in found if t.status == "failed"), *span)
        consumer = agreement.consumer
        permitted = reaction_facts.permitted_since(self.connection, agreement.id, consumer)
        suspended = flags(len(late))
        if permitted is not None:
            suspended = late[ENDED] < utc(permitted)
        return pl.select(
            pl.when(suspended)
            .then(pl.lit("suspended"))
            .when(held)
            .then(pl.lit("held"))
            .when(blocked)
            .then(pl.lit("blocked"))
            .when(failed)
            .then(pl.lit("consumer"))
            .when(late[WAITED])
            .then(pl.lit("order"))
            .otherwise(pl.lit("delivery"))
        ).to_series()


def utc(at: datetime) -> datetime:
    """The same instant, as Polars takes it."""
    return at.astimezone(UTC)


def _any_within(moments: Iterable[datetime], start: pl.Series, end: pl.Series) -> pl.Series:
    """Whether any of these moments lies within each row's span."""
    ordered = pl.Series([utc(m) for m in moments], dtype=MOMENT).sort().to_physical().to_numpy()
    first, last = (column.to_physical().to_numpy() for column in (start, end))
    before = np.searchsorted(ordered, first, "left")
    return pl.Series(np.searchsorted(ordered, last, "right") > before)
