"""The SQL of a delivery: only the agreement's columns, only its rows, only what is due.

Default deny: a column that the agreement does not name is never in the statement, but for the
gate's own control columns (`onecard.model.gate_inputs`), which the gate drops before anything
leaves (ADR 0010). Which rows there are says `scope_sql`, which of them are due `due_sql`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from psycopg import sql

from onecard.deliver.due_sql import DueSql
from onecard.deliver.gate_input_sql import GateInputSql
from onecard.deliver.scope_sql import BASE, ScopeSql
from onecard.model import gate_inputs
from onecard.model.gate_inputs import GateInputs
from onecard.store.database import query
from schemas.models.agreement import Agreement
from schemas.models.contract import Contract
from schemas.models.registers import People


@dataclass(frozen=True)
class Selection:
    """Compiles one agreement to SQL.

    Attributes:
        contracts: of every dataset that the agreement reads.
        after: per dataset, the version that the consumer has confirmed.
        today: for age conditions.
        people: where the gate looks up cards and deaths; None: no control columns.
        confirmed_on: day of the consumer's last confirmed delivery.
        keys: only the row whose dataset key has these values (a replay).
        chosen: only rows whose dataset key (`gate_inputs.KEY`) stands in this staging table.
        lapsed: the versions whose retention is over at the consumer; given: every row says
            whether it is due, and whether it was delivered after these versions.
        departed: select instead the rows that the agreement gave by their last values, and gives
            no more because they, or rows that they are joined with, were deleted since.
    """

    agreement: Agreement
    contracts: Mapping[str, Contract]
    after: Mapping[str, int]
    today: date
    people: People | None = None
    confirmed_on: date | None = None
    keys: tuple[str, ...] | None = None
    chosen: str | None = None
    lapsed: Mapping[str, int] | None = None
    departed: bool = False

    def statement(self, limit: int | None = None, *, due_only: bool = True) -> sql.Composed:
        """The whole SELECT, in the agreement's order.

        Its columns are the agreement's, then the gate's (`onecard.model.gate_inputs`).
        """
        if self.agreement.statistics:
            return self._statistics(limit, due_only=due_only)
        if self.departed:
            return self._departed(limit)
        return query(
            "SELECT {columns} FROM {tables} WHERE {scope} AND {due} ORDER BY {order} {limit}",
            columns=self._columns(),
            tables=self._rows.tables(),
            scope=self._scope(self._rows),
            due=self._when.due() if due_only else sql.SQL("true"),
            order=self._rows.order(),
            limit=_limit(limit),
        )

    def indexes(self) -> list[tuple[str, str]]:
        """(registry table, column) pairs that this statement wants an index on."""
        wanted = [(self.contracts[d].table, "_version") for d in self.agreement.datasets]
        matches = [(j.dataset, j.match) for j in self.agreement.joins]
        matches += [(e.dataset, e.match) for e in self.agreement.scope.exists]
        for dataset, match in matches:
            contract = self.contracts[dataset]
            for path, column in match.items():
                if contract.key != (column,):
                    wanted.append((contract.table, column))
                if "." not in path and self.contracts[self.agreement.dataset].key != (path,):
                    wanted.append((self.contracts[self.agreement.dataset].table, path))
        looked_up = [self.agreement.consent.dataset] if self.agreement.consent else []
        if self.people:
            looked_up += GateInputs(self.agreement, self.contracts).looked_up(self.people)
        wanted += [(self.contracts[d].table, "person_id18") for d in looked_up]
        return list(dict.fromkeys(wanted))

    def count(self, *, due_only: bool = True) -> sql.Composed:
        """How many rows there are, or are due."""
        if self.departed:
            return query("SELECT count(*) FROM ({rows}) x", rows=self._departed(None))
        return query(
            "SELECT count(*) FROM {tables} WHERE {scope} AND {due}",
            tables=self._rows.tables(),
            scope=self._scope(self._rows),
            due=self._when.due() if due_only else sql.SQL("true"),
        )

    @property
    def _rows(self) -> ScopeSql:
        return ScopeSql(self.agreement, self.contracts, self.today, self.departed)

    @property
    def _when(self) -> DueSql:
        return DueSql(self._rows, self.after, self.confirmed_on)

    def _statistics(self, limit: int | None, *, due_only: bool) -> sql.Composed:
        """Groups with their counts, and with the largest share of one contributor.

        A group is due when one of its rows is, or when a group beside it in a margin is: what
        is suppressed depends on all groups of a margin.
        """
        block = self.agreement.statistics
        assert block is not None  # noqa: S101 - the model ties mode and block together
        groups = [f for f in self.agreement.fields if f.name != block.count]
        names = [sql.Identifier(f.name) for f in groups]
        unit = (
            query("count(DISTINCT {c})", c=self._rows.path(block.distinct))
            if block.distinct
            else query("count(*)")
        )
        inner = query(
            "SELECT {columns}, {who} AS _who, {unit} AS _units, bool_or({due}) AS _due"
            " FROM {tables} WHERE {scope} GROUP BY {groups}, {who}",
            columns=sql.SQL(", ").join(self._rows.columns(groups)),
            who=self._rows.path(block.contributor),
            unit=unit,
            due=self._when.due(),
            tables=self._rows.tables(),
            scope=self._scope(self._rows),
            groups=sql.SQL(", ").join(self._rows.expression(f) for f in groups),
        )
        cells = query(
            "SELECT {names}, sum(_units)::bigint AS {count}, max(_units)::bigint AS {top},"
            " bool_or(_due) AS _due FROM ({inner}) i GROUP BY {names}",
            names=sql.SQL(", ").join(names),
            count=sql.Identifier(block.count),
            top=sql.Identifier(gate_inputs.TOP),
            inner=inner,
        )
        margins = [sql.SQL(", ").join(map(sql.Identifier, m)) for m in block.margins]
        more = [] if self.lapsed is None else [sql.Identifier(gate_inputs.DUE)]
        due = [
            query("_due"),
            *(query("bool_or(_due) OVER (PARTITION BY {m})", m=m) for m in margins),
        ]
        return query(
            "SELECT {columns} FROM (SELECT *, ({due}) AS {flag} FROM ({cells}) c) d"
            " WHERE {flag} OR {all} ORDER BY {names} {limit}",
            columns=sql.SQL(", ").join(
                [*(sql.Identifier(n) for n in (*self.agreement.names, gate_inputs.TOP)), *more]
            ),
            flag=sql.Identifier(gate_inputs.DUE),
            all=sql.Literal(not due_only),
            due=sql.SQL(" OR ").join(due),
            cells=cells,
            names=sql.SQL(", ").join(names),
            limit=_limit(limit),
        )

    def _departed(self, limit: int | None) -> sql.Composed:
        """Rows in scope with tombstones overlooked, whose keys no row in scope has now."""
        now = replace(self._rows, departed=False)
        key = [f for f in self.agreement.fields if f.name in self.agreement.key]
        same = [query("{e} = d.{n}", e=now.expression(f), n=sql.Identifier(f.name)) for f in key]
        return query(
            "SELECT * FROM (SELECT {columns} FROM {tables} WHERE {scope} AND {died}"
            " AND o._first_version <= {after}) d"
            " WHERE NOT EXISTS (SELECT FROM {live} WHERE {granted} AND {same}) {limit}",
            columns=self._columns(),
            tables=self._rows.tables(),
            scope=self._scope(self._rows),
            died=self._when.died(),
            after=self._when.version(self.agreement.dataset),
            live=now.tables(),
            granted=self._scope(now),
            same=sql.SQL(" AND ").join(same),
            limit=_limit(limit),
        )

    def _columns(self) -> sql.Composed:
        """The agreement's, and the gate's; those not for a selection without a gate."""
        found = self._rows.columns(self.agreement.fields)
        if self.people is not None:
            exists = [self._rows.exists(e) for e in self.agreement.scope.exists]
            marked = self.lapsed is not None
            found += [*self._gate(self.people).all(exists, keyed=marked), *self._marks()]
        return sql.SQL(", ").join(found)

    def _gate(self, people: People) -> GateInputSql:
        return GateInputSql(self.agreement, self.contracts, people, self._rows.path)

    def _marks(self) -> list[sql.Composed]:
        """Of a reconciliation: whether a row is due, and whether it came within the retention."""
        if self.lapsed is None:
            return []
        recent = DueSql(self._rows, self.lapsed).due() if self.lapsed else query("true")
        found = {gate_inputs.DUE: self._when.due(), gate_inputs.RECENT: recent}
        return [query("{e} AS {n}", e=e, n=sql.Identifier(n)) for n, e in found.items()]

    def _scope(self, rows: ScopeSql) -> sql.Composed:
        """Which rows there are: the agreement's scope, and those of a replay."""
        conditions = rows.conditions()
        for column, value in zip(
            self.contracts[self.agreement.dataset].key, self.keys or (), strict=False
        ):
            conditions.append(
                query("{c}::text = {v}", c=sql.Identifier(BASE, column), v=sql.Literal(value))
            )
        if self.chosen and self.people:
            conditions.append(
                query(
                    "EXISTS (SELECT FROM {t} c WHERE c._key = {k})",
                    t=sql.Identifier("staging", self.chosen),
                    k=self._gate(self.people).key,
                )
            )
        return sql.SQL(" AND ").join(conditions)


def _limit(limit: int | None) -> sql.Composed:
    return query("LIMIT {n}", n=sql.Literal(limit)) if limit is not None else query("")
