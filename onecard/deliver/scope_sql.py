"""Which rows an agreement is about: its tables, its columns and its scope, as SQL.

Default deny: a column that the agreement does not name is in no expression here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import LiteralString

from psycopg import sql

from onecard.base.sql_text import query
from onecard.base.times import POSIX_ZONE
from onecard.deliver.gate_input_sql import consent
from schemas.models.agreement import Agreement
from schemas.models.agreement_parts import Exists, Filter, SharedField
from schemas.models.contract import Contract, Field

BASE = "o"
"""Alias of the agreement's own dataset."""
_BORN: LiteralString = "to_date(substr({p}, 7, 8), 'YYYYMMDD')"


def born(path: sql.Composed) -> sql.Composed:
    """The day of birth that stands in an ID number."""
    return query(_BORN, p=path)


@dataclass(frozen=True)
class ScopeSql:
    """Compiles tables, columns and scope of one agreement.

    Attributes:
        contracts: of every dataset that the agreement reads.
        today: for age conditions.
        departed: rows by their last values: tombstones are overlooked.
    """

    agreement: Agreement
    contracts: Mapping[str, Contract]
    today: date
    departed: bool = False

    def tables(self) -> sql.Composed:
        """The agreement's dataset and what it is joined with."""
        base = self.contracts[self.agreement.dataset]
        parts = [query("{t} o", t=sql.Identifier("registry", base.table))]
        for join in self.agreement.joins:
            on = [
                query("{a} = {p}", a=sql.Identifier(join.alias, column), p=self.path(path))
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

    def conditions(self) -> list[sql.Composed]:
        """The row is there, passes the filters, and its person consents where that is needed."""
        found = [query("true" if self.departed else "o._deleted_at IS NULL")]
        found += [self._filter(f, self.path(f.field)) for f in self.agreement.scope.filters]
        found += [query("EXISTS ({e})", e=self.exists(e)) for e in self.agreement.scope.exists]
        if self.agreement.consent:
            found.append(self.consents())
        return found

    def exists(self, found: Exists, more: sql.Composed | None = None) -> sql.Composed:
        """The rows of a semi-join, as a subquery; `more` is a further condition on row `x`."""
        table = sql.Identifier("registry", self.contracts[found.dataset].table)
        conditions = [
            query("x.{c} = {p}", c=sql.Identifier(column), p=self.path(path))
            for path, column in found.match.items()
        ]
        if not self.departed:
            conditions.append(query("x._deleted_at IS NULL"))
        conditions += [
            self._filter(f, query("x.{c}", c=sql.Identifier(f.field))) for f in found.where
        ]
        if more is not None:
            conditions.append(more)
        return query("SELECT FROM {t} x WHERE {c}", t=table, c=sql.SQL(" AND ").join(conditions))

    def consents(self, after: sql.Literal | None = None) -> sql.Composed:
        """Whether the person consents, by a record that is newer than a version (None: any)."""
        found = consent(self.agreement, self.contracts, self.path, "consent_id", after)
        return query("({e}) IS NOT NULL", e=found)

    def columns(self, fields: tuple[SharedField, ...] | list[SharedField]) -> list[sql.Composed]:
        """Shared fields by their names."""
        return [query("{e} AS {n}", e=self.expression(f), n=sql.Identifier(f.name)) for f in fields]

    def expression(self, shared: SharedField) -> sql.Composed:
        """A shared field before its treatment."""
        if shared.origin is None:
            return query("{v}::text", v=sql.Literal(shared.value))
        field = self._field(shared.origin)
        path = self.path(shared.origin)
        if field.type == "number":
            return query("{p}::text", p=path)
        return _cell(shared, field, path) if self.agreement.statistics else path

    def order(self) -> sql.Composed:
        """The agreement's order, made complete by the dataset's key."""
        paths = [self.path(p) for p in self.agreement.order]
        key = self.contracts[self.agreement.dataset].key
        paths += [self.path(k) for k in key if k not in self.agreement.order]
        return sql.SQL(", ").join(paths)

    def path(self, path: str) -> sql.Composed:
        """A column of the dataset (`name`) or of a join (`alias.name`)."""
        alias, _, column = path.rpartition(".")
        return query("{c}", c=sql.Identifier(alias or BASE, column))

    def _filter(self, condition: Filter, path: sql.Composed) -> sql.Composed:
        if condition.null is not None:
            return query("{p} IS NULL" if condition.null else "{p} IS NOT NULL", p=path)
        if condition.min_age is not None:
            return query(
                "{b} + make_interval(years => {n}) <= {d}",
                b=born(path),
                n=sql.Literal(condition.min_age),
                d=sql.Literal(self.today),
            )
        listed = condition.in_ if condition.in_ is not None else condition.not_in
        values = sql.SQL(", ").join(sql.Literal(v) for v in listed or ())
        if condition.in_ is not None:
            return query("{p} IN ({v})", p=path, v=values)
        return query("{p} NOT IN ({v})", p=path, v=values)

    def _field(self, path: str) -> Field:
        alias, _, column = path.rpartition(".")
        datasets = {"": self.agreement.dataset} | {j.alias: j.dataset for j in self.agreement.joins}
        return self.contracts[datasets[alias]].field(column)


def _cell(shared: SharedField, field: Field, path: sql.Composed) -> sql.Composed:
    """A field of statistics, coarse enough that rows of one treated value are one cell."""
    if shared.treatment == "county":
        return query("left({p}, 6)", p=path)
    if shared.treatment not in ("year", "month", "day", "hour"):
        return path
    unit = sql.Literal(shared.treatment)
    if field.type == "date":
        return query("CAST(date_trunc({u}, CAST({p} AS timestamp)) AS date)", u=unit, p=path)
    return query("date_trunc({u}, {p}, {z})", u=unit, p=path, z=sql.Literal(POSIX_ZONE))
