"""New carriers that a delivery is about to enable, and who has not blocked the old ones, as SQL.

A new carrier is named by the event that blocks the one it replaces (`Carrier.successor`). What is
found stands in tables of the delivery's snapshot, so that it is judged by the state that is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from psycopg import sql

from onecard.base.sql_text import query
from onecard.deliver.carrier_sql import HELD, CarrierSql, newer
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

        Who is named by no recent block is left out before the scope is asked: of a burst of events
        few are of new carriers. `IS TRUE` has PostgreSQL look them up by hash; of a join it would
        compare each with each, as it cannot know how many are new.

        Args:
            seen: version of each dataset up to which the consumer has what is in scope.
            confirmed: of this dataset, the version that everybody has confirmed.
        """
        names, new = self.carriers.carrier, newer(self.scope.agreement, _literal(seen))
        return query(
            "CREATE TEMP TABLE {made} ON COMMIT DROP AS WITH fresh AS MATERIALIZED ({fresh}),"
            " named AS MATERIALIZED (SELECT {successor} AS successor, {old} AS predecessor,"
            " max(_old._version) AS version FROM {t} _old"
            " WHERE ({successor} IN (SELECT carrier FROM fresh)) IS TRUE"
            " AND _old._deleted_at IS NULL AND _old._version > {confirmed} AND {blocks}"
            " GROUP BY 1, 2)"
            " SELECT * FROM named _named WHERE EXISTS (SELECT FROM {tables}"
            " WHERE {mine} = _named.successor AND ({new}) AND {enables} AND {conditions})",
            made=REPLACED,
            fresh=sql.SQL(" UNION ").join(self._fresh(new)),
            successor=self.carriers.column(names.successor, "_old"),
            old=self.carriers.column(names.field, "_old"),
            t=self.carriers.table,
            confirmed=sql.Literal(confirmed),
            blocks=self.carriers.blocks("_old"),
            tables=self.scope.tables(),
            mine=self.carriers.column(names.field),
            new=self._new(seen),
            enables=self.carriers.enables(),
            conditions=sql.SQL(" AND ").join(self.scope.conditions()),
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

    def leaves(self, seen: Mapping[str, int]) -> sql.Composed:
        """Whether an event may leave: its carrier waits for nobody, or the consumer has the event.

        Args:
            seen: as for `replaced`.
        """
        return query(
            "NOT (EXISTS (SELECT FROM {held} _held WHERE _held.carrier = {mine}) AND ({new})"
            " AND {enables})",
            held=HELD,
            mine=self.carriers.column(self.carriers.carrier.field),
            new=self._new(seen),
            enables=self.carriers.enables(),
        )

    def ahead(self) -> sql.Composed:
        """Statement: for whom nobody waits longer. Columns: `lagging`, `version`, `carriers`."""
        return query(
            "SELECT l.agreement AS lagging, max(l.version) AS version,"
            " count(DISTINCT l.successor) AS carriers FROM {lagging} l WHERE NOT EXISTS"
            " (SELECT FROM {held} h WHERE h.carrier = l.successor)"
            " GROUP BY l.agreement ORDER BY l.agreement",
            lagging=LAGGING,
            held=HELD,
        )

    def _new(self, seen: Mapping[str, int]) -> sql.Composed:
        """Whether the consumer has not got an event: it is new, or was left out."""
        agreement = self.scope.agreement
        new = newer(agreement, _literal(seen)).values()
        return sql.SQL(" OR ").join([*new, self.carriers.left_out(agreement)])

    def _fresh(self, new: Mapping[str, sql.Composed]) -> list[sql.Composed]:
        """Carriers of events that are new to the consumer, in scope or not, or were left out."""
        carrier = self.carriers.column(self.carriers.carrier.field)
        own = query("{t} {o}", t=self.carriers.table, o=sql.Identifier(BASE))
        found = [(own, query("{new} AND NOT {b}", new=new[BASE], b=self.carriers.blocks(BASE)))]
        found += [(self.scope.tables(), which) for alias, which in new.items() if alias != BASE]
        found.append((own, self.carriers.waiting(self.scope.agreement.id)))
        return [
            query("SELECT {c} AS carrier FROM {t} WHERE {which}", c=carrier, t=tables, which=which)
            for tables, which in found
        ]


def _literal(seen: Mapping[str, int]) -> Callable[[str], sql.Literal]:
    """Versions as SQL; of what was never looked at, 0."""
    return lambda dataset: sql.Literal(seen.get(dataset, 0))
