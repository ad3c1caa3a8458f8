"""The columns of a PostgreSQL table: their types from the catalogue, and how each is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.common import source_types
from onecard.model.source_types import DeclaredColumn
from onecard.ports.source import Column

SYSTEM = "postgresql"
_CATALOGUE = """
WITH RECURSIVE typed AS (
  SELECT attname::text AS name, attnum, attnotnull, atttypid AS oid, atttypmod AS modifier
  FROM pg_catalog.pg_attribute
  WHERE attrelid = pg_catalog.to_regclass({table}) AND attnum > 0 AND NOT attisdropped
  UNION ALL
  SELECT name, attnum, attnotnull, t.typbasetype, t.typtypmod
  FROM typed JOIN pg_catalog.pg_type t ON t.oid = typed.oid
  WHERE t.typtype = 'd'
)
SELECT name, pg_catalog.format_type(t.oid, modifier),
  CASE WHEN t.typtype = 'e' THEN 'enum'
       WHEN t.typtype = 'c' THEN 'composite'
       WHEN t.typcategory = 'A' THEN 'array'
       WHEN n.nspname = 'pg_catalog' THEN pg_catalog.format_type(t.oid, NULL)
       ELSE t.typname::text END,
  attnotnull
FROM typed JOIN pg_catalog.pg_type t ON t.oid = typed.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype <> 'd'
ORDER BY attnum
"""
"""A domain counts as the type that it stands on, however many domains lie between."""


def statement(table: str) -> str:
    """The question for the columns of a table; none come back where it is not there.

    Args:
        table: quoted, with its schema where one is named.
    """
    return _CATALOGUE.replace("{table}", literal(table))


def declared(rows: Iterable[Sequence[Any]], types: str = SYSTEM) -> dict[str, DeclaredColumn]:
    """The columns by name.

    Args:
        rows: as `statement` gives them.
        types: whose they are: PostgreSQL's, or a descendant's.
    """
    return {
        str(name): DeclaredColumn(
            str(name), str(kind), source_types.of(types, str(base)), nullable=not strict
        )
        for name, kind, base, strict in rows
    }


def expression(column: Column, there: Mapping[str, DeclaredColumn]) -> str:
    """A column as it is selected, under its contract name.

    Blank-padded text loses its padding by the cast, as everywhere in PostgreSQL; NUMERIC for an
    integer is read without the zeros behind its point where it is whole. As text, NUMERIC is what
    PostgreSQL prints.

    Args:
        column: what is read.
        there: the table's columns.
    """
    name, found = quoted(column.native), there.get(column.native)
    value = name
    if found is not None and column.type is not None:
        numeric = found.type.family == "numeric"
        if found.type.read == "text" or (numeric and column.type == "string"):
            value = f"{name}::text"
        elif numeric and column.type == "integer":
            value = f"CASE WHEN {name} = trunc({name}) THEN trunc({name}) ELSE {name} END"
    return f"{value} AS {quoted(column.name)}"


def quoted(name: str) -> str:
    """An identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a literal, whatever `standard_conforming_strings` says."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
