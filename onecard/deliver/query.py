"""The SQL of a delivery: only the agreement's columns, only its rows, only keys that are asked for.

Default deny: a column that the agreement does not name is never in the statement, but for the
gate's own control columns (`onecard.model.gate_inputs`), which the gate drops before anything
leaves (ADR 0010). Which rows there are says `scope_sql`, whose may have changed `candidate_sql`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, LiteralString

from psycopg import sql

from onecard.base.sql_text import query
from onecard.deliver import measured_sql
from onecard.deliver.candidate_sql import KEYS, CandidateSql, Since
from onecard.deliver.carrier_sql import CarrierSql
from onecard.deliver.gate_input_sql import CANCELLED, GateInputSql
from onecard.deliver.scope_sql import BASE, ScopeSql
from onecard.model import gate_inputs
from onecard.model.gate_inputs import GateInputs
from schemas.models.agreement import Agreement
from schemas.models.contract import Contract
from schemas.models.reaction import Events
from schemas.models.registers import People

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Before:
    """What a hub without a record of held rows knows of them: versions that were delivered.

    Attributes:
        delivered: per dataset, the version that the consumer has confirmed.
        lapsed: the versions whose retention is over at the consumer; empty: none.
    """

    delivered: Mapping[str, int]
    lapsed: Mapping[str, int]


@dataclass(frozen=True)
class Selection:
    """Compiles one agreement to SQL.

    Attributes:
        contracts: of every dataset that the agreement reads.
        today: for age conditions.
        people: where the gate looks up cards and deaths; None: no control columns.
        keys: only the row whose dataset key has these values (a replay).
        chosen: only rows whose dataset key (`gate_inputs.KEY`) stands in this staging table.
        before: given: every row says whether it was delivered by these versions.
        keyed: every row has its dataset's key (`gate_inputs.KEY`).
        left_out: the last delivery left carriers out, which are looked at again.
        held: whether a row may leave by now (`replacement_sql`); None: all may.
        events: what is measured of its dataset; None: nothing (`onecard.model.measured`).
    """

    agreement: Agreement
    contracts: Mapping[str, Contract]
    today: date
    people: People | None = None
    keys: tuple[str, ...] | None = None
    chosen: str | None = None
    before: Before | None = None
    keyed: bool = False
    left_out: CarrierSql | None = None
    held: sql.Composed | None = None
    events: Events | None = None

    def statement(
        self, limit: int | None = None, *, among_keys: bool = False, ended: bool = True
    ) -> sql.Composed:
        """The whole SELECT, in the agreement's order.

        Its columns are the agreement's, then the gate's (`onecard.model.gate_inputs`).

        Args:
            limit: at most so many rows.
            among_keys: only rows whose key stands in the table `KEYS`.
            ended: with `gate_inputs.ENDED`, if the gate asks for it.
        """
        if self.agreement.statistics:
            return self._statistics(limit)
        columns, order = self._columns(), self._rows.order()
        if not ended:
            columns.pop(gate_inputs.ENDED, None)
        if self.agreement.first_by:
            orders = {f"_order_{i}": path for i, path in enumerate(order)}
            return query(
                "SELECT {columns} FROM ({firsts}) f WHERE _asked ORDER BY {order} {limit}",
                columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
                firsts=self._firsts(columns | orders, among_keys=among_keys),
                order=sql.SQL(", ").join(map(sql.Identifier, orders)),
                limit=_limit(limit),
            )
        return query(
            "SELECT {columns} FROM {tables} WHERE {scope} AND {asked} ORDER BY {order} {limit}",
            columns=_named(columns),
            tables=self._tables(among_keys=among_keys),
            scope=self._scope(among_keys=among_keys),
            asked=self._asked(),
            order=sql.SQL(", ").join(order),
            limit=_limit(limit),
        )

    def ended(self) -> sql.Composed | None:
        """Who has ended, for a look at all rows; None: the gate does not ask, or rows are few."""
        few = bool(self.keys or self.chosen)
        if self.people is None or few or self.agreement.after_death != "stop":
            return None
        return self._gate(self.people).ended_persons

    def of_persons(self, more: Mapping[str, str]) -> sql.Composed:
        """The row of each person who is asked for, the first in scope by `first_by`.

        Its one parameter, `$1`, is the list of their ID numbers. Columns: `ASKED_PLACE` (of the
        person in the list, from 1), then the agreement's, the gate's, and those that are named.

        Args:
            more: paths of further columns by their names, for the one who asks alone.
        """
        columns = self._all_columns() | {n: self._rows.path(path) for n, path in more.items()}
        return query(
            "SELECT asked.place AS {place}, found.* FROM unnest($1::text[]) WITH ORDINALITY"
            " AS asked(person, place) CROSS JOIN LATERAL (SELECT {columns} FROM {tables}"
            " WHERE {scope} AND {subject} = asked.person ORDER BY {order} LIMIT 1) found",
            place=sql.Identifier(gate_inputs.ASKED_PLACE),
            columns=_named(columns),
            tables=self._rows.tables(),
            scope=self._scope(),
            subject=self._rows.path(str(self.agreement.subject)),
            order=sql.SQL(", ").join(self._rows.first()),
        )

    def completed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of the statement with the gate's inputs that it does not select a second time.

        Args:
            rows: as they were selected.

        Returns:
            Columns: the statement's, then these inputs.
        """
        if self.people is None:
            return rows
        copies = self._copies(self._all_columns())
        names = {n: o for n, o in copies.items() if o in rows.columns and n not in rows.columns}
        return rows.with_columns(rows[origin].alias(name) for name, origin in names.items())

    def candidates(self, since: Since | None) -> CandidateSql:
        """Keys whose rows may have changed since then; None: all keys."""
        looked_up: tuple[str, ...] = ()
        if self.people is not None:
            looked_up = GateInputs(self.agreement, self.contracts).looked_up(self.people)
        return CandidateSql(self._rows, looked_up, since, self.left_out)

    def repeated(self, *, among_keys: bool = False) -> sql.Composed:
        """Keys in scope that several rows have, without `first_by`. Columns: the key's, `differs`.

        Args:
            among_keys: only those in the table `KEYS`.
        """
        names = sql.SQL(", ").join(map(sql.Identifier, self.agreement.key))
        return query(
            "SELECT {names}, min(h) <> max(h) AS differs FROM (SELECT {columns},"
            " hash_record_extended(ROW({all}), 0) AS h FROM {tables} WHERE {scope}) r"
            " GROUP BY {names} HAVING count(*) > 1",
            names=names,
            columns=sql.SQL(", ").join(self._rows.columns(self.candidates(None).key_fields())),
            all=sql.SQL(", ").join(self._rows.expression(f) for f in self.agreement.fields),
            tables=self._tables(among_keys=among_keys),
            scope=self._scope(among_keys=among_keys),
        )

    def indexes(self) -> list[tuple[str, str, LiteralString]]:
        """What this statement wants indexes on: registry table, column, of which rows (or all)."""
        wanted = [(self.contracts[d].table, "_version") for d in self.agreement.datasets]
        matches = [(j.dataset, j.match) for j in self.agreement.joins]
        matches += [(e.dataset, e.match) for e in self.agreement.semi_joins]
        for dataset, match in matches:
            contract = self.contracts[dataset]
            for path, column in match.items():
                if contract.key != (column,):
                    wanted.append((contract.table, column))
                if "." not in path and self.contracts[self.agreement.dataset].key != (path,):
                    wanted.append((self.contracts[self.agreement.dataset].table, path))
        wanted += self._key_index()
        base = self.contracts[self.agreement.dataset]
        if base.carrier is not None:
            wanted += [(base.table, base.carrier.field), (base.table, base.carrier.successor)]
        looked_up = [self.agreement.consent.dataset] if self.agreement.consent else []
        if self.people:
            looked_up += GateInputs(self.agreement, self.contracts).looked_up(self.people)
        wanted += [(self.contracts[d].table, "person_id18") for d in looked_up]
        more: list[tuple[str, str, LiteralString]] = []
        if self.people and self.agreement.after_death == "stop":
            more = [(self.contracts[self.people.cards].table, "person_id18", CANCELLED)]
        return [*((table, column, "") for table, column in dict.fromkeys(wanted)), *more]

    def count(self) -> sql.Composed:
        """How many rows there are."""
        if self.agreement.first_by:
            firsts = self._firsts({}, among_keys=False)
            return query("SELECT count(*) FROM ({firsts}) f WHERE _asked", firsts=firsts)
        return query(
            "SELECT count(*) FROM {tables} WHERE {scope} AND {asked}",
            tables=self._rows.tables(),
            scope=self._scope(),
            asked=self._asked(),
        )

    @property
    def _rows(self) -> ScopeSql:
        return ScopeSql(self.agreement, self.contracts, self.today)

    def _key_index(self) -> list[tuple[str, str]]:
        """On the first field of the key, by which rows of candidates are found."""
        if self.agreement.statistics:
            return []
        for shared in self.candidates(None).key_fields():
            if shared.origin is not None:
                alias, _, column = shared.origin.rpartition(".")
                datasets = {j.alias: j.dataset for j in self.agreement.joins}
                contract = self.contracts[datasets.get(alias, self.agreement.dataset)]
                return [] if contract.key == (column,) else [(contract.table, column)]
        return []

    def _tables(self, *, among_keys: bool) -> sql.Composed:
        tables = self._rows.tables()
        if not among_keys:
            return tables
        keys, pairs = sql.Identifier("pg_temp", KEYS), self.candidates(None).pairs()
        return query("{tables} JOIN {keys} k ON {pairs}", tables=tables, keys=keys, pairs=pairs)

    def _firsts(self, columns: Mapping[str, sql.Composed], *, among_keys: bool) -> sql.Composed:
        """The row of each key that counts; `_asked`: whether it is one of a replay.

        A replay chooses among rows that count, so that it never sends another row of their key.
        """
        key = [self._rows.expression(f) for f in self.candidates(None).key_fields()]
        return query(
            "SELECT DISTINCT ON ({key}) {columns} FROM {tables} WHERE {scope} ORDER BY {order}",
            key=sql.SQL(", ").join(key),
            columns=_named({**columns, "_asked": self._asked()}),
            tables=self._tables(among_keys=among_keys),
            scope=self._scope(among_keys=among_keys),
            order=sql.SQL(", ").join([*key, *self._rows.first()]),
        )

    def _statistics(self, limit: int | None) -> sql.Composed:
        """Groups with their counts, and with the largest share of one contributor."""
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
            "SELECT {columns}, {who} AS _who, {unit} AS _units FROM {tables}"
            " WHERE {scope} GROUP BY {groups}, {who}",
            columns=sql.SQL(", ").join(self._rows.columns(groups)),
            who=self._rows.path(block.contributor),
            unit=unit,
            tables=self._rows.tables(),
            scope=self._scope(),
            groups=sql.SQL(", ").join(self._rows.expression(f) for f in groups),
        )
        return query(
            "SELECT {columns} FROM (SELECT {names}, sum(_units)::bigint AS {count},"
            " max(_units)::bigint AS {top} FROM ({inner}) i GROUP BY {names}) c"
            " ORDER BY {names} {limit}",
            columns=sql.SQL(", ").join(
                sql.Identifier(n) for n in (*self.agreement.names, gate_inputs.TOP)
            ),
            names=sql.SQL(", ").join(names),
            count=sql.Identifier(block.count),
            top=sql.Identifier(gate_inputs.TOP),
            inner=inner,
            limit=_limit(limit),
        )

    def _columns(self) -> dict[str, sql.Composed]:
        """What the statement selects: each once, though gate and agreement both ask for it."""
        found = self._all_columns()
        copies = self._copies(found)
        return {name: column for name, column in found.items() if name not in copies}

    def _copies(self, columns: Mapping[str, sql.Composed]) -> dict[str, str]:
        """The gate's inputs that are the same expression as a column of the agreement: its name."""
        texts = {name: column.as_string(None) for name, column in columns.items()}
        shared = {texts[f.name]: f.name for f in self.agreement.fields}
        asked = [n for n in texts if n.startswith(gate_inputs.PREFIX) and texts[n] in shared]
        return {name: shared[texts[name]] for name in asked}

    def _all_columns(self) -> dict[str, sql.Composed]:
        """The agreement's, and the gate's; those not for a selection without a gate."""
        found = {f.name: self._rows.expression(f) for f in self.agreement.fields}
        if self.people is not None:
            exists = [self._rows.exists(e) for e in self.agreement.scope.exists]
            found |= self._gate(self.people).all(exists, keyed=self.keyed) | self._marks()
        if self.events is not None:
            waited = self.left_out.waiting(self.agreement.id) if self.left_out else None
            found |= measured_sql.columns(self.events, self._rows.path, waited)
        return found

    def _gate(self, people: People) -> GateInputSql:
        return GateInputSql(self.agreement, self.contracts, people, self._rows.path)

    def _marks(self) -> dict[str, sql.Composed]:
        """Of the first delivery with a record: whether a row was delivered before, and lapsed."""
        if self.before is None:
            return {}
        return {
            gate_inputs.DELIVERED: self._delivered_by(self.before.delivered),
            gate_inputs.LAPSED: self._delivered_by(self.before.lapsed),
            gate_inputs.SAME_PERSON: self._same_person(),
        }

    def _delivered_by(self, versions: Mapping[str, int]) -> sql.Composed:
        """Whether nothing about a row that a version tells is newer than these versions."""
        if not versions:
            return query("false")
        parts = [(BASE, self.agreement.dataset, "_version")]
        for join in self.agreement.joins:
            if not join.first_by:
                column = "_version" if join.on_change == "deliver" else "_first_version"
                parts.append((join.alias, join.dataset, column))
        return query(
            "({parts})",
            parts=sql.SQL(" AND ").join(
                query("{c} <= {v}", c=sql.Identifier(a, c), v=sql.Literal(versions.get(dataset, 0)))
                for a, dataset, c in parts
            ),
        )

    def _same_person(self) -> sql.Composed:
        """Whether a change of the row's person shows in what `_delivered_by` looks at.

        A joined row whose changes are ignored must be as it was first published.
        """
        alias, _, _ = (self.agreement.subject or "").rpartition(".")
        if not alias:
            return query("true")
        (join,) = (j for j in self.agreement.joins if j.alias == alias)
        if join.first_by or any("." in path for path in join.match):
            return query("false")
        if join.on_change == "deliver":
            return query("true")
        now, first = (sql.Identifier(alias, c) for c in ("_version", "_first_version"))
        return query("coalesce({now} = {first}, false)", now=now, first=first)

    def _scope(self, *, among_keys: bool = False) -> sql.Composed:
        """Which rows there are."""
        more = self.candidates(None).narrowing() if among_keys else []
        if self.held is not None:
            more.append(self.held)
        return sql.SQL(" AND ").join([*self._rows.conditions(), *more])

    def _asked(self) -> sql.Composed:
        """Which of them a replay is about; without one, all."""
        conditions = [query("true")]
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


def _named(columns: Mapping[str, sql.Composed]) -> sql.Composed:
    parts = [query("{e} AS {n}", e=e, n=sql.Identifier(n)) for n, e in columns.items()]
    return sql.SQL(", ").join(parts)


def _limit(limit: int | None) -> sql.Composed:
    return query("LIMIT {n}", n=sql.Literal(limit)) if limit is not None else query("")
