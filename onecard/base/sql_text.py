"""SQL composed of templates of ours and quoted parts; no value ever stands in a template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from psycopg import sql


def query(text: LiteralString, **parts: sql.Composable) -> sql.Composed:
    """Compose SQL from a template of ours and quoted parts."""
    return sql.SQL(text).format(**parts)


def names(columns: Sequence[str], prefix: LiteralString = "") -> sql.Composed:
    """Quoted column names, comma-separated, each with the prefix (`t.`)."""
    return sql.SQL(", ").join(sql.SQL(prefix) + sql.Identifier(c) for c in columns)
