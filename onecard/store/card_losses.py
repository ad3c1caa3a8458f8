"""Losses of cards, and when a consumer of the card's status had confirmed them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from onecard.base.sql_text import query
from onecard.store.database import Connection, fetch_one, relation_exists
from onecard.store.report_frames import Span

# `ended` runs from the newest version down: the least end so far is the first confirmed delivery
# of that version or a later one. One sort, where a look-up for each version would be quadratic.
_LOSSES: LiteralString = (
    "WITH loss AS (SELECT _version AS v, effective_at AS at FROM {table} WHERE event_type ="
    " ANY(%(events)s) AND effective_at >= %(start)s AND effective_at < %(end)s),"
    " moments AS (SELECT DISTINCT v, CAST(NULL AS timestamptz) AS ended, TRUE AS mine FROM loss"
    " UNION ALL SELECT CAST(CAST(body AS jsonb) #>> ARRAY['versions', %(dataset)s] AS bigint),"
    " hub_time + (finished_at - started_at), FALSE FROM ledger.transfer t JOIN ledger.receipt r"
    " ON r.transfer = t.id WHERE subject = %(agreement)s AND direction = 'deliver'"
    " AND status = 'confirmed' AND hub_time >= %(start)s"
    " UNION ALL SELECT version, hub_time + (finished_at - started_at), FALSE FROM ledger.folded"
    " WHERE subject = %(agreement)s AND direction = 'deliver' AND dataset = %(dataset)s"
    " AND day >= CAST(%(start)s AT TIME ZONE 'Asia/Shanghai' AS date) AND hub_time >= %(start)s),"
    " arrived AS (SELECT v, ended AS at FROM (SELECT v, mine, min(ended) OVER"
    " (ORDER BY v DESC RANGE UNBOUNDED PRECEDING) AS ended FROM moments) m WHERE mine),"
    " held AS (SELECT coalesce(max(version), 0) AS v FROM ledger.delivered"
    " WHERE agreement = %(agreement)s AND dataset = %(dataset)s)"
    " SELECT count(*) AS losses, count(*) FILTER"
    " (WHERE a.at - l.at <= make_interval(secs => %(seconds)s)) AS in_time,"
    " count(*) FILTER (WHERE a.at IS NULL) AS unconfirmed,"
    " (SELECT count(*) FROM {table}, held WHERE _version <= held.v) AS same,"
    " (SELECT count(*) FROM {table}) AS rows FROM loss l LEFT JOIN arrived a USING (v)"
)


@dataclass(frozen=True, slots=True)
class LossCounts:
    """Losses of cards in a span, and when one consumer had confirmed them; numbers are rows.

    Attributes:
        unconfirmed: losses that no delivery has carried yet.
        same: cards' events whose present version the consumer has confirmed, of `rows`.
    """

    losses: int
    in_time: int
    unconfirmed: int
    same: int
    rows: int


@dataclass(frozen=True, slots=True)
class Loss:
    """What counts as a loss that is confirmed in time.

    Attributes:
        events: event types that are losses.
        seconds: limit from the event to the end of the first confirmed delivery.
    """

    events: Collection[str]
    seconds: int


@dataclass(frozen=True, slots=True)
class StatusTable:
    """Where events of the card's status are published: a dataset and its table in `registry`."""

    dataset: str
    table: str


def published(connection: Connection, status: StatusTable) -> bool:
    """Whether anything of the card's status is published."""
    return relation_exists(connection, f"registry.{status.table}")


def counts(
    connection: Connection, agreement: str, status: StatusTable, loss: Loss, span: Span
) -> LossCounts:
    """Losses of the span and their confirmation by one event agreement's consumer.

    A loss is confirmed when the first confirmed delivery of its version, or of a later one, ended;
    which versions a delivery carried is what its signed receipt says.

    Args:
        connection: of the hub's database.
        agreement: id of the event agreement.
        status: where the events are published.
        loss: which events are losses, and the limit.
        span: of the events' times.
    """
    statement = query(_LOSSES, table=sql.Identifier("registry", status.table))
    values = {
        "agreement": agreement,
        "dataset": status.dataset,
        "events": list(loss.events),
        "seconds": loss.seconds,
        "start": span.start,
        "end": span.end,
    }
    return fetch_one(connection, LossCounts, statement, values) or LossCounts(0, 0, 0, 0, 0)
