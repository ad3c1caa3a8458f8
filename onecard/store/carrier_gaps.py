"""Carriers whose events skip a number: in what is staged and published, and those known to.

Table `registry.carrier_gap`; it holds values of rows and therefore stands beside them. A carrier
begins with whatever event of it is the first that is known.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from psycopg import sql

from onecard.base.sql_text import query
from onecard.store import registry, retention, staging
from onecard.store.database import Connection, fetch_all
from schemas.models.carrier import Carrier
from schemas.models.contract import Contract

KEPT = retention.CHANGES_KEPT
"""So long a gap is looked at again; what its source has lost by then does not come any more."""
LISTED = 3
"""So many references are named where gaps are listed."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A carrier whose events skip a number.

    Attributes:
        before: cursor of the event before the gap; None without a cursor.
    """

    carrier: str = field(repr=False)
    before: datetime | None


@dataclass(frozen=True, slots=True)
class OpenGaps:
    """Known gaps of one dataset.

    Attributes:
        since: when the first of them was seen.
        carriers: how many there are.
        refs: keyed references of some of them, as hexadecimal text.
    """

    dataset: str
    since: datetime
    carriers: int
    refs: list[str]


def staged(
    connection: Connection, contract: Contract, carrier: Carrier, transfer: int
) -> list[Gap]:
    """Gaps of carriers of whom something new is staged, or that are to be looked at again.

    Args:
        connection: of the hub's database.
        contract: of a dataset that is published.
        carrier: its block.
        transfer: that has staged rows.

    Returns:
        Those that begin first come first.
    """
    there, here = registry.published(contract), staging.table(contract, transfer)
    statement = query(
        "WITH asked AS MATERIALIZED (SELECT s.{carrier} AS carrier FROM {here} s"
        " LEFT JOIN {there} t ON {pairs} WHERE t.{key} IS NULL"
        " UNION SELECT g.carrier FROM registry.carrier_gap g WHERE g.dataset = {dataset}"
        " AND g.next_look <= clock_timestamp())"
        " SELECT carrier, min(at) AS before FROM (SELECT carrier, number,"
        " lag(number) OVER w AS last, lag(at) OVER w AS at FROM ({known}) k"
        " WINDOW w AS (PARTITION BY carrier ORDER BY number)) steps"
        " WHERE number > last + 1 GROUP BY carrier ORDER BY before, carrier",
        carrier=sql.Identifier(carrier.field),
        here=here,
        there=there,
        pairs=staging.pairs(contract.key),
        key=sql.Identifier(contract.key[0]),
        dataset=sql.Literal(contract.id),
        known=sql.SQL(" UNION ALL ").join(
            [
                _numbers(contract, carrier, there, query("r._deleted_at IS NULL")),
                _numbers(contract, carrier, here, query("true")),
            ]
        ),
    )
    return fetch_all(connection, Gap, statement)


def _numbers(
    contract: Contract, carrier: Carrier, table: sql.Identifier, where: sql.Composed
) -> sql.Composed:
    """Number and cursor of the events of the carriers that are asked for."""
    cursor = contract.source.cursor
    return query(
        "SELECT asked.carrier, r.{number} AS number, {at} AS at FROM asked JOIN {t} r"
        " ON r.{carrier} = asked.carrier WHERE {where}",
        number=sql.Identifier(carrier.sequence),
        at=sql.Identifier("r", cursor) if cursor else query("CAST(NULL AS timestamptz)"),
        t=table,
        carrier=sql.Identifier(carrier.field),
        where=where,
    )


def note(
    connection: Connection, dataset: str, found: Collection[tuple[str, bytes]], asked: int
) -> None:
    """Write gaps that stay; those of which the source was asked are looked at ever more rarely.

    Args:
        connection: outside a transaction.
        dataset: its id.
        found: carriers with their keyed references.
        asked: of the first so many the source was asked.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO registry.carrier_gap AS g (dataset, carrier, ref, looks, next_look)"
            " VALUES (%(dataset)s, %(carrier)s, %(ref)s, %(asked)s::int,"
            " clock_timestamp() + make_interval(mins => %(asked)s::int))"
            " ON CONFLICT (dataset, carrier) DO UPDATE SET ref = excluded.ref,"
            " looks = g.looks + excluded.looks, next_look = CASE WHEN excluded.looks = 0"
            " THEN g.next_look ELSE clock_timestamp()"
            " + least(make_interval(mins => (1 << least(g.looks, 11))), interval '1 day') END",
            [
                {"dataset": dataset, "carrier": carrier, "ref": ref, "asked": int(n < asked)}
                for n, (carrier, ref) in enumerate(found)
            ],
        )


def close(connection: Connection, contract: Contract, carrier: Carrier) -> None:
    """Forget gaps that are filled, and those that were looked at for long enough.

    Args:
        connection: in the transaction that publishes, after the rows are merged.
        contract: of the dataset.
        carrier: its block.
    """
    connection.execute(
        query(
            "DELETE FROM registry.carrier_gap g WHERE g.dataset = {dataset} AND"
            " (g.since < clock_timestamp() - make_interval(days => {kept}) OR NOT EXISTS"
            " (SELECT FROM (SELECT r.{number} AS number, lag(r.{number}) OVER"
            " (ORDER BY r.{number}) AS last FROM {t} r WHERE r.{carrier} = g.carrier"
            " AND r._deleted_at IS NULL) steps WHERE number > last + 1))",
            dataset=sql.Literal(contract.id),
            kept=sql.Literal(KEPT.days),
            number=sql.Identifier(carrier.sequence),
            carrier=sql.Identifier(carrier.field),
            t=registry.published(contract),
        )
    )


def open_gaps(connection: Connection) -> list[OpenGaps]:
    """Known gaps by dataset."""
    return fetch_all(
        connection,
        OpenGaps,
        "SELECT dataset, min(since) AS since, count(*) AS carriers,"
        " (array_agg(encode(ref, 'hex') ORDER BY since, ref))[1:%s] AS refs"
        " FROM registry.carrier_gap GROUP BY dataset ORDER BY dataset",
        (LISTED,),
    )
