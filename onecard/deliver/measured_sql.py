"""Which kind an event is of, and when it happened, as SQL (`onecard.model.measured`)."""

from __future__ import annotations

from collections.abc import Callable

from psycopg import sql

from onecard.base.sql_text import query
from onecard.deliver.scope_sql import BASE
from onecard.model import measured
from schemas.models.reaction import Events, Kind

PathSql = Callable[[str], sql.Composed]


def columns(
    events: Events, path: PathSql, waited: sql.Composed | None = None
) -> dict[str, sql.Composed]:
    """The columns by their names.

    Args:
        events: what is measured of the agreement's dataset.
        path: SQL of a path.
        waited: whether the last delivery left an event out, for the sake of the order on
            replacement; None: of none.
    """
    first = query("{c}", c=sql.Identifier(BASE, "_first_version"))
    if waited is not None:
        first = query("CASE WHEN {waited} THEN NULL ELSE {first} END", waited=waited, first=first)
    return {
        measured.KIND: kind(events, path),
        measured.AT: path(events.since),
        measured.FIRST: first,
        measured.TRANSFER: query("{c}", c=sql.Identifier(BASE, "_transfer_id")),
    }


def kind(events: Events, path: PathSql) -> sql.Composed:
    """The name of the first kind that fits; NULL: none does.

    Args:
        events: kinds by name, in their order.
        path: SQL of a path.
    """
    cases = [
        query("WHEN {test} THEN {name}::text", test=_fits(found, path), name=sql.Literal(name))
        for name, found in events.kinds.items()
    ]
    return query("CASE {cases} END", cases=sql.SQL(" ").join(cases))


def _fits(found: Kind, path: PathSql) -> sql.Composed:
    tests = [
        query("{p} IN ({codes})", p=path(name), codes=sql.SQL(", ").join(map(sql.Literal, codes)))
        for name, codes in found.when.items()
    ]
    return sql.SQL(" AND ").join([query("true"), *tests])
