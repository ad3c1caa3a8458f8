"""SQL composed of templates of ours and quoted parts; no value ever stands in a template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from psycopg import sql
from psycopg.abc import AdaptContext


def query(text: LiteralString, **parts: sql.Composable) -> sql.Composed:
    """Compose SQL from a template of ours and quoted parts."""
    return sql.SQL(text).format(**parts)


class Kept(sql.Composed):
    """SQL whose text is put together once, for a statement that is run again and again.

    Args:
        composed: with nothing in it that is quoted otherwise in another session.
    """

    def __init__(self, composed: sql.Composed) -> None:
        super().__init__(list(composed))
        self._text = composed.as_bytes(None)

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:  # noqa: ARG002 - psycopg's
        """The text, in UTF-8, which all sessions of the hub speak."""
        return self._text


def names(columns: Sequence[str], prefix: LiteralString = "") -> sql.Composed:
    """Quoted column names, comma-separated, each with the prefix (`t.`)."""
    return sql.SQL(", ").join(sql.SQL(prefix) + sql.Identifier(c) for c in columns)
