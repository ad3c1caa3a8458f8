"""The columns of a MariaDB, MySQL or SQLite table: their types, and how each is asked for."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import CHAR, ColumnElement, Connection, cast, column, text
from sqlalchemy.dialects import mysql

from connectors.common import source_types
from onecard.model.source_types import DeclaredColumn
from onecard.ports.source import Column

_MARIADB = text(
    "SELECT column_name, data_type, column_type, is_nullable FROM information_schema.columns"
    " WHERE table_name = :name AND table_schema = coalesce(:home, database())"
    " ORDER BY ordinal_position"
)
_SQLITE = text(
    "SELECT name, type, \"notnull\" FROM pragma_table_xinfo(:name, coalesce(:home, 'main'))"
    " WHERE hidden <> 1 ORDER BY cid"
)

_AFFINITIES = (
    ("INT", "INTEGER"),
    ("CHAR|CLOB|TEXT", "TEXT"),
    ("BLOB", "BLOB"),
    ("REAL|FLOA|DOUB", "REAL"),
)
"""Words in a declared type → its affinity, in this order (sqlite.org/datatype3.html, 3.1)."""


def columns(
    database: Connection, system: str, name: str, home: str | None
) -> dict[str, DeclaredColumn]:
    """The columns of a table by name in lower case; none where it is not there.

    Args:
        database: an open connection.
        system: `mariadb` or `sqlite`.
        name: of the table.
        home: its schema; None: the login's own.
    """
    asked = {"name": name, "home": home}
    if system == "sqlite":
        rows = database.execute(_SQLITE, asked).all()
        found = [_sqlite(str(r[0]), str(r[1]), strict=bool(r[2])) for r in rows]
    else:
        rows = database.execute(_MARIADB, asked).all()
        found = [_mariadb(str(r[0]), str(r[1]), str(r[2]), nullable=r[3] == "YES") for r in rows]
    return {c.name.lower(): c for c in found}


def _sqlite(name: str, declared: str, *, strict: bool) -> DeclaredColumn:
    affinity = "NUMERIC" if declared else "untyped"
    for words, found in _AFFINITIES:
        if re.search(words, declared.upper()):
            affinity = found
            break
    kind = source_types.of("sqlite", affinity)
    return DeclaredColumn(name, declared.lower() or affinity, kind, nullable=not strict)


def _mariadb(name: str, kind: str, declared: str, *, nullable: bool) -> DeclaredColumn:
    zeros = kind.lower().endswith("int") and "zerofill" in declared.lower()
    found = source_types.of("mariadb", "zerofill" if zeros else kind.lower())
    return DeclaredColumn(name, declared, found, nullable=nullable)


def selected(wanted: Column, there: DeclaredColumn | None) -> ColumnElement[Any]:
    """A column as it is asked for.

    Args:
        wanted: by its native name.
        there: as the table declares it; None where it does not.
    """
    plain: ColumnElement[Any] = column(wanted.native)
    read = there.type.read if there is not None and wanted.type is not None else "as_it_is"
    if read == "text":
        return cast(plain, CHAR)
    if read == "unsigned":
        return cast(plain, mysql.INTEGER(unsigned=True))
    return plain
