"""When a row is due, and when it has departed, as SQL.

A row is due when it, or a row it is joined with, is newer than what the consumer has confirmed,
or when its person has come of the age that the agreement asks for since then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from psycopg import sql

from onecard.deliver.scope_sql import BASE, ScopeSql, born
from onecard.model import gate_inputs
from onecard.store.database import query
from schemas.models.agreement import Agreement


@dataclass(frozen=True)
class DueSql:
    """Compiles the conditions of one agreement.

    Attributes:
        scope: tables and columns.
        after: per dataset, the version that the consumer has confirmed.
        confirmed_on: day of the consumer's last confirmed delivery; None: ages play no part.
    """

    scope: ScopeSql
    after: Mapping[str, int]
    confirmed_on: date | None = None

    def due(self) -> sql.Composed:
        """Condition: the row is due."""
        agreement = self._agreement
        ways = [query("o._version > {v}", v=self.version(agreement.dataset))]
        for join in agreement.joins:
            column = "_version" if join.on_change == "deliver" else "_first_version"
            name, after = sql.Identifier(join.alias, column), self.version(join.dataset)
            ways.append(query("{c} > {v}", c=name, v=after))
        for found in agreement.scope.exists:
            column = "_version" if found.on_change == "deliver" else "_first_version"
            name, after = sql.Identifier("x", column), self.version(found.dataset)
            newer = query("{c} > {v}", c=name, v=after)
            ways.append(query("EXISTS ({e})", e=self.scope.exists(found, newer)))
        if agreement.consent:
            ways.append(self.scope.consents(self.version(agreement.consent.dataset)))
        if self.confirmed_on is not None:
            ways += [self._came_of_age(path, years) for path, years in self._ages()]
        return query("({w})", w=sql.SQL(" OR ").join(ways))

    def died(self) -> sql.Composed:
        """Condition: a row, or one that it needs, was deleted since the last delivery."""
        sources = [(BASE, self._agreement.dataset)]
        sources += [(join.alias, join.dataset) for join in self._agreement.joins]
        ways = [
            query(
                "({a}._deleted_at IS NOT NULL AND {a}._version > {v})",
                a=sql.Identifier(alias),
                v=self.version(dataset),
            )
            for alias, dataset in sources
        ]
        for found in self._agreement.scope.exists:
            gone = query(
                "x._version > {v} AND x._deleted_at IS NOT NULL", v=self.version(found.dataset)
            )
            ways.append(query("EXISTS ({e})", e=self.scope.exists(found, gone)))
        return query("({w})", w=sql.SQL(" OR ").join(ways))

    def version(self, dataset: str) -> sql.Literal:
        """The version of a dataset that the consumer has confirmed; 0 before the first."""
        return sql.Literal(self.after.get(dataset, 0))

    @property
    def _agreement(self) -> Agreement:
        return self.scope.agreement

    def _ages(self) -> list[tuple[str, int]]:
        """Ages that decide whether a row may leave, with the path of the ID number."""
        agreement = self._agreement
        found = [(f.field, f.min_age) for f in agreement.scope.filters if f.min_age is not None]
        if agreement.subject and not agreement.child_rules:
            found.append((agreement.subject, gate_inputs.CHILD_YEARS))
        return found

    def _came_of_age(self, path: str, years: int) -> sql.Composed:
        birthday = query(
            "({b} + make_interval(years => {n}))",
            b=born(self.scope.path(path)),
            n=sql.Literal(years),
        )
        return query(
            "({b} > {first} AND {b} <= {last})",
            b=birthday,
            first=sql.Literal(self.confirmed_on),
            last=sql.Literal(self.scope.today),
        )
