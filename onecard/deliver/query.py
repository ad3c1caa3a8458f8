"""The SQL of a delivery: only the agreement's columns, only its rows, only what is due.

Default deny: a column that the agreement does not name is never in the statement, but for the
gate's own control columns (`onecard.model.gate_inputs`), which the gate drops before anything
leaves (ADR 0010). A row is due when it, or a row it is joined with, is newer than what the
consumer has confirmed, or when its person has come of the age that the agreement asks for since
then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import LiteralString

from psycopg import sql

from onecard.deliver.gate_input_sql import GateInputSql, consent
from onecard.deliver.treatment import ZONE_NAME
from onecard.model import gate_inputs
from onecard.model.gate_inputs import GateInputs
from onecard.store.database import query
from schemas.models.agreement import Agreement
from schemas.models.agreement_parts import Exists, Filter, SharedField
from schemas.models.contract import Contract, Field
from schemas.models.registers import People

BASE = "o"
_BORN: LiteralString = "to_date(substr({p}, 7, 8), 'YYYYMMDD')"


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
        chosen: only rows whose dataset key (`control.KEY`) stands in this staging table.
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
        """The whole SELECT, in the agreement's order."""
        if self.agreement.statistics:
            return self._statistics(limit, due_only=due_only)
        if self.departed:
            return self._departed(limit)
        due = self.due() if due_only else sql.SQL("true")
        return query(
            "SELECT {columns} FROM {tables} WHERE {scope} AND {due} ORDER BY {order} {limit}",
            columns=sql.SQL(", ").join(
                [*(self._column(f) for f in self.agreement.fields), *self._controls()]
            ),
            tables=self._tables(),
            scope=self._scope(),
            due=due,
            order=self._order(),
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
            tables=self._tables(),
            scope=self._scope(),
            due=self.due() if due_only else sql.SQL("true"),
        )

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
            query("count(DISTINCT {c})", c=self._path(block.distinct))
            if block.distinct
            else query("count(*)")
        )
        inner = query(
            "SELECT {columns}, {who} AS _who, {unit} AS _units, bool_or({due}) AS _due"
            " FROM {tables} WHERE {scope} GROUP BY {groups}, {who}",
            columns=sql.SQL(", ").join(self._column(f) for f in groups),
            who=self._path(block.contributor),
            unit=unit,
            due=self.due(),
            tables=self._tables(),
            scope=self._scope(),
            groups=sql.SQL(", ").join(self._expression(f) for f in groups),
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
        live = replace(self, departed=False)
        key = [f for f in self.agreement.fields if f.name in self.agreement.key]
        same = [
            query("{e} = d.{n}", e=live._expression(f), n=sql.Identifier(f.name))  # noqa: SLF001
            for f in key
        ]
        return query(
            "SELECT * FROM (SELECT {columns} FROM {tables} WHERE {scope} AND {died}"
            " AND o._first_version <= {after}) d"
            " WHERE NOT EXISTS (SELECT FROM {live} WHERE {granted} AND {same}) {limit}",
            columns=sql.SQL(", ").join(
                [*(self._column(f) for f in self.agreement.fields), *self._controls()]
            ),
            tables=self._tables(),
            scope=self._scope(),
            died=self._died(),
            after=self._after(self.agreement.dataset),
            live=live._tables(),  # noqa: SLF001
            granted=live._scope(),  # noqa: SLF001
            same=sql.SQL(" AND ").join(same),
            limit=_limit(limit),
        )

    def _died(self) -> sql.Composed:
        """Condition: a row, or one that it needs, was deleted since the last delivery."""
        sources = [(BASE, self.agreement.dataset)]
        sources += [(join.alias, join.dataset) for join in self.agreement.joins]
        ways = [
            query(
                "({a}._deleted_at IS NOT NULL AND {a}._version > {v})",
                a=sql.Identifier(alias),
                v=self._after(dataset),
            )
            for alias, dataset in sources
        ]
        ways += [
            query("EXISTS ({e} AND x._deleted_at IS NOT NULL)", e=self._exists(found, "_version"))
            for found in self.agreement.scope.exists
        ]
        return query("({w})", w=sql.SQL(" OR ").join(ways))

    def _controls(self) -> list[sql.Composed]:
        """The gate's control columns; none for a selection without a gate."""
        if self.people is None:
            return []
        marked = self.lapsed is not None
        exists = [self._exists(e) for e in self.agreement.scope.exists]
        return [*self._gate(self.people).all(exists, keyed=marked), *self._marks()]

    def _gate(self, people: People) -> GateInputSql:
        return GateInputSql(self.agreement, self.contracts, people, self._path)

    def _marks(self) -> list[sql.Composed]:
        """Of a reconciliation: whether a row is due, and whether it came within the retention."""
        if self.lapsed is None:
            return []
        newer = replace(self, after=self.lapsed, confirmed_on=None)
        recent = newer.due() if self.lapsed else query("true")
        found = {gate_inputs.DUE: self.due(), gate_inputs.RECENT: recent}
        return [query("{e} AS {n}", e=e, n=sql.Identifier(n)) for n, e in found.items()]

    def _consent(self, *, newer: bool = False) -> sql.Composed:
        """Whether the person consents (with `newer`: by a record that is due)."""
        assert self.agreement.consent is not None  # noqa: S101 - only called with consent
        after = self._after(self.agreement.consent.dataset) if newer else None
        found = consent(self.agreement, self.contracts, self._path, ("consent_id", after))
        return query("({e}) IS NOT NULL", e=found)

    def _column(self, shared: SharedField) -> sql.Composed:
        return query("{e} AS {n}", e=self._expression(shared), n=sql.Identifier(shared.name))

    def _expression(self, shared: SharedField) -> sql.Composed:
        if shared.origin is None:
            return query("{v}::text", v=sql.Literal(shared.value))
        field = self._field(shared.origin)
        path = self._path(shared.origin)
        if field.type == "number":
            return query("{p}::text", p=path)
        if shared.treatment == "hour" and self.agreement.statistics:
            return query("date_trunc('hour', {p}, {z})", p=path, z=sql.Literal(ZONE_NAME))
        return path

    def _tables(self) -> sql.Composed:
        base = self.contracts[self.agreement.dataset]
        parts = [query("{t} o", t=sql.Identifier("registry", base.table))]
        for join in self.agreement.joins:
            on = [
                query("{a} = {p}", a=sql.Identifier(join.alias, column), p=self._path(path))
                for path, column in join.match.items()
            ]
            if not self.departed:
                on.append(query("{a} IS NULL", a=sql.Identifier(join.alias, "_deleted_at")))
            parts.append(
                query(
                    "JOIN {t} {a} ON {on}",
                    a=sql.Identifier(join.alias),
                    t=sql.Identifier("registry", self.contracts[join.dataset].table),
                    on=sql.SQL(" AND ").join(on),
                )
            )
        return sql.SQL(" ").join(parts)

    def _scope(self) -> sql.Composed:
        conditions = [query("true" if self.departed else "o._deleted_at IS NULL")]
        conditions += [self._filter(f, self._path(f.field)) for f in self.agreement.scope.filters]
        conditions += [
            query("EXISTS ({e})", e=self._exists(e)) for e in self.agreement.scope.exists
        ]
        if self.agreement.consent:
            conditions.append(self._consent())
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

    def _exists(self, found: Exists, newer: LiteralString | None = None) -> sql.Composed:
        table = sql.Identifier("registry", self.contracts[found.dataset].table)
        conditions = [
            query("x.{c} = {p}", c=sql.Identifier(column), p=self._path(path))
            for path, column in found.match.items()
        ]
        if not self.departed:
            conditions.append(query("x._deleted_at IS NULL"))
        conditions += [
            self._filter(f, query("x.{c}", c=sql.Identifier(f.field))) for f in found.where
        ]
        if newer:
            conditions.append(query("x." + newer + " > {v}", v=self._after(found.dataset)))
        return query("SELECT FROM {t} x WHERE {c}", t=table, c=sql.SQL(" AND ").join(conditions))

    def due(self) -> sql.Composed:
        """Condition: the row is due."""
        ways = [query("o._version > {v}", v=self._after(self.agreement.dataset))]
        for join in self.agreement.joins:
            column = "_version" if join.on_change == "deliver" else "_first_version"
            ways.append(
                query(
                    "{c} > {v}", c=sql.Identifier(join.alias, column), v=self._after(join.dataset)
                )
            )
        for found in self.agreement.scope.exists:
            newer: LiteralString = "_version" if found.on_change == "deliver" else "_first_version"
            ways.append(query("EXISTS ({e})", e=self._exists(found, newer)))
        if self.agreement.consent:
            ways.append(self._consent(newer=True))
        if self.confirmed_on is not None:
            ways += [self._came_of_age(path, years) for path, years in self._ages()]
        return query("({w})", w=sql.SQL(" OR ").join(ways))

    def _ages(self) -> list[tuple[str, int]]:
        """Ages that decide whether a row may leave, with the path of the ID number."""
        found = [
            (f.field, f.min_age) for f in self.agreement.scope.filters if f.min_age is not None
        ]
        if self.agreement.subject and not self.agreement.child_rules:
            found.append((self.agreement.subject, gate_inputs.CHILD_YEARS))
        return found

    def _came_of_age(self, path: str, years: int) -> sql.Composed:
        birthday = query(
            "(" + _BORN + " + make_interval(years => {n}))",
            p=self._path(path),
            n=sql.Literal(years),
        )
        return query(
            "({b} > {first} AND {b} <= {last})",
            b=birthday,
            first=sql.Literal(self.confirmed_on),
            last=sql.Literal(self.today),
        )

    def _filter(self, condition: Filter, path: sql.Composed) -> sql.Composed:
        if condition.null is not None:
            return query("{p} IS " + ("NULL" if condition.null else "NOT NULL"), p=path)
        if condition.min_age is not None:
            born = query(_BORN, p=path)
            return query(
                "{b} + make_interval(years => {n}) <= {d}",
                b=born,
                n=sql.Literal(condition.min_age),
                d=sql.Literal(self.today),
            )
        values, negate = (
            (condition.in_, "") if condition.in_ is not None else (condition.not_in, "NOT ")
        )
        listed = sql.SQL(", ").join(sql.Literal(v) for v in values or ())
        return query("{p} " + negate + "IN ({v})", p=path, v=listed)

    def _order(self) -> sql.Composed:
        paths = [self._path(p) for p in self.agreement.order]
        key = self.contracts[self.agreement.dataset].key
        paths += [self._path(k) for k in key if k not in self.agreement.order]
        return sql.SQL(", ").join(paths)

    def _path(self, path: str) -> sql.Composed:
        alias, _, column = path.rpartition(".")
        return query("{c}", c=sql.Identifier(alias or BASE, column))

    def _field(self, path: str) -> Field:
        alias, _, column = path.rpartition(".")
        datasets = {"": self.agreement.dataset} | {j.alias: j.dataset for j in self.agreement.joins}
        return self.contracts[datasets[alias]].field(column)

    def _after(self, dataset: str) -> sql.Literal:
        return sql.Literal(self.after.get(dataset, 0))


def _limit(limit: int | None) -> sql.Composed:
    return query("LIMIT {n}", n=sql.Literal(limit)) if limit is not None else query("")
