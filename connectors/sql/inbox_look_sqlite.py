"""What SQLite says of an inbox table (its pragmas and its schema table)."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, text

from connectors.sql.inbox_look import Family, InboxColumn, InboxTable

_TABLE = text(
    "SELECT type, sql FROM sqlite_master WHERE lower(name) = lower(:name)"
    " AND type IN ('table', 'view')"
)
_COLUMNS = text("SELECT * FROM pragma_table_xinfo(:name)")
_INDEXES = text(
    "SELECT l.name AS name, x.name AS part, x.coll AS collation FROM pragma_index_list(:name) l,"
    ' pragma_index_xinfo(l.name) x WHERE l."unique" AND NOT l.partial AND x.key'
)
_TRIGGERS = text(
    "SELECT name FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = lower(:name)"
)


def look(
    database: Connection,
    schema: str | None,  # noqa: ARG001 - the file is the schema
    name: str,
) -> InboxTable | None:
    """The table as it is; None when there is none of that name.

    Args:
        database: a session of the inbox.
        schema: not used: SQLite's file is the schema.
        name: of the table.
    """
    at = {"name": name}
    table = database.execute(_TABLE, at).one_or_none()
    if table is None:
        return None
    parts: dict[str, list[Any]] = {}
    for row in database.execute(_INDEXES, at):
        parts.setdefault(row.name, []).append(row)
    rows = database.execute(_COLUMNS, at).all()
    blurred = {
        str(part.part).lower(): part.collation
        for part in (p for listed in parts.values() for p in listed)
        if part.part and part.collation != "BINARY"
    }
    columns = [_column(row, blurred, str(table.sql)) for row in rows]
    unique = [frozenset(str(p.part).lower() for p in listed) for listed in parts.values()]
    primary = frozenset(str(r.name).lower() for r in rows if r.pk)
    return InboxTable(
        ("it is a view, and must be a table",) if table.type == "view" else (),
        {c.name.lower(): c for c in columns},
        (*unique, *([primary] if primary else [])),
        tuple(database.execute(_TRIGGERS, at).scalars()),
    )


def _family(declared: str) -> Family:
    """What a type keeps as it is sent, by SQLite's rules of affinity.

    A date or a time is no number, so that NUMERIC keeps its text; `007` and `1.50` it changes.
    """
    kind = declared.upper()
    if "INT" in kind:
        return "integer"
    if not kind or any(word in kind for word in ("CHAR", "CLOB", "TEXT", "BLOB")):
        return "text"
    if any(word in kind for word in ("REAL", "FLOA", "DOUB")):
        return "float"
    if any(word in kind for word in ("DATE", "TIME")):
        return "clock"
    return "boolean" if "BOOL" in kind else "integer"


def _column(row: Any, blurred: dict[str, str], ddl: str) -> InboxColumn:  # noqa: ANN401 - a row
    name = str(row.name)
    family = _family(str(row.type))
    own = re.search(
        rf"[\"`\[]?\b{re.escape(name)}\b[\"`\]]?[^,]*?COLLATE\s+[\"`]?(NOCASE|RTRIM)", ddl, re.I
    )
    return InboxColumn(
        name=name,
        declared=str(row.type).lower() or "untyped",
        family=family,
        digits=18 if family == "integer" else None,
        optional=not row.notnull or row.dflt_value is not None or bool(row.pk),
        made=row.hidden in (2, 3),
        blurs=own[1].upper() if own else blurred.get(name.lower(), ""),
    )
