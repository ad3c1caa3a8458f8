"""What SQL Server's catalogue says of a table."""

# ruff: noqa: S608 - statements are made of constants of this file
from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, text

from connectors.common import source_types
from connectors.sql.dialects.there import TableThere
from connectors.sql.inbox_look import Family, InboxColumn, InboxTable
from onecard.model.source_types import DeclaredColumn

VERSIONS = text("SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()")
_OBJECT = (
    "OBJECT_ID(QUOTENAME(COALESCE(CAST(:home AS nvarchar(128)), SCHEMA_NAME())) + N'.'"
    " + QUOTENAME(CAST(:name AS nvarchar(128))))"
)
COLUMNS = text(
    "SELECT c.name, COALESCE(b.name, t.name) AS kind, c.max_length, c.precision, c.scale,"
    " c.is_nullable, c.is_identity, c.is_computed, c.default_object_id, c.collation_name,"
    " c.generated_always_type FROM sys.columns c JOIN sys.types t"
    " ON t.user_type_id = c.user_type_id LEFT JOIN sys.types b ON t.is_user_defined = 1"
    " AND t.is_assembly_type = 0 AND b.user_type_id = t.system_type_id"
    f" WHERE c.object_id = {_OBJECT} ORDER BY c.column_id"
)
"""A type of an agency's own counts as the type that it stands on."""
KIND = text(f"SELECT type FROM sys.objects WHERE object_id = {_OBJECT}")
UNIQUE = text(
    "SELECT i.index_id, c.name FROM sys.indexes i JOIN sys.index_columns k"
    " ON k.object_id = i.object_id AND k.index_id = i.index_id AND k.is_included_column = 0"
    " JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id"
    " WHERE i.is_unique = 1 AND i.has_filter = 0 AND i.is_disabled = 0 AND i.ignore_dup_key = 0"
    f" AND i.object_id = {_OBJECT}"
)
TRIGGERS = text(f"SELECT name FROM sys.triggers WHERE is_disabled = 0 AND parent_id = {_OBJECT}")
REFERENCES = text(
    "SELECT OBJECT_NAME(parent_object_id) FROM sys.foreign_keys"
    f" WHERE referenced_object_id = {_OBJECT}"
)
_FAMILIES: dict[str, Family] = {
    **dict.fromkeys(("varchar", "nvarchar"), "text"),
    **dict.fromkeys(("char", "nchar"), "fixed"),
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), "integer"),
    **dict.fromkeys(("decimal", "numeric"), "decimal"),
    "float": "float",
    "bit": "boolean",
    "date": "date",
    "datetime2": "clock",
}
"""DATETIME and SMALLDATETIME keep no microseconds, MONEY no more than four digits; DATETIMEOFFSET
takes a clock time for one of UTC."""
_DIGITS = {"tinyint": 0, "smallint": 4, "int": 9, "bigint": 18}
_WIDE = ("nvarchar", "nchar")
_SIZED = (*_WIDE, "varchar", "char", "binary", "varbinary")


def keeps_versions(database: Connection) -> bool:
    """Whether a transaction may read one state while others write.

    Args:
        database: an open connection.
    """
    return database.execute(VERSIONS).scalar() == 1


def columns(database: Connection, types: str, name: str, home: str | None) -> TableThere:
    """The columns of a table or view; none where there is none of that name.

    Args:
        database: an open connection.
        types: whose types these are (`connectors/source_types.yaml`).
        name: of the table.
        home: its schema; None: the login's own.
    """
    rows = database.execute(COLUMNS, {"name": name, "home": home}).all()
    found = (
        DeclaredColumn(
            str(r.name), _shown(r), source_types.of(types, r.kind), nullable=bool(r.is_nullable)
        )
        for r in rows
    )
    return TableThere(name, home, tuple(found))


def _shown(row: Any) -> str:  # noqa: ANN401 - a row
    """A type with its lengths, as one writes it."""
    kind = str(row.kind)
    if kind in ("decimal", "numeric"):
        return f"{kind}({row.precision},{row.scale})"
    if kind in ("datetime2", "datetimeoffset", "time"):
        return f"{kind}({row.scale})"
    if kind in _SIZED:
        size = int(row.max_length)
        return f"{kind}(max)" if size < 0 else f"{kind}({size // 2 if kind in _WIDE else size})"
    return kind


def look(database: Connection, home: str | None, name: str) -> InboxTable | None:
    """An inbox table as it is; None when there is none of that name.

    Args:
        database: a session of the inbox.
        home: its schema; None: the session's own.
        name: of the table.
    """
    at = {"name": name, "home": home}
    kind = database.execute(KIND, at).scalar()
    if kind is None:
        return None
    parts: dict[int, set[str]] = defaultdict(set)
    for row in database.execute(UNIQUE, at):
        parts[int(row.index_id)].add(str(row.name).lower())
    flaws = [] if str(kind).strip() == "U" else ["it is a view, and must be a table"]
    flaws += [
        f"{other} refers to it by a foreign key: rows could not be replaced"
        for other in database.execute(REFERENCES, at).scalars()
    ]
    kept = [_column(row) for row in database.execute(COLUMNS, at)]
    return InboxTable(
        tuple(flaws),
        {c.name.lower(): c for c in kept},
        tuple(frozenset(names) for names in parts.values()),
        tuple(database.execute(TRIGGERS, at).scalars()),
    )


def _column(row: Any) -> InboxColumn:  # noqa: ANN401 - a row
    kind, collation = str(row.kind), str(row.collation_name or "")
    family = _FAMILIES.get(kind, "other")
    size = int(row.max_length)
    texts = family in ("text", "fixed") and size >= 0
    exact = not collation or collation.endswith(("_BIN", "_BIN2"))
    return InboxColumn(
        name=str(row.name),
        declared=_shown(row),
        family=family,
        length=size // 2 if texts and kind in _WIDE else None,
        octets=size if texts and kind not in _WIDE else None,
        digits=int(row.precision) - int(row.scale) if family == "decimal" else _DIGITS.get(kind),
        scale=int(row.scale) if family == "decimal" else None,
        fraction=int(row.scale) if family == "clock" else 0,
        optional=bool(row.is_nullable) or bool(row.default_object_id) or bool(row.is_identity),
        made=bool(row.is_computed) or bool(row.is_identity) or bool(row.generated_always_type),
        narrow="" if kind in _WIDE or family not in ("text", "fixed") else "its code page",
        blurs="" if exact else collation,
        pads=bool(collation),
    )
