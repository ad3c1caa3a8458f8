"""What PostgreSQL says of an inbox table (its system catalogue)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from connectors.sql.inbox_look import Family, InboxColumn, InboxTable

_RELATION = text(
    "SELECT c.oid, c.relkind, c.relpersistence, row_security_active(c.oid) AS secured"
    " FROM pg_class c WHERE c.oid = to_regclass(:name)"
)
_COLUMNS = text(
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS declared, b.typname, b.typmod,"
    " (NOT a.attnotnull AND NOT d.typnotnull) OR a.atthasdef OR a.attidentity <> ''"
    " OR d.typdefault IS NOT NULL AS optional,"
    " a.attgenerated <> '' OR a.attidentity = 'a' AS made, l.collname,"
    " coalesce(l.collisdeterministic, true) AS exact FROM pg_attribute a"
    " JOIN pg_type d ON d.oid = a.atttypid LEFT JOIN pg_collation l ON l.oid = a.attcollation"
    " CROSS JOIN LATERAL (WITH RECURSIVE base AS ("
    " SELECT d.oid, d.typname, d.typtype, d.typbasetype, d.typtypmod, a.atttypmod AS typmod"
    " UNION ALL SELECT n.oid, n.typname, n.typtype, n.typbasetype, n.typtypmod,"
    " CASE WHEN base.typmod = -1 THEN base.typtypmod ELSE base.typmod END"
    " FROM base JOIN pg_type n ON n.oid = base.typbasetype WHERE base.typtype = 'd')"
    " SELECT typname, typmod FROM base WHERE typtype <> 'd') b"
    " WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
)
_UNIQUE = text(
    "SELECT ARRAY(SELECT CAST(a.attname AS text) FROM generate_series(0, i.indnkeyatts - 1) k"
    " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k])"
    " FROM pg_index i WHERE i.indrelid = :oid AND i.indisunique AND i.indisvalid"
    " AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indimmediate"
)
_HAZARDS = text(
    "WITH part AS (SELECT CAST(:oid AS oid) AS relid UNION"
    " SELECT relid FROM pg_partition_tree(CAST(:oid AS oid)))"
    " SELECT 'trigger' AS kind, CAST(t.tgname AS text) AS name FROM pg_trigger t"
    " JOIN part p ON p.relid = t.tgrelid"
    " WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & 12 <> 0"
    " UNION SELECT 'rule', CAST(r.rulename AS text) FROM pg_rewrite r"
    " JOIN part p ON p.relid = r.ev_class WHERE r.ev_type IN ('3', '4') AND r.ev_enabled <> 'D'"
    " UNION SELECT 'reference', CAST(CAST(c.conrelid AS regclass) AS text) FROM pg_constraint c"
    " JOIN part p ON p.relid = c.confrelid WHERE c.contype = 'f'"
)
"""Bits 4 and 8 of `tgtype`: the trigger fires on INSERT, on DELETE (pg_trigger.h)."""

_TABLES = {"r": "", "p": ""}
_OTHERS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}
_FAMILIES: dict[str, Family] = {
    **dict.fromkeys(("text", "varchar", "citext"), "text"),
    "bpchar": "fixed",
    **dict.fromkeys(("int8", "int4", "int2"), "integer"),
    "numeric": "decimal",
    "float8": "float",
    "bool": "boolean",
    "date": "date",
    "timestamp": "clock",
    "timestamptz": "instant",
}
_DIGITS = {"int8": 18, "int4": 9, "int2": 4}


def look(database: Connection, schema: str | None, name: str) -> InboxTable | None:
    """The table as it is; None when there is none of that name.

    Args:
        database: a session of the inbox.
        schema: of the table; None: the first of the login's search path that has it.
        name: of the table.
    """
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name) if part)
    relation = database.execute(_RELATION, {"name": quoted}).one_or_none()
    if relation is None:
        return None
    at = {"oid": relation.oid}
    columns = [column_of(row) for row in database.execute(_COLUMNS, at)]
    hazards = database.execute(_HAZARDS, at).all()
    return InboxTable(
        tuple(flaws(relation, hazards)),
        {c.name: c for c in columns},
        tuple(frozenset(names) for names in database.execute(_UNIQUE, at).scalars()),
        tuple(h.name for h in hazards if h.kind == "trigger"),
    )


def flaws(relation: Any, hazards: Any) -> list[str]:  # noqa: ANN401 - rows
    """Why no delivery may go there.

    Args:
        relation: as `pg_class` has it, and whether row security hides rows of it.
        hazards: triggers, rules and references by their kind and name.
    """
    found = []
    if relation.relkind not in _TABLES:
        kind = _OTHERS.get(relation.relkind, "no table")
        found.append(f"it is {kind}, and must be a table")
    elif relation.relpersistence == "u":
        found.append("it is UNLOGGED: a crash of the server would empty it")
    if relation.secured:
        found.append("row security hides rows of it from the login (BYPASSRLS, or no policy)")
    found += [f"rule {h.name} rewrites what is sent" for h in hazards if h.kind == "rule"]
    found += [
        f"{h.name} refers to it by a foreign key: rows could not be replaced"
        for h in hazards
        if h.kind == "reference"
    ]
    return found


def column_of(row: Any) -> InboxColumn:  # noqa: ANN401 - a row
    """A column by its row of the catalogue.

    Args:
        row: as `_COLUMNS` names its parts.
    """
    family = _FAMILIES.get(row.typname, "other")
    limit = row.typmod - 4 if row.typmod >= 4 and family in ("text", "fixed", "decimal") else None
    digits, scale = _DIGITS.get(row.typname), None
    if family == "decimal" and limit is not None:
        scale = ((limit & 0x7FF) ^ 1024) - 1024  # eleven bits, two's complement (numeric.c)
        digits = ((limit >> 16) & 0xFFFF) - scale
    blind = "citext" if row.typname == "citext" else "" if row.exact else row.collname
    return InboxColumn(
        name=row.attname,
        declared=row.declared,
        family=family,
        length=limit if family in ("text", "fixed") else None,
        digits=digits,
        scale=scale,
        fraction=row.typmod if family in ("clock", "instant") and row.typmod >= 0 else 6,
        optional=row.optional,
        made=row.made,
        blurs=blind,
    )
