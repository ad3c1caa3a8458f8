"""Which rows an agreement is about: its tables, its columns and its scope, as SQL.

Default deny: a column that the agreement does not name is in no expression here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from psycopg import sql

from onecard.base.ages import latest_birth
from onecard.base.sql_text import names, query
from onecard.base.times import POSIX_ZONE
from onecard.deliver.gate_input_sql import consent
from onecard.model.gate_inputs import GateInputs
from schemas.models.agreement import Agreement
from schemas.models.agreement_parts import Exists, Filter, Join, SharedField, When
from schemas.models.contract import Contract, Field

BASE = "o"
"""Alias of the agreement's own dataset."""


def born(path: sql.Composed) -> sql.Composed:
    """The day of birth that stands in an ID number (GB 11643, digits 7 to 14)."""
    return query("to_date(substr({p}, 7, 8), 'YYYYMMDD')", p=path)


def digits_born(path: sql.Composed) -> sql.Composed:
    """The digits of that day, as `registry_indexes.make_born` has them indexed."""
    return query("substr({p}, 7, 8)", p=path)


@dataclass(frozen=True)
class ScopeSql:
    """Compiles tables, columns and scope of one agreement.

    Attributes:
        contracts: of every dataset that the agreement reads.
        today: for age conditions.
    """

    agreement: Agreement
    contracts: Mapping[str, Contract]
    today: date

    def tables(self) -> sql.Composed:
        """The agreement's dataset and what it is joined with."""
        base = self.contracts[self.agreement.dataset]
        parts = [query("{t} o", t=sql.Identifier("registry", base.table))]
        parts += [self._first(j) if j.first_by else self._joined(j) for j in self.agreement.joins]
        return sql.SQL(" ").join(parts)

    def _joined(self, join: Join) -> sql.Composed:
        on = [
            query("{a} = {p}", a=sql.Identifier(join.alias, column), p=self.path(path))
            for path, column in join.match.items()
        ]
        on.append(query("{a} IS NULL", a=sql.Identifier(join.alias, "_deleted_at")))
        return query(
            "JOIN {t} {a} ON {on}",
            a=sql.Identifier(join.alias),
            t=sql.Identifier("registry", self.contracts[join.dataset].table),
            on=sql.SQL(" AND ").join(on),
        )

    def _first(self, join: Join) -> sql.Composed:
        """A join that may meet several rows: of those that the scope admits, the first counts."""
        contract = self.contracts[join.dataset]
        where = [query("j._deleted_at IS NULL")]
        where += [
            query("j.{c} = {p}", c=sql.Identifier(column), p=self.path(path))
            for path, column in join.match.items()
        ]
        for found in self.agreement.scope.filters:
            alias, _, column = found.field.rpartition(".")
            if alias == join.alias:
                where.append(self._filter(found, query("j.{c}", c=sql.Identifier(column))))
        ordered = _complete(join.first_by, contract.key)
        return query(
            "JOIN LATERAL (SELECT {columns} FROM {t} j WHERE {where} ORDER BY {order} LIMIT 1) {a}"
            " ON true",
            columns=names(self.used(join.alias), "j."),
            t=sql.Identifier("registry", contract.table),
            where=sql.SQL(" AND ").join(where),
            order=sql.SQL(", ").join(
                _ordered(n, query("j.{c}", c=sql.Identifier(n.removeprefix("-")))) for n in ordered
            ),
            a=sql.Identifier(join.alias),
        )

    def used(self, alias: str) -> list[str]:
        """The columns of a join that the agreement names."""
        return sorted({c for a, c in map(_split, self._paths()) if a == alias})

    def _paths(self) -> list[str]:
        agreement = self.agreement
        found = [f.origin for f in agreement.fields if f.origin is not None]
        found += [f.field for f in agreement.tests]
        found += [path for exists in agreement.semi_joins for path in exists.match]
        found += [path for join in agreement.joins for path in join.match]
        found += [path.removeprefix("-") for path in agreement.first_by]
        found += [*agreement.order, *([agreement.subject] if agreement.subject else [])]
        block = agreement.statistics
        return found + ([p for p in (block.contributor, block.distinct) if p] if block else [])

    def conditions(self) -> list[sql.Composed]:
        """The row is there, passes the filters, and its person consents where that is needed."""
        found = [query("o._deleted_at IS NULL")]
        found += [self._filter(f, self.path(f.field)) for f in self.agreement.scope.filters]
        found += [query("EXISTS ({e})", e=self.exists(e)) for e in self.agreement.scope.exists]
        if self.agreement.consent:
            found.append(self.consents())
        return found

    def exists(self, found: Exists) -> sql.Composed:
        """The rows of a semi-join, as a subquery."""
        table = sql.Identifier("registry", self.contracts[found.dataset].table)
        conditions = [
            query("x.{c} = {p}", c=sql.Identifier(column), p=self.path(path))
            for path, column in found.match.items()
        ]
        conditions.append(query("x._deleted_at IS NULL"))
        conditions += [
            self._filter(f, query("x.{c}", c=sql.Identifier(f.field))) for f in found.where
        ]
        return query("SELECT FROM {t} x WHERE {c}", t=table, c=sql.SQL(" AND ").join(conditions))

    def consents(self) -> sql.Composed:
        """Whether the person consents: by the newest record of this agreement."""
        found = consent(self.agreement, self.contracts, self.path, "consent_id")
        return query("({e}) IS NOT NULL", e=found)

    def columns(self, fields: tuple[SharedField, ...] | list[SharedField]) -> list[sql.Composed]:
        """Shared fields by their names."""
        return [query("{e} AS {n}", e=self.expression(f), n=sql.Identifier(f.name)) for f in fields]

    def expression(self, shared: SharedField) -> sql.Composed:
        """A shared field before its treatment."""
        if shared.when is not None:
            return self._answer(shared.when)
        if shared.origin is None:
            return query("{v}::text", v=sql.Literal(shared.value))
        field = GateInputs(self.agreement, self.contracts).field(shared.origin)
        path = self.path(shared.origin)
        if field.type == "number":
            return query("{p}::text", p=path)
        return _cell(shared, field, path) if self.agreement.statistics else path

    def _answer(self, when: When) -> sql.Composed:
        """Yes or no, for everybody in scope; a test that meets NULL says no."""
        tests = [self._filter(f, self.path(f.field)) for f in when.filters]
        tests += [query("EXISTS ({e})", e=self.exists(e)) for e in when.exists]
        return query(
            "CASE WHEN {test} THEN {yes}::text ELSE {no}::text END",
            test=sql.SQL(" AND ").join(tests),
            yes=sql.Literal(when.answers[0]),
            no=sql.Literal(when.answers[1]),
        )

    def order(self) -> list[sql.Composed]:
        """The agreement's order, made complete by the dataset's key."""
        key = self.contracts[self.agreement.dataset].key
        return [self.path(p) for p in _complete(self.agreement.order, key)]

    def first(self) -> list[sql.Composed]:
        """The order in which the first row of a key counts, made complete by the dataset's key."""
        key = self.contracts[self.agreement.dataset].key
        ordered = _complete(self.agreement.first_by, key)
        return [_ordered(p, self.path(p.removeprefix("-"))) for p in ordered]

    def path(self, path: str) -> sql.Composed:
        """A column of the dataset (`name`) or of a join (`alias.name`)."""
        alias, _, column = path.rpartition(".")
        return query("{c}", c=sql.Identifier(alias or BASE, column))

    def _filter(self, condition: Filter, path: sql.Composed) -> sql.Composed:
        if condition.null is not None:
            return query("{p} IS NULL" if condition.null else "{p} IS NOT NULL", p=path)
        if condition.min_age is not None:
            last = latest_birth(self.today, condition.min_age)
            return query("{b} <= {d}", b=born(path), d=sql.Literal(last))
        listed = condition.in_ if condition.in_ is not None else condition.not_in
        values = sql.SQL(", ").join(sql.Literal(v) for v in listed or ())
        if condition.in_ is not None:
            return query("{p} IN ({v})", p=path, v=values)
        return query("{p} NOT IN ({v})", p=path, v=values)


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


def _split(path: str) -> tuple[str, str]:
    alias, _, column = path.rpartition(".")
    return alias, column


def _complete(order: tuple[str, ...], key: tuple[str, ...]) -> list[str]:
    """An order that no two rows of a dataset share: at last its key."""
    named = {path.removeprefix("-") for path in order}
    return [*order, *(k for k in key if k not in named)]


def _ordered(path: str, column: sql.Composed) -> sql.Composed:
    """NULL last, either way: what PostgreSQL does without a word for the ascending order."""
    return query("{c} DESC NULLS LAST", c=column) if path.startswith("-") else column
