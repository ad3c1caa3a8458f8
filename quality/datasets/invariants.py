"""Invariants between rows and between datasets, as one SQL statement: shares, never a value.

Both audit engines run this statement. Another dataset is looked at as it is published; while it
is not, its invariants have no number and find nothing. Published rows are found by the values of
staged ones, so that what is read grows with these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from psycopg import sql

from onecard.ports.auditor import Staged
from onecard.store import database
from schemas.models.dataset_checks import AtMostOne, Invariant, Matches, NoneIn, Paired
from schemas.models.rules import Condition

NOTHING = sql.SQL("CAST(NULL AS float8)")
LIVE = sql.SQL("_deleted_at IS NULL")


def invariants(staged: Staged, connection: database.Connection) -> sql.Composed | None:
    """The statement of all invariants: one row, one column per expectation."""
    columns = [
        sql.SQL("({share}) AS {name}").format(
            share=_share(staged, e.check, connection, again=e.name in staged.failed_before),
            name=sql.Identifier(e.name),
        )
        for e in staged.contract.expectations
        if isinstance(e.check, Invariant)
    ]
    return sql.SQL("SELECT ") + sql.SQL(", ").join(columns) if columns else None


def _share(
    staged: Staged, check: Invariant, connection: database.Connection, *, again: bool
) -> sql.Composable:
    if isinstance(check, AtMostOne):
        return _at_most_one(staged, check, whole=again)
    if isinstance(check, Paired):
        return _paired(staged, check)
    other = sql.Identifier("registry", check.dataset.replace("/", "__"))
    found = connection.execute("SELECT to_regclass(%s)", (other.as_string(),)).fetchone()
    if found is None or found[0] is None:
        return NOTHING
    return (
        _matches(staged, check, other)
        if isinstance(check, Matches)
        else _none_in(staged, check, other)
    )


def _matches(staged: Staged, check: Matches, other: sql.Identifier) -> sql.Composed:
    given = _every(sql.SQL("s.{c} IS NOT NULL").format(c=sql.Identifier(c)) for c in check.same)
    partner = _exists(other, _equal(check.by))
    agreeing = _exists(other, _every([_equal(check.by), _equal(check.same)]))
    return sql.SQL(
        "SELECT CAST(a.n - b.n AS float8) / nullif(a.n, 0) FROM ({partnered}) a, ({agreeing}) b"
    ).format(
        partnered=_count(staged, _every([given, partner])),
        agreeing=_count(staged, _every([given, agreeing])),
    )


def _none_in(staged: Staged, check: NoneIn, other: sql.Identifier) -> sql.Composed:
    there = [_holds("o", condition) for condition in check.there]
    partner = _exists(other, _every([_equal(check.by), *there]))
    where = _every([sql.SQL("true"), *(_holds("s", condition) for condition in check.where)])
    return sql.SQL(
        "SELECT CAST(b.n AS float8) / nullif(a.n, 0) FROM ({all}) a, ({found}) b"
    ).format(all=_count(staged, where), found=_count(staged, _every([where, partner])))


def _count(staged: Staged, where: sql.Composable) -> sql.Composed:
    """How many staged rows there are of a kind.

    What is asked of another dataset stands in the condition, not beside the count: there PostgreSQL
    joins both as it sees fit, else it would ask row by row and, without an index, read all of the
    other dataset for each.
    """
    return sql.SQL("SELECT count(*) AS n FROM {staged} s WHERE {where}").format(
        staged=_table(staged), where=where
    )


def _at_most_one(staged: Staged, check: AtMostOne, *, whole: bool) -> sql.Composed:
    """Staged rows, and published ones of the same values that no staged row replaces.

    Where the last reading has found any (`whole`) all published ones are looked at: what was found
    does not end by not being touched.
    """
    where = _every([sql.SQL("true"), *(_holds("r", condition) for condition in check.where)])
    wanted = dict.fromkeys((*check.per, *(c.field for c in check.where)))
    columns = sql.SQL(", ").join(map(sql.Identifier, wanted))
    per = sql.SQL(", ").join(map(sql.Identifier, check.per))
    rows = sql.SQL("SELECT {columns} FROM {staged}").format(columns=columns, staged=_table(staged))
    if staged.published:
        keys = {name: name for name in staged.contract.key}
        touched = sql.SQL("({per}) IN (SELECT {per} FROM {staged})").format(
            per=per, staged=_table(staged)
        )
        rows += sql.SQL(
            " UNION ALL SELECT {columns} FROM {registry} o WHERE {live}"
            " AND {touched} AND NOT EXISTS (SELECT FROM {staged} s WHERE {same})"
        ).format(
            columns=columns,
            registry=sql.Identifier("registry", staged.contract.table),
            live=LIVE,
            touched=sql.SQL("true") if whole else touched,
            staged=_table(staged),
            same=_equal(keys),
        )
    return sql.SQL(
        "SELECT CAST(count(*) FILTER (WHERE n > 1) AS float8) / nullif(count(*), 0) FROM"
        " (SELECT count(*) AS n FROM ({rows}) r WHERE {where} GROUP BY {per}) counted"
    ).format(rows=rows, where=where, per=per)


def _paired(staged: Staged, check: Paired) -> sql.Composed:
    field = sql.Identifier(check.field)
    count = sql.SQL("CAST(count(*) FILTER (WHERE {field} = {value}) AS float8)")
    return sql.SQL(
        "SELECT sum(greatest(a - b, 0)) / nullif(sum(a), 0) FROM (SELECT {first} AS a,"
        " {second} AS b FROM {staged} GROUP BY {per}) counted"
    ).format(
        first=count.format(field=field, value=_literal(check.first)),
        second=count.format(field=field, value=_literal(check.second)),
        staged=_table(staged),
        per=sql.SQL(", ").join(map(sql.Identifier, check.per)),
    )


def _exists(other: sql.Identifier, condition: sql.Composable) -> sql.Composed:
    return sql.SQL("EXISTS (SELECT FROM {other} o WHERE o.{live} AND {condition})").format(
        other=other, live=LIVE, condition=condition
    )


def _equal(pairs: Mapping[str, str]) -> sql.Composed:
    """Own fields (alias s) equal to the partner's (alias o)."""
    return _every(
        sql.SQL("s.{mine} = o.{theirs}").format(
            mine=sql.Identifier(mine), theirs=sql.Identifier(theirs)
        )
        for mine, theirs in pairs.items()
    )


def _every(conditions: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(" AND ").join(conditions)


def _holds(alias: str, condition: Condition) -> sql.Composed:
    """Whether a condition holds; a NULL field meets only `null: true`."""
    column = sql.Identifier(alias, condition.field)
    if condition.null is not None:
        test = "{c} IS NULL" if condition.null else "{c} IS NOT NULL"
        return sql.SQL(test).format(c=column)
    listed = condition.in_ or condition.not_in
    if listed is not None:
        values = sql.SQL(", ").join(map(_literal, listed))
        test = "{c} IN ({v})" if condition.in_ else "{c} NOT IN ({v})"
        return sql.SQL(test).format(c=column, v=values)
    test = "{c} >= {v}" if condition.min is not None else "{c} <= {v}"
    bound = condition.min if condition.min is not None else condition.max
    return sql.SQL(test).format(c=column, v=_literal(bound))


def _literal(value: Any) -> sql.Literal:  # noqa: ANN401 - YAML scalar
    """Text without a type: PostgreSQL reads it as the column's."""
    return sql.Literal(str(value))


def _table(staged: Staged) -> sql.Identifier:
    return sql.Identifier("staging", staged.table)
