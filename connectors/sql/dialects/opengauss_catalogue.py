"""What openGauss's catalogue says of a table, asked in words that PostgreSQL 9.2 knew already."""

# ruff: noqa: S608 - statements are made of constants of this file
from __future__ import annotations

from sqlalchemy import Connection, text

from connectors.sql import inbox_look_postgres, postgres_types
from connectors.sql.inbox_look import InboxTable
from onecard.model.source_types import DeclaredColumn

_HOME = (
    "c.relname = :name AND (n.nspname = CAST(:home AS text)"
    " OR CAST(:home AS text) IS NULL AND pg_table_is_visible(c.oid))"
)
_COLUMNS = text(
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod),"
    " CASE WHEN t.typtype = 'e' THEN 'enum' WHEN t.typtype = 'c' THEN 'composite'"
    " WHEN t.typtype = 'd' THEN 'domain' WHEN t.typcategory = 'A' THEN 'array'"
    " WHEN s.nspname = 'pg_catalog' THEN format_type(a.atttypid, NULL) ELSE t.typname END,"
    " a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid"
    " JOIN pg_namespace s ON s.oid = t.typnamespace"
    f" WHERE {_HOME} AND c.relkind NOT IN ('i', 'S') AND a.attnum > 0 AND NOT a.attisdropped"
    " ORDER BY a.attnum"
)
_RELATION = text(
    "SELECT c.oid, c.relkind, c.relpersistence, false AS secured"
    f" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_HOME}"
)
_KEPT = text(
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS declared,"
    " CASE WHEN t.typtype = 'd' THEN 'domain' ELSE t.typname END AS typname,"
    " a.atttypmod AS typmod, NOT a.attnotnull OR a.atthasdef AS optional, false AS made,"
    " l.collname, coalesce(l.collname NOT LIKE '%\\_ci', true) AS exact"
    " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
    " LEFT JOIN pg_collation l ON l.oid = a.attcollation"
    " WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
)
_UNIQUE = text(
    "SELECT ARRAY(SELECT CAST(a.attname AS text) FROM generate_series(0, i.indnatts - 1) k"
    " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k])"
    " FROM pg_index i WHERE i.indrelid = :oid AND i.indisunique AND i.indisvalid"
    " AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indimmediate"
)
_HAZARDS = text(
    "SELECT 'trigger' AS kind, CAST(t.tgname AS text) AS name FROM pg_trigger t"
    " WHERE t.tgrelid = :oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')"
    " AND t.tgtype & 12 <> 0"
    " UNION SELECT 'rule', CAST(r.rulename AS text) FROM pg_rewrite r"
    " WHERE r.ev_class = :oid AND r.ev_type IN ('3', '4') AND r.ev_enabled <> 'D'"
    " UNION SELECT 'reference', CAST(CAST(c.conrelid AS regclass) AS text) FROM pg_constraint c"
    " WHERE c.confrelid = :oid AND c.contype = 'f'"
)


def columns(
    database: Connection, home: str | None, name: str, types: str
) -> tuple[DeclaredColumn, ...]:
    """The columns of a table or view in their order; none where there is none of that name.

    Args:
        database: an open connection.
        home: its schema; None: the first of the login's search path that has it.
        name: of the table.
        types: whose types these are (`connectors/source_types.yaml`).
    """
    rows = database.execute(_COLUMNS, {"name": name, "home": home}).all()
    return tuple(postgres_types.declared(map(tuple, rows), types).values())


def look(database: Connection, home: str | None, name: str) -> InboxTable | None:
    """An inbox table as it is; None when there is none of that name.

    Args:
        database: a session of the inbox.
        home: as for `columns`.
        name: of the table.
    """
    relation = database.execute(_RELATION, {"name": name, "home": home}).one_or_none()
    if relation is None:
        return None
    at = {"oid": relation.oid}
    kept = [inbox_look_postgres.column_of(row) for row in database.execute(_KEPT, at)]
    hazards = database.execute(_HAZARDS, at).all()
    return InboxTable(
        tuple(inbox_look_postgres.flaws(relation, hazards)),
        {c.name: c for c in kept},
        tuple(frozenset(names) for names in database.execute(_UNIQUE, at).scalars()),
        tuple(h.name for h in hazards if h.kind == "trigger"),
    )
