"""What MariaDB or MySQL says of an inbox table (`information_schema`)."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, text

from connectors.sql.inbox_look import Family, InboxColumn, InboxTable

_TABLE = text(
    "SELECT TABLE_TYPE AS kind, ENGINE AS engine FROM information_schema.TABLES"
    " WHERE TABLE_SCHEMA = coalesce(:schema, DATABASE()) AND TABLE_NAME = :name"
)
_COLUMNS = text(
    "SELECT COLUMN_NAME AS name, COLUMN_TYPE AS declared, DATA_TYPE AS base,"
    " CHARACTER_MAXIMUM_LENGTH AS length, CHARACTER_OCTET_LENGTH AS octets,"
    " NUMERIC_PRECISION AS digits, NUMERIC_SCALE AS scale, DATETIME_PRECISION AS fraction,"
    " CHARACTER_SET_NAME AS charset, COLLATION_NAME AS collation, IS_NULLABLE AS nullable,"
    " COLUMN_DEFAULT AS preset, EXTRA AS extra FROM information_schema.COLUMNS"
    " WHERE TABLE_SCHEMA = coalesce(:schema, DATABASE()) AND TABLE_NAME = :name"
    " ORDER BY ORDINAL_POSITION"
)
_INDEXES = text(
    "SELECT INDEX_NAME AS name, COLUMN_NAME AS part, SUB_PART AS prefix"
    " FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = coalesce(:schema, DATABASE())"
    " AND TABLE_NAME = :name AND NON_UNIQUE = 0"
)
_TRIGGERS = text(
    "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS"
    " WHERE EVENT_OBJECT_SCHEMA = coalesce(:schema, DATABASE()) AND EVENT_OBJECT_TABLE = :name"
    " AND EVENT_MANIPULATION IN ('INSERT', 'DELETE')"
)
_REFERENCES = text(
    "SELECT TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS"
    " WHERE CONSTRAINT_SCHEMA = coalesce(:schema, DATABASE()) AND REFERENCED_TABLE_NAME = :name"
)
_TRANSACTIONAL = ("innodb", "rocksdb", "tokudb")
_WHOLE = ("utf8mb4", "utf16", "utf16le", "utf32", "gb18030")
"""Character sets with every character of Unicode."""
_TEXTS = ("varchar", "tinytext", "text", "mediumtext", "longtext")
_FAMILIES: dict[str, Family] = {
    **dict.fromkeys(_TEXTS, "text"),
    "char": "fixed",
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint"), "integer"),
    "decimal": "decimal",
    "double": "float",
    "date": "date",
    "datetime": "clock",
    "timestamp": "instant",
}
_DIGITS = {"tinyint": 2, "smallint": 4, "mediumint": 6, "int": 9, "bigint": 18}


def look(
    database: Connection,
    schema: str | None,
    name: str,
    engines: tuple[str, ...] = _TRANSACTIONAL,
) -> InboxTable | None:
    """The table as it is; None when there is none of that name.

    Where a server shows a login no triggers, only what is read back tells of them.

    Args:
        database: a session of the inbox.
        schema: of the table; None: the session's own.
        name: of the table.
        engines: those with transactions; none: the server has only one, which has them.
    """
    at = {"schema": schema, "name": name}
    table = database.execute(_TABLE, at).one_or_none()
    if table is None:
        return None
    parts: dict[str, set[str | None]] = defaultdict(set)
    for row in database.execute(_INDEXES, at):
        parts[row.name].add(None if row.prefix or not row.part else row.part.lower())
    columns = [_column(row) for row in database.execute(_COLUMNS, at)]
    return InboxTable(
        tuple(_flaws(table, database.execute(_REFERENCES, at).scalars().all(), engines)),
        {c.name.lower(): c for c in columns},
        tuple(frozenset(n for n in p if n) for p in parts.values() if None not in p),
        tuple(database.execute(_TRIGGERS, at).scalars()),
    )


def _flaws(
    table: Any,  # noqa: ANN401 - a row
    references: Any,  # noqa: ANN401 - rows
    engines: tuple[str, ...],
) -> list[str]:
    found = []
    if table.kind not in ("BASE TABLE", "SYSTEM VERSIONED"):
        found.append(f"it is a {table.kind.lower()}, and must be a table")
    elif engines and str(table.engine).lower() not in engines:
        found.append(f"its engine {table.engine} has no transactions; needs InnoDB")
    found += [
        f"{other} refers to it by a foreign key: rows could not be replaced" for other in references
    ]
    return found


def _column(row: Any) -> InboxColumn:  # noqa: ANN401 - a row
    declared, base = str(row.declared).lower(), str(row.base).lower()
    family, collation = _FAMILIES.get(base, "other"), str(row.collation or "")
    bounded = re.search(r"unsigned|zerofill", declared) is not None
    digits, scale = _DIGITS.get(base), None
    if family == "decimal":
        digits, scale = int(row.digits) - int(row.scale), int(row.scale)
    if family == "float" and (bounded or "(" in declared):  # rounds to its digits
        family = "other"
    extra = str(row.extra).lower()
    if base in ("enum", "set"):  # its list is as good as values
        declared = base
    shown = f"{declared} {row.charset}" if row.charset and row.charset not in _WHOLE else declared
    return InboxColumn(
        name=str(row.name),
        declared=shown,
        family=family,
        length=int(row.length) if base in ("varchar", "char") else None,
        octets=int(row.octets) if base in _TEXTS[1:] else None,
        digits=0 if bounded else digits,
        scale=scale,
        fraction=int(row.fraction or 0),
        optional=row.nullable == "YES" or row.preset is not None or "auto_increment" in extra,
        made="generated" in extra or "persistent" in extra or "auto_increment" in extra,
        narrow=str(row.charset) if row.charset and row.charset not in _WHOLE else "",
        blurs="" if not collation or collation.endswith("_bin") else collation,
        pads=bool(collation) and "nopad" not in collation and "_0900_" not in collation,
        stamp=base == "timestamp",
    )
