"""Tables of a database with their numbers of rows, and a sample of one: keys, comments, texts.

Names and types come from the dialect, as for every reading; keys, indexes and comments from
SQLAlchemy's inspector. Each question runs in a session that may change nothing, within bounds.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from pydantic import ValidationError
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Text,
    cast,
    exc,
    func,
    inspect,
    literal_column,
    null,
    select,
    table,
)
from sqlalchemy import Connection as Database
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.sql import quoted_name

from connectors.sql import dialects
from connectors.sql.describe import source_column
from connectors.sql.dialects.base import Dialect
from connectors.sql.dialects.there import TableThere
from connectors.sql.errors import translated
from connectors.sql.generic_values import Undecoded
from connectors.sql.options import SqlSource
from onecard.base.connections import Connection
from onecard.errors import UsageError
from onecard.model.discovered import (
    MOST_COUNTED,
    SAMPLE_ROWS,
    ListedTable,
    SampledColumn,
    SampledSource,
)
from onecard.model.drift import SourceColumn
from onecard.model.source_types import DeclaredColumn
from onecard.ports.source import Column

SECONDS = 60
"""How long a statement may take, and how long a server may be silent."""
LONGEST = 1_000
"""Characters of a value that are looked at."""
_OWN = ("information_schema", "performance_schema", "sys")
"""Schemas of the databases themselves."""


@dataclass(frozen=True, slots=True)
class CatalogueFacts:
    """What the inspector tells of a table.

    Attributes:
        title: comment on the table.
        titles: comments on its columns, by name.
        keys: columns of the primary key, then of the unique ones.
        indexed: columns with which an index begins.
        unread: kinds of facts that this database did not tell.
    """

    title: str
    titles: Mapping[str, str]
    keys: tuple[tuple[str, ...], ...]
    indexed: frozenset[str]
    unread: tuple[str, ...]


def listed(connection: Connection, place: str) -> tuple[ListedTable, ...]:
    """Tables and views with their rows; of the schema that is named, or all that are not its own.

    Args:
        connection: of the database.
        place: a schema; empty: all.

    Raises:
        OnecardError: as `connectors.sql.errors.translated`.
    """
    dialect = dialects.of(connection)
    with _reading(connection, dialect, "the list of tables") as database, _quietly():
        inspector: Inspector = inspect(database)
        usual = inspector.default_schema_name
        found: list[ListedTable] = []
        for home in [place] if place else _schemas(inspector, dialect, connection):
            where = None if home == usual else home
            for kind, names in (
                ("table", inspector.get_table_names(schema=where)),
                ("view", inspector.get_view_names(schema=where)),
            ):
                for name in names:
                    shown = f"{where}.{name}" if where else name
                    rows = _counted(database, _table(TableThere(name, where)))
                    title = _asked(partial(_title, inspector, name, where), "", database)
                    found.append(ListedTable(shown, kind, rows, title))
    return tuple(sorted(found, key=lambda t: t.name))


def sampled(connection: Connection, target: str, options: Mapping[str, Any]) -> SampledSource:
    """A table or view, and the first rows that the database gives of it.

    Args:
        connection: of the database.
        target: `table` or `schema.table`.
        options: as for `SqlSource`, without the table.

    Raises:
        UsageError: the login sees no such table, or an option is none.
        OnecardError: as `connectors.sql.errors.translated`.
    """
    dialect = dialects.of(connection)
    with _reading(connection, dialect, f"a sample of {target}") as database:
        there = _there(database, dialect, target, str(options.get("schema") or ""))
        facts = _facts(database, there)
        columns = tuple(
            SampledColumn(
                source_column(c.name, c), facts.titles.get(c.name, ""), c.name in facts.indexed
            )
            for c in there.columns
        )
        seen = [_seen(dialect, c, s.source) for c, s in zip(there.columns, columns, strict=True)]
        statement = select(*seen)
        rows = database.execute(statement.select_from(_table(there)).limit(SAMPLE_ROWS + 1)).all()
    said = {"table": there.name, **({"schema": there.home} if there.home else {}), **options}
    try:
        SqlSource.model_validate(said)
    except ValidationError as error:
        parts = ", ".join(sorted({str(e["loc"][-1]) for e in error.errors()}))
        msg = f"options of a table that is read: {parts} cannot be"
        raise UsageError(msg) from None
    return SampledSource(
        origin=f"{there.home}.{there.name}" if there.home else there.name,
        name=there.name,
        connector="sql",
        options=said,
        columns=columns,
        rows=tuple(tuple(map(_text, row)) for row in rows[:SAMPLE_ROWS]),
        whole=len(rows) <= SAMPLE_ROWS,
        title=facts.title,
        keys=facts.keys,
        remarks=tuple(f"the database does not tell its {kind}" for kind in facts.unread),
    )


@contextmanager
def _reading(connection: Connection, dialect: Dialect, what: str) -> Iterator[Database]:
    """A session that may change nothing and waits no longer than `SECONDS`."""
    engine = dialect.brief(connection, SECONDS)
    try:
        with translated(what, connection), engine.connect() as database:
            for statement in dialect.session:
                database.exec_driver_sql(statement)
            database.commit()
            for statement in dialect.read_only:
                database.exec_driver_sql(statement)
            yield database
    finally:
        engine.dispose()


def _schemas(inspector: Inspector, dialect: Dialect, connection: Connection) -> list[str]:
    """The login's own schema alone where others belong to other logins or databases."""
    usual = inspector.default_schema_name
    if usual is not None and (not dialect.makes_schemas or usual == connection.schema_):
        return [usual]
    names = inspector.get_schema_names()
    return [n for n in names if n.lower() not in _OWN and not n.startswith("pg_")]


