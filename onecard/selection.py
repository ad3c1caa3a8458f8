"""The SQL of a delivery: only the agreement's columns, only its rows, only what is due.

Default deny: a column that the agreement does not name is never in the statement. A row is due
when it, or a row it is joined with, is newer than what the consumer has confirmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import LiteralString

from psycopg import sql

from onecard.hub.database import query
from onecard.treatment import ZONE_NAME
from schemas.agreement import Agreement, Exists, Filter, SharedField
from schemas.contract import Contract, Field

BASE = "o"


@dataclass(frozen=True)
class Selection:
    """Compiles one agreement to SQL.

    Attributes:
        contracts: of every dataset that the agreement reads.
        after: per dataset, the version that the consumer has confirmed.
        today: for age conditions.
    """

    agreement: Agreement
    contracts: Mapping[str, Contract]
    after: Mapping[str, int]
    today: date

    def statement(self, limit: int | None = None, *, due_only: bool = True) -> sql.Composed:
        """The whole SELECT, in the agreement's order."""
        if self.agreement.statistics:
            return self._statistics(limit, due_only=due_only)
        due = self._due() if due_only else sql.SQL("true")
        return query(
            "SELECT {columns} FROM {tables} WHERE {scope} AND {due} ORDER BY {order} {limit}",
            columns=sql.SQL(", ").join(self._column(f) for f in self.agreement.fields),
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
        return list(dict.fromkeys(wanted))

    def _statistics(self, limit: int | None, *, due_only: bool) -> sql.Composed:
        block = self.agreement.statistics
        assert block is not None  # noqa: S101 - the model ties mode and block together
        groups = [f for f in self.agreement.fields if f.name != block.count]
        counted = (
            query("count(DISTINCT {c})", c=self._path(block.distinct))
            if block.distinct
            else (query("count(*)"))
        )
        columns = [
            query("{e} AS {n}", e=counted, n=sql.Identifier(f.name))
            if f.name == block.count
            else self._column(f)
            for f in self.agreement.fields
        ]
        due = query(" AND bool_or({d})", d=self._due()) if due_only else sql.SQL("")
        return query(
            "SELECT {columns} FROM {tables} WHERE {scope} GROUP BY {groups}"
            " HAVING {counted} >= {minimum}{due} ORDER BY {groups} {limit}",
            columns=sql.SQL(", ").join(columns),
            tables=self._tables(),
            scope=self._scope(),
            groups=sql.SQL(", ").join(self._expression(f) for f in groups),
            counted=counted,
            minimum=sql.Literal(block.minimum),
            due=due,
            limit=_limit(limit),
        )

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
        conditions = [query("o._deleted_at IS NULL")]
        conditions += [self._filter(f, self._path(f.field)) for f in self.agreement.scope.filters]
        conditions += [
            query("EXISTS ({e})", e=self._exists(e)) for e in self.agreement.scope.exists
        ]
        return sql.SQL(" AND ").join(conditions)

    def _exists(self, found: Exists, newer: LiteralString | None = None) -> sql.Composed:
        table = sql.Identifier("registry", self.contracts[found.dataset].table)
        conditions = [
            query("x.{c} = {p}", c=sql.Identifier(column), p=self._path(path))
            for path, column in found.match.items()
        ]
        conditions.append(query("x._deleted_at IS NULL"))
        conditions += [
            self._filter(f, query("x.{c}", c=sql.Identifier(f.field))) for f in found.where
        ]
        if newer:
            conditions.append(query("x." + newer + " > {v}", v=self._after(found.dataset)))
        return query("SELECT FROM {t} x WHERE {c}", t=table, c=sql.SQL(" AND ").join(conditions))

    def _due(self) -> sql.Composed:
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
        return query("({w})", w=sql.SQL(" OR ").join(ways))

    def _filter(self, condition: Filter, path: sql.Composed) -> sql.Composed:
        if condition.null is not None:
            return query("{p} IS " + ("NULL" if condition.null else "NOT NULL"), p=path)
        if condition.min_age is not None:
            born = query("to_date(substr({p}, 7, 8), 'YYYYMMDD')", p=path)
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
