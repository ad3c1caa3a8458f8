"""New carriers that a delivery is about to enable, and who has not blocked the old ones, as SQL.

A new carrier is named by the event that blocks the one it replaces (`Carrier.successor`). What is
found stands in tables of the delivery's snapshot, so that it is judged by the state that is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psycopg import sql

from onecard.base.sql_text import query
from onecard.deliver.carrier_sql import HELD, CarrierSql
from onecard.deliver.scope_sql import BASE, ScopeSql

REPLACED = sql.Identifier("pg_temp", "replaced_carrier")
"""New carriers whose events the consumer has not seen. Columns: `successor`, `predecessor`, and
`version`, at which the old one was blocked."""
LAGGING = sql.Identifier("pg_temp", "lagging_carrier")
"""Those that an agreement has not confirmed. Columns: `successor`, `version`, `agreement`."""


@dataclass(frozen=True)
class ReplacementSql:
    """Compiles what a delivery of one agreement asks before it enables a carrier.

    Attributes:
        scope: of the agreement.
        carriers: of its dataset.
    """

    scope: ScopeSql
    carriers: CarrierSql

    def replaced(self, seen: Mapping[str, int], confirmed: int) -> sql.Composed:
        """Makes `REPLACED`.

        Args:
            seen: version of each dataset up to which the consumer has what is in scope.
            confirmed: of this dataset, the version that everybody has confirmed.
        """
        names = self.carriers.carrier
        return query(
            "CREATE TEMP TABLE {made} ON COMMIT DROP AS"
            " WITH fresh AS MATERIALIZED ({fresh})"
            " SELECT {successor} AS successor, {old} AS predecessor, max(_old._version) AS version"
            " FROM fresh f JOIN {t} _old ON {successor} = f.carrier"
            " WHERE _old._deleted_at IS NULL AND _old._version > {confirmed} AND {blocks}"
            " GROUP BY 1, 2",
            made=REPLACED,
            fresh=sql.SQL(" UNION ").join(self._fresh(seen)),
            successor=self.carriers.column(names.successor, "_old"),
            old=self.carriers.column(names.field, "_old"),
            t=self.carriers.table,
            confirmed=sql.Literal(confirmed),
            blocks=self.carriers.blocks("_old"),
        )

    def lagging(self, peers: Iterable[tuple[ScopeSql, int]]) -> sql.Composed:
        """Makes `LAGGING`: whose old carrier stands in the scope of somebody who lags behind.

        Args:
            peers: scope of each other agreement that lags, and the version that it has confirmed.
        """
        names = self.carriers.carrier
        some = [
            query(
                "SELECT _pair.successor, _pair.version, {peer}::text AS agreement"
                " FROM {pairs} _pair WHERE _pair.version > {confirmed} AND EXISTS"
                " (SELECT FROM {tables} WHERE {conditions} AND {old} = _pair.predecessor"
                " AND {successor} = _pair.successor)",
                peer=sql.Literal(scope.agreement.id),
                pairs=REPLACED,
                confirmed=sql.Literal(confirmed),
                tables=scope.tables(),
                conditions=sql.SQL(" AND ").join(scope.conditions()),
                old=self.carriers.column(names.field),
                successor=self.carriers.column(names.successor),
            )
            for scope, confirmed in peers
        ]
        return query(
            "CREATE TEMP TABLE {made} ON COMMIT DROP AS {some}",
            made=LAGGING,
            some=sql.SQL(" UNION ALL ").join(some),
        )

    def held(self) -> sql.Composed:
        """Makes `HELD`: those of `LAGGING` that have not waited for as long as they may."""
        return query(
            "CREATE TEMP TABLE {made} ON COMMIT DROP AS"
            " SELECT l.successor AS carrier, max(l.version) AS version,"
            " string_agg(DISTINCT l.agreement, ' ' ORDER BY l.agreement) AS lagging"
            " FROM {lagging} l LEFT JOIN registry.waiting_carrier w"
            " ON w.agreement = {agreement} AND w.carrier = l.successor GROUP BY l.successor"
            " HAVING coalesce(min(w.since), clock_timestamp())"
            " + make_interval(secs => {wait}) > clock_timestamp()",
            made=HELD,
            lagging=LAGGING,
            agreement=sql.Literal(self.scope.agreement.id),
            wait=sql.Literal(self.carriers.carrier.wait.span.total_seconds()),
        )

    def ahead(self) -> sql.Composed:
        """Statement: for whom carriers wait no longer. Columns: `lagging`, `version`, `carriers`."""
        return query(
            "SELECT l.agreement AS lagging, max(l.version) AS version,"
            " count(DISTINCT l.successor) AS carriers FROM {lagging} l WHERE NOT EXISTS"
            " (SELECT FROM {held} h WHERE h.carrier = l.successor)"
            " GROUP BY l.agreement ORDER BY l.agreement",
            lagging=LAGGING,
            held=HELD,
        )

    def _fresh(self, seen: Mapping[str, int]) -> list[sql.Composed]:
        """Carriers of events in scope that are new to the consumer, or were left out before.

        An event is new by its own publication or by that of a row that it is joined with; what the
        consumer had when the old carrier was blocked is never taken from it.
        """
        agreement = self.scope.agreement
        sources = [(BASE, agreement.dataset)]
        sources += [(j.alias, j.dataset) for j in agreement.joins if not j.first_by]
        found = [
            query(
                "{now} > {seen} AND {first} > {seen}",
                now=sql.Identifier(alias, "_version"),
                first=sql.Identifier(alias, "_first_version"),
                seen=sql.Literal(seen.get(dataset, 0)),
            )
            for alias, dataset in sources
        ]
        return [self._carriers(c) for c in (*found, self.carriers.waiting(agreement.id))]

    def _carriers(self, which: sql.Composed) -> sql.Composed:
        """Carriers that events in scope enable.

        Args:
            which: of the events.
        """
        return query(
            "SELECT {carrier} AS carrier FROM {tables} WHERE {conditions} AND {enables}",
            carrier=self.carriers.column(self.carriers.carrier.field),
            tables=self.scope.tables(),
            conditions=sql.SQL(" AND ").join([which, *self.scope.conditions()]),
            enables=self.carriers.enables(),
        )
