"""Events that a consumer should have and has not confirmed: how many, and the oldest of each kind.

What waits is what was published since the version that the consumer has confirmed, and is in the
agreement's scope now. It is found by the index on versions, which deliveries have made, and at most
`MOST` of it are looked at, so that a consumer that was away for a month costs no more than one that
was away for an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from psycopg import sql

from onecard.base.sql_text import query
from onecard.deliver import measured_sql
from onecard.deliver.carrier_sql import CarrierSql
from onecard.deliver.scope_sql import BASE, ScopeSql
from onecard.store import datasets, deliveries
from onecard.store.database import Connection, fetch_all
from schemas.models.agreement import Agreement
from schemas.models.contract import Contract
from schemas.models.reaction import Events

MOST = 10_000
"""So many events that wait are looked at, those published first."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Events of one kind that wait for their consumer.

    Attributes:
        events: how many; `MOST` in all stands for so many or more.
        oldest: when the oldest of them happened.
    """

    kind: str
    events: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Waits:
    """Looks for events of one agreement that wait.

    Attributes:
        contracts: of what the agreement reads.
        events: what is measured of its dataset.
        today: for age conditions.
    """

    agreement: Agreement
    contracts: Mapping[str, Contract]
    events: Events
    today: date

    def of(self, connection: Connection) -> list[Waiting]:
        """By kind; nothing before the first delivery, which brings a history.

        Nor where a dataset that the agreement reads has no contract or was never collected: then
        no delivery can choose its rows either, and says so itself.

        Args:
            connection: of the hub's database.
        """
        lines = deliveries.delivered(connection, self.agreement.id)
        after = [line.version for line in lines if line.dataset == self.agreement.dataset]
        needed = set(self.agreement.datasets)
        there = datasets.versions(connection, needed).keys() & self.contracts.keys()
        if not after or not needed <= there:
            return []
        return fetch_all(connection, Waiting, self._statement(after[0]))

    def _statement(self, after: int) -> sql.Composed:
        rows = ScopeSql(self.agreement, self.contracts, self.today)
        carriers = CarrierSql.of(self.contracts[self.agreement.dataset])
        kind, version = measured_sql.kind(self.events, rows.path), sql.Identifier(BASE, "_version")
        return query(
            "SELECT kind, count(*) AS events, min(at) AS oldest FROM"
            " (SELECT {kind} AS kind, {at} AS at FROM {tables} WHERE {scope}"
            " AND ({version} > {after} AND {first} > {after} OR {left_out}) AND {kind} IS NOT NULL"
            " ORDER BY {version} LIMIT {most}) w GROUP BY kind ORDER BY kind",
            kind=kind,
            at=rows.path(self.events.since),
            tables=rows.tables(),
            scope=sql.SQL(" AND ").join(rows.conditions()),
            version=version,
            first=sql.Identifier(BASE, "_first_version"),
            after=sql.Literal(after),
            left_out=carriers.waiting(self.agreement.id) if carriers else query("false"),
            most=sql.Literal(MOST),
        )