def _there(database: Database, dialect: Dialect, target: str, home: str) -> TableThere:
    """The table of that name, else of the name behind a dot in the schema before it."""
    found = dialect.there(database, target, home or None)
    schema, dot, name = target.partition(".")
    if not found.columns and dot and not home:
        found = dialect.there(database, name, schema)
    if not found.columns:
        msg = f"no table or view {target!r} is seen by this login: `onecard discover` lists them"
        raise UsageError(msg)
    return found


def _seen(dialect: Dialect, there: DeclaredColumn, source: SourceColumn) -> ColumnElement[Any]:
    """A column as text where a driver would fail on its values: `infinity`, years before Christ.

    What no contract takes, as images are, is not fetched.
    """
    if source.accepts is not None and not source.accepts.accepts:
        return null().label(there.name)
    if dialect.copies:
        return func.substr(cast(dialect.plain(there.name), Text), 1, LONGEST)
    return dialect.selected(Column(there.name, there.name), there)


def _table(there: TableThere) -> FromClause:
    home = quoted_name(there.home, quote=True) if there.home else None
    return table(quoted_name(there.name, quote=True), schema=home)


def _counted(database: Database, source: FromClause) -> int | None:
    """Rows up to the bound; None where the login may not read them."""
    one: ColumnElement[int] = literal_column("1")
    some = select(one.label("one")).select_from(source).limit(MOST_COUNTED)
    statement = select(func.count()).select_from(some.subquery())
    found: int | None = _asked(lambda: int(database.scalar(statement) or 0), None, database)
    return found


def _facts(database: Database, there: TableThere) -> CatalogueFacts:
    """Each kind of fact by itself: a descendant of a database may lack some."""
    inspector: Inspector = inspect(database)
    name, home, unread = there.name, there.home, []
    where = None if home == inspector.default_schema_name else home

    def fact(what: str, ask: Callable[[], Any]) -> Any:  # noqa: ANN401 - each its own
        nothing = object()
        found = _asked(ask, nothing, database)
        if found is nothing:
            unread.append(what)
            return []
        return found

    with _quietly():
        columns = fact("comments", lambda: inspector.get_columns(name, where))
        primary = fact("primary key", lambda: [inspector.get_pk_constraint(name, where)])
        indexes = fact("indexes", lambda: inspector.get_indexes(name, where))
        unique = fact("unique keys", lambda: inspector.get_unique_constraints(name, where))
        title = fact("comment", lambda: [_title(inspector, name, where)])
    keys = [p["constrained_columns"] for p in primary]
    keys += [u["column_names"] for u in unique]
    keys += [i["column_names"] for i in indexes if i["unique"]]
    whole = [tuple(map(str, k)) for k in keys if k and all(k)]
    leading = [i["column_names"][0] for i in indexes if i["column_names"]]
    return CatalogueFacts(
        title=str(title[0]) if title else "",
        titles=_own_names({c["name"]: c.get("comment") or "" for c in columns}, there),
        keys=tuple(tuple(_own(n, there) for n in key) for key in dict.fromkeys(whole)),
        indexed=frozenset(_own(str(n), there) for n in (*leading, *(k[0] for k in whole)) if n),
        unread=tuple(unread),
    )


def _own(name: str, there: TableThere) -> str:
    """A column's name as the dialect spells it; SQLAlchemy writes Oracle's in lower case."""
    found = there.column(name) or next(
        (c for c in there.columns if c.name.lower() == name.lower()), None
    )
    return found.name if found else name


def _own_names(texts: Mapping[str, str], there: TableThere) -> dict[str, str]:
    return {_own(name, there): text for name, text in texts.items()}


def _title(inspector: Inspector, name: str, home: str | None) -> str:
    return str(inspector.get_table_comment(name, home).get("text") or "")


def _asked(ask: Callable[[], Any], otherwise: Any, database: Database) -> Any:  # noqa: ANN401
    """What the database answers; `otherwise` where it does not know, or the login may not."""
    try:
        with database.begin_nested():
            return ask()
    except (NotImplementedError, exc.DBAPIError, exc.NoSuchTableError):
        return otherwise


@contextmanager
def _quietly() -> Iterator[None]:
    """SQLAlchemy warns of types that it does not know; they are the dialect's matter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exc.SAWarning)
        yield


def _text(value: object) -> str | None:
    """A value in writing; bytes that are no text are a sign that is none."""
    if value is None:
        return None
    if hasattr(value, "read"):
        value = value.read()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")[:LONGEST]
    if isinstance(value, date | datetime):
        return value.isoformat()
    return "\ufffd" if isinstance(value, bytes | Undecoded) else str(value)[:LONGEST]
