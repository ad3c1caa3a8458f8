"""SQL composed of templates of ours and quoted parts; no value ever stands in a template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        literal: it has no placeholders, but stands in a statement that has: a per cent sign in it
            is one of a value.
    """

    def __init__(self, composed: sql.Composed, *, literal: bool = False) -> None:
        super().__init__(list(composed))
        text = composed.as_bytes(None)
        self._text = text.replace(b"%", b"%%") if literal else text

    def as_bytes(self, context: AdaptContext | None = None) -> bytes:  # noqa: ARG002 - psycopg's
        """The text, in UTF-8, which all sessions of the hub speak."""
        return self._text


class KeptAround:
    """SQL of literals but for one value, put together once, whatever the value is called.

    Args:
        composed: as of `Kept`.
        gap: stands in it where the value goes, as often as it does.
    """

    def __init__(self, composed: sql.Composed, gap: sql.Placeholder) -> None:
        parts: list[list[sql.Composable]] = [[]]
        for leaf in _leaves(composed):
            if leaf == gap:
                parts.append([])
            else:
                parts[-1].append(leaf)
        self._parts = [Kept(sql.Composed(part), literal=True) for part in parts]

    def called(self, name: str) -> sql.Composed:
        """The whole, with the placeholder of that name where the value goes."""
        found: list[sql.Composable] = [self._parts[0]]
        for part in self._parts[1:]:
            found += [sql.Placeholder(name), part]
        return sql.Composed(found)


def _leaves(composed: sql.Composed) -> Iterator[sql.Composable]:
    for part in composed:
        if isinstance(part, sql.Composed):
            yield from _leaves(part)
        else:
            yield part


def names(columns: Sequence[str], prefix: LiteralString = "") -> sql.Composed:
    """Quoted column names, comma-separated, each with the prefix (`t.`)."""
    return sql.SQL(", ").join(sql.SQL(prefix) + sql.Identifier(c) for c in columns)
