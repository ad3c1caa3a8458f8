"""Whose rows may have changed for a consumer: keys of an agreement, found from what is new, as SQL.

A delivery judges its rows by the agreement's key: what is in scope with that key now, and what the
consumer has of it. So what must be found are keys, and more of them than needed do no harm. A key
is found from each row that it depends on: the agreement's own row, joined rows, rows of semi-joins,
consents, and the cards and deaths that the gate looks up; with tombstones, and with the values that
link fields had before (`onecard.store.former`). Ages are found from the day of birth.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from psycopg import sql

from onecard.base.ages import latest_birth
from onecard.base.sql_text import query
from onecard.deliver.carrier_sql import CarrierSql
from onecard.deliver.scope_sql import BASE, ScopeSql, digits_born
from onecard.model import gate_inputs
from onecard.store import former
from schemas.models import agreement_keys
from schemas.models.agreement import Agreement
from schemas.models.agreement_parts import SharedField

KEYS = "candidate_key"
"""Temporary table of the keys that a delivery looks at."""

PERSON = "person_id18"
"""The field by which consents, cards and deaths are looked up."""


@dataclass(frozen=True)
class Since:
    """The state of the registry that the consumer's record was made of.

    Attributes:
        versions: of every dataset that was looked at.
        looked_on: the day.
        former: datasets with old values of link fields that are newer.
    """

    versions: Mapping[str, int]
    looked_on: date
    former: frozenset[str] = frozenset()


@dataclass(frozen=True)
class CandidateSql:
    """Compiles the keys of one agreement.

    Attributes:
        scope: tables and expressions.
        people: datasets in which the gate looks up persons.
        since: what the record was made of; None: all keys, with all old values.
        left_out: of the carriers that the last delivery left out; None: there are none.
    """

    scope: ScopeSql
    people: tuple[str, ...] = ()
    since: Since | None = None
    left_out: CarrierSql | None = None

    def statement(self) -> sql.Composed:
        """Distinct keys. Columns: the key's, and `gate_inputs.SUBJECT`, one person of each."""
        ways = [self._keys(query("true"))] if self.since is None else self._ways(self.since)
        return query(
            "SELECT {names}, max({subject}) AS {subject} FROM ({ways}) w GROUP BY {names}",
            names=sql.SQL(", ").join(map(sql.Identifier, self._agreement.key)),
            subject=sql.Identifier(gate_inputs.SUBJECT),
            ways=sql.SQL(" UNION ").join(ways),
        )

    def links(self) -> dict[str, set[str]]:
        """Fields of each dataset by which keys are found."""
        agreement = self._agreement
        found: dict[str, set[str]] = {d: set() for d in (*agreement.datasets, *self.people)}
        for path in self._paths():
            alias, _, column = path.rpartition(".")
            found[self._dataset(alias)].add(column)
        for join in agreement.joins:
            found[join.dataset] |= set(join.match.values())
        for exists in agreement.semi_joins:
            found[exists.dataset] |= set(exists.match.values())
        for dataset in self._looked_up():
            found[dataset].add(PERSON)
        if agreement.consent:
            found[agreement.consent.dataset].add("agreement")
        return found

    def births(self) -> set[tuple[str, str]]:
        """Datasets and fields of ID numbers, whose owners reach an age that decides."""
        split = [path.rpartition(".") for path, _ in self._ages()]
        return {(self._dataset(alias), column) for alias, _, column in split}

    def key_fields(self) -> list[SharedField]:
        """The shared fields of the key, in the key's order."""
        by_name = {f.name: f for f in self._agreement.fields}
        return [by_name[name] for name in self._agreement.key]

    def pairs(self) -> sql.Composed:
        """Condition: a row in scope has the key `k`."""
        return self._pairs(self.key_fields())

    def _pairs(self, fields: list[SharedField]) -> sql.Composed:
        return sql.SQL(" AND ").join(
            query(
                "{e} = k.{n}" if self._never_null(f) else "{e} IS NOT DISTINCT FROM k.{n}",
                e=self.scope.expression(f),
                n=sql.Identifier(f.name),
            )
            for f in fields
        )

    def narrowing(self) -> list[sql.Composed]:
        """Conditions that rows of the keys `KEYS` meet in any case, for key fields of joins.

        Which joined row is the first is found out row by row. So that this is not done for all
        rows, those come first whose joined rows, first or not, have such a key.
        """
        found = []
        for join in self._agreement.joins:
            mine = [f for f in self.key_fields() if _alias(f) == join.alias]
            if not join.first_by or not mine:
                continue
            table = sql.Identifier("registry", self.scope.contracts[join.dataset].table)
            found.append(
                query(
                    "({paths}) IN (SELECT {columns} FROM {t} {a} JOIN {keys} k ON {pairs})",
                    paths=sql.SQL(", ").join(map(self.scope.path, join.match)),
                    columns=sql.SQL(", ").join(
                        sql.Identifier(join.alias, column) for column in join.match.values()
                    ),
                    t=table,
                    a=sql.Identifier(join.alias),
                    keys=sql.Identifier("pg_temp", KEYS),
                    pairs=self._pairs(mine),
                )
            )
        return found

    def alone(self) -> bool:
        """Whether no two rows can have one key.

        By `first_by` one row of each key counts; else the key must determine the dataset's, and a
        row must meet one row of each join.
        """
        agreement, contracts = self._agreement, self.scope.contracts
        if agreement.first_by:
            return True
        origins = [f.origin for f in self.key_fields() if f.origin is not None]
        unique = all(
            join.first_by or set(contracts[join.dataset].key) <= set(join.match.values())
            for join in agreement.joins
        )
        return unique and agreement_keys.determines(origins, agreement, contracts)

    def _ways(self, since: Since) -> list[sql.Composed]:
        agreement = self._agreement
        found = [self._keys(query("o._version > {v}", v=self._version(agreement.dataset)))]
        for join in agreement.joins:
            newer = query(
                "{c} > {v}",
                c=sql.Identifier(join.alias, "_version"),
                v=self._version(join.dataset),
            )
            found.append(self._keys(newer))
        subject = str(agreement.subject)
        met = [(e.dataset, e.match) for e in agreement.semi_joins]
        met += [(dataset, {subject: PERSON}) for dataset in self._looked_up()]
        found += [self._keys(query("true"), self._met_by(d, columns)) for d, columns in met]
        if self.left_out is not None:
            found.append(self._keys(self.left_out.waiting(agreement.id)))
        for path, years in self._ages():
            first = latest_birth(since.looked_on, years)
            last = latest_birth(self.scope.today, years)
            if first < last:
                came = query(
                    "({b} > {first} AND {b} <= {last})",
                    b=digits_born(self.scope.path(path)),
                    first=sql.Literal(f"{first:%Y%m%d}"),
                    last=sql.Literal(f"{last:%Y%m%d}"),
                )
                found.append(self._keys(came))
        return found

    def _keys(self, where: sql.Composed, met: sql.Composed | None = None) -> sql.Composed:
        """Keys of rows joined loosely: whatever is or was there, in scope or not.

        What is and what was are looked at one after the other: PostgreSQL finds rows of a table by
        its index, and rows of a union of both by reading all of them.
        """
        datasets = {BASE: self._agreement.dataset}
        datasets |= {join.alias: join.dataset for join in self._agreement.joins}
        times = [(False, True) if self._old(d) else (False,) for d in datasets.values()]
        return sql.SQL(" UNION ").join(
            self._joined(dict(zip(datasets, was, strict=True)), where, met)
            for was in itertools.product(*times)
        )

    def _joined(
        self, was: Mapping[str, bool], where: sql.Composed, met: sql.Composed | None
    ) -> sql.Composed:
        """Keys of rows as they are, or as they were.

        Args:
            was: by alias, whether its rows are taken as they were.
            where: which of them.
            met: a further join.
        """
        agreement = self._agreement
        tables = [query("{t} o", t=self._table(agreement.dataset, was=was[BASE]))]
        for join in agreement.joins:
            on = [
                query("{a} = {p}", a=sql.Identifier(join.alias, column), p=self.scope.path(path))
                for path, column in join.match.items()
            ]
            tables.append(
                query(
                    "JOIN {t} {a} ON {on}" if was[join.alias] else "LEFT JOIN {t} {a} ON {on}",
                    t=self._table(join.dataset, was=was[join.alias]),
                    a=sql.Identifier(join.alias),
                    on=sql.SQL(" AND ").join(on),
                )
            )
        if met is not None:
            tables.append(met)
        return query(
            "SELECT {columns}, {subject} AS {name} FROM {tables} WHERE {where}",
            columns=sql.SQL(", ").join(self.scope.columns(self.key_fields())),
            subject=self.scope.path(str(agreement.subject)),
            name=sql.Identifier(gate_inputs.SUBJECT),
            tables=sql.SQL(" ").join(tables),
            where=where,
        )

    def _met_by(self, dataset: str, columns: Mapping[str, str]) -> sql.Composed:
        """A join with the new rows of a dataset, by their present and former values."""
        wanted = sorted(set(columns.values()))
        after = self.since.versions.get(dataset, 0) if self.since else None
        on = [
            query("x.{c} = {p}", c=sql.Identifier(column), p=self.scope.path(path))
            for path, column in columns.items()
        ]
        return query(
            "JOIN (SELECT DISTINCT {c} FROM ({t}) n) x ON {on}",
            c=sql.SQL(", ").join(sql.Identifier(c) for c in wanted),
            t=former.table(self.scope.contracts[dataset], wanted, after, old=self._old(dataset)),
            on=sql.SQL(" AND ").join(on),
        )

    def _table(self, dataset: str, *, was: bool) -> sql.Composed:
        contract = self.scope.contracts[dataset]
        if not was:
            return query("{t}", t=sql.Identifier("registry", contract.table))
        return query("({t})", t=former.old_values(contract, self.links()[dataset]))

    def _old(self, dataset: str) -> bool:
        return self.since is None or dataset in self.since.former

    def _version(self, dataset: str) -> sql.Literal:
        return sql.Literal(self.since.versions.get(dataset, 0) if self.since else 0)

    def _looked_up(self) -> tuple[str, ...]:
        """Datasets in which something is looked up by the person."""
        consent = self._agreement.consent
        found = [*([consent.dataset] if consent else []), *self.people]
        return tuple(dict.fromkeys(found))

    def _paths(self) -> list[str]:
        """Paths that expressions here name."""
        agreement = self._agreement
        found = [f.origin for f in self.key_fields() if f.origin is not None]
        found += [path for join in agreement.joins for path in join.match]
        found += [path for exists in agreement.semi_joins for path in exists.match]
        found += [path for path, _ in self._ages()]
        for shared in self.key_fields():
            found += [f.field for f in shared.when.filters] if shared.when else []
        return [*found, *([agreement.subject] if agreement.subject else [])]

    def _ages(self) -> list[tuple[str, int]]:
        """Ages that decide whether a row may leave or what it says, with the ID number's path."""
        agreement = self._agreement
        found = [(f.field, f.min_age) for f in agreement.tests if f.min_age is not None]
        if agreement.subject and (agreement.consent or not agreement.child_rules):
            found.append((agreement.subject, gate_inputs.CHILD_YEARS))
        return found

    def _never_null(self, shared: SharedField) -> bool:
        if shared.origin is None:
            return True
        alias, _, column = shared.origin.rpartition(".")
        tested = [f.field for f in self._agreement.scope.filters if f.null is not True]
        if shared.origin in tested:
            return True
        return self.scope.contracts[self._dataset(alias)].field(column).required

    def _dataset(self, alias: str) -> str:
        if alias in ("", BASE):
            return self._agreement.dataset
        return next(j.dataset for j in self._agreement.joins if j.alias == alias)

    @property
    def _agreement(self) -> Agreement:
        return self.scope.agreement


def _alias(shared: SharedField) -> str:
    """The join that a shared field is of; empty: none."""
    return (shared.origin or "").rpartition(".")[0]
