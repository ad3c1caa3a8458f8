"""Losses of cards: when each consumer of the card's status had confirmed them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg import sql

from onecard.store.database import Connection
from quality.reports.facts import midnight
from schemas.models.catalogue import Catalogue

STATUS_DATASET = "hrss/card_status_event"
_TABLE = "hrss__card_status_event"


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses of cards in a span, and when one consumer had confirmed them.

    Attributes:
        same: cards' events whose present version the consumer has confirmed, of `rows`.
    """

    agreement: str
    losses: int
    in_time: int
    unconfirmed: int
    same: int
    rows: int


def losses(
    connection: Connection,
    known: Catalogue,
    span: tuple[date, date],
    wanted: tuple[Sequence[str], int],
    as_of: datetime,
) -> list[Losses]:
    """For each event agreement on the card's status: losses and their confirmation.

    A loss is confirmed when the first confirmed delivery of its version, or of a later one, ended;
    which versions a delivery carried is what its signed receipt says.
    `wanted` holds the event types that are losses, and the limit in seconds.
    """
    there = connection.execute("SELECT to_regclass(%s)", (f"registry.{_TABLE}",)).fetchone()
    if there is None or there[0] is None:
        return []
    statement = sql.SQL(_LOSSES).format(table=sql.Identifier("registry", _TABLE))
    events, seconds = wanted
    found = []
    for agreement in sorted(known.agreements.values(), key=lambda a: a.id):
        if agreement.dataset != STATUS_DATASET or agreement.mode != "event":
            continue
        values = {
            "agreement": agreement.id,
            "dataset": STATUS_DATASET,
            "events": list(events),
            "seconds": seconds,
            "start": midnight(span[0], as_of),
            "end": midnight(span[1], as_of),
        }
        row: Any = connection.execute(statement, values).fetchone()
        found.append(Losses(agreement.id, *(int(n) for n in row)))
    return found


# `ended` runs from the newest version down: the least end so far is the first confirmed delivery
# of that version or a later one. One sort, where a look-up for each version would be quadratic.
_LOSSES = (
    "WITH loss AS (SELECT _version AS v, effective_at AS at FROM {table} WHERE event_type ="
    " ANY(%(events)s) AND effective_at >= %(start)s AND effective_at < %(end)s),"
    " moments AS (SELECT DISTINCT v, CAST(NULL AS timestamptz) AS ended, TRUE AS mine FROM loss"
    " UNION ALL SELECT CAST(CAST(body AS jsonb) #>> ARRAY['versions', %(dataset)s] AS bigint),"
    " hub_time + (finished_at - started_at), FALSE FROM ledger.transfer t JOIN ledger.receipt r"
    " ON r.transfer = t.id WHERE subject = %(agreement)s AND direction = 'deliver'"
    " AND status = 'confirmed' AND hub_time >= %(start)s),"
    " arrived AS (SELECT v, ended AS at FROM (SELECT v, mine, min(ended) OVER"
    " (ORDER BY v DESC RANGE UNBOUNDED PRECEDING) AS ended FROM moments) m WHERE mine),"
    " held AS (SELECT coalesce(max(version), 0) AS v FROM ledger.delivered"
    " WHERE agreement = %(agreement)s AND dataset = %(dataset)s)"
    " SELECT count(*), count(*) FILTER (WHERE a.at - l.at <= make_interval(secs => %(seconds)s)),"
    " count(*) FILTER (WHERE a.at IS NULL),"
    " (SELECT count(*) FROM {table}, held WHERE _version <= held.v),"
    " (SELECT count(*) FROM {table}) FROM loss l LEFT JOIN arrived a USING (v)"
)
