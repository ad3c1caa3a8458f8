"""What the dictionary of Oracle, and of DM8 which has the same views, says of a table.

A name in lower case is one without quotation marks, which these databases keep in capitals; any
other spelling is the name itself.
"""

# ruff: noqa: S608 - statements are made of constants of this file
from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from connectors.common import source_types
from connectors.sql.dialects.there import TableThere
from connectors.sql.inbox_look import Family, InboxColumn, InboxTable
from onecard.model.source_types import DeclaredColumn

_HOME = (
    " WHERE owner IN (COALESCE(:home, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')), UPPER(:home))"
    " AND table_name IN (:name, UPPER(:name))"
)
COLUMNS = text(
    "SELECT owner, table_name, column_name, data_type, data_length, char_length, data_precision,"
    f" data_scale, nullable FROM all_tab_columns{_HOME} ORDER BY owner, table_name, column_id"
)
KEPT = text(
    "SELECT column_name, data_type, data_length, char_length, data_precision, data_scale, nullable,"
    " default_length, virtual_column, char_used FROM all_tab_cols"
    " WHERE owner = COALESCE(:home, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA'))"
    " AND table_name = :name AND hidden_column = 'NO' ORDER BY column_id"
)
UNIQUE = text(
    "SELECT c.index_name, c.column_name FROM all_indexes i JOIN all_ind_columns c"
    " ON c.index_owner = i.owner AND c.index_name = i.index_name"
    " WHERE i.table_owner = COALESCE(:home, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA'))"
    " AND i.table_name = :name AND i.uniqueness = 'UNIQUE' AND i.index_type = 'NORMAL'"
)
TRIGGERS = text(
    "SELECT trigger_name FROM all_triggers"
    " WHERE table_owner = COALESCE(:home, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA'))"
    " AND table_name = :name AND status = 'ENABLED'"
)
REFERENCES = text(
    "SELECT f.table_name FROM all_constraints f JOIN all_constraints p"
    " ON p.owner = f.r_owner AND p.constraint_name = f.r_constraint_name"
    " WHERE f.constraint_type = 'R' AND p.table_name = :name"
    " AND p.owner = COALESCE(:home, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA'))"
)
VIEWS = text(
    "SELECT COUNT(*) FROM all_views WHERE view_name = :name"
    " AND owner = COALESCE(:home, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA'))"
)
_FAMILIES: dict[str, Family] = {
    **dict.fromkeys(("varchar2", "nvarchar2", "varchar", "clob", "nclob", "text"), "text"),
    **dict.fromkeys(("char", "nchar", "character"), "fixed"),
    **dict.fromkeys(("number", "numeric", "decimal", "dec"), "decimal"),
    **dict.fromkeys(("int", "integer", "bigint", "smallint", "tinyint"), "integer"),
    **dict.fromkeys(("binary_double", "double", "double precision"), "float"),
    "date": "clock",
    "timestamp": "clock",
    "datetime": "clock",
    **dict.fromkeys(("timestamp with time zone", "timestamp with local time zone"), "instant"),
}
"""Its DATE has hours, minutes and seconds."""
_DIGITS = {"int": 9, "integer": 9, "bigint": 18, "smallint": 4, "tinyint": 2}
_UNBOUNDED = ("clob", "nclob", "text")


def spelt(name: str) -> str:
    """A name as the dictionary has it.

    Args:
        name: as a contract or an agreement has it.
    """
    return name.upper() if name == name.lower() else name


def base_of(kind: str) -> str:
    """A type without its lengths, in lower case."""
    return re.sub(r"\s*\([^)]*\)", "", kind).strip().lower()


def columns(database: Connection, types: str, name: str, home: str | None) -> TableThere:
    """The columns of a table or view, by the one spelling of its name that is there.

    Args:
        database: an open connection.
        types: whose types these are (`connectors/source_types.yaml`).
        name: of the table.
        home: its schema; None: the login's own.
    """
    found: dict[tuple[str, str], list[DeclaredColumn]] = defaultdict(list)
    for row in database.execute(COLUMNS, {"name": name, "home": home}):
        kind = source_types.of(types, base_of(row.data_type))
        column = DeclaredColumn(
            row.column_name,
            _shown(row._mapping),  # noqa: SLF001 - SQLAlchemy's public name
            kind,
            nullable=str(row.nullable).startswith("Y"),
        )
        found[row.owner, row.table_name].append(column)
    same = [place for place in found if place[1] == name] or list(found)
    same = [place for place in same if place[0] == home] or same
    if len(same) != 1:
        return TableThere(name, home)
    owner, table = same[0]
    return TableThere(table, owner, tuple(found[owner, table]))


def _shown(row: Mapping[Any, Any]) -> str:
    """A type with its lengths, as one writes it."""
    kind = str(row["data_type"]).lower()
    if "(" in kind:
        return kind
    if row["data_precision"] is not None and kind != "float":  # whose precision counts bits
        scale = f",{row['data_scale']}" if row["data_scale"] else ""
        return f"{kind}({row['data_precision']}{scale})"
    return f"{kind}({row['char_length']})" if row["char_length"] else kind


def look(database: Connection, home: str | None, name: str) -> InboxTable | None:
    """An inbox table as it is; None when there is none of that name.

    Args:
        database: a session of the inbox.
        home: its schema; None: the session's own.
        name: of the table.
    """
    at = {"home": spelt(home) if home else None, "name": spelt(name)}
    rows = database.execute(KEPT, at).all()
    if not rows:
        return None
    parts: dict[str, set[str]] = defaultdict(set)
    for row in database.execute(UNIQUE, at):
        parts[row.index_name].add(row.column_name.lower())
    flaws = ["it is a view, and must be a table"] if database.execute(VIEWS, at).scalar() else []
    flaws += [
        f"{other} refers to it by a foreign key: rows could not be replaced"
        for other in database.execute(REFERENCES, at).scalars()
    ]
    kept = [_column(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
    return InboxTable(
        tuple(flaws),
        {c.name.lower(): c for c in kept},
        tuple(frozenset(names) for names in parts.values()),
        tuple(database.execute(TRIGGERS, at).scalars()),
    )


def _column(row: Mapping[Any, Any]) -> InboxColumn:
    base = base_of(row["data_type"])
    family = _FAMILIES.get(base, "other")
    digits, scale = _DIGITS.get(base), None
    if family == "decimal" and row["data_scale"] is not None:
        scale = int(row["data_scale"])
        digits = int(row["data_precision"] or 38) - scale
        family = "decimal" if scale else "integer"
    measure = re.search(r"\((\d+)\)", str(row["data_type"]))
    stated = int(measure[1]) if measure else row["data_scale"]
    fraction = 0 if base == "date" else 6 if stated is None else int(stated)
    bounded = family in ("text", "fixed") and base not in _UNBOUNDED
    return InboxColumn(
        name=str(row["column_name"]),
        declared=_shown(row),
        family=family,
        length=int(row["char_length"] or 0) or None if bounded else None,
        octets=int(row["data_length"]) if bounded and row["char_used"] == "B" else None,
        digits=digits,
        scale=scale,
        fraction=fraction,
        optional=str(row["nullable"]).startswith("Y") or bool(row["default_length"]),
        made=row["virtual_column"] == "YES",
    )
