"""SQL that is put together once says the same as SQL that is put together each time."""

from __future__ import annotations

import pytest
from psycopg import sql

from onecard.base.sql_text import KeptAround, query

GAP = sql.Placeholder("after")


def composed(value: sql.Composable) -> sql.Composed:
    """Parts within parts, with a value in several places and signs that other SQL would read."""
    inner = query(
        "{c} > {v} AND {n} = {said}",
        c=sql.Identifier("版本"),
        v=value,
        n=sql.Identifier('a"b'),
        said=sql.Literal("100%(after)s 'x' {v}"),
    )
    return query("SELECT ({i}) UNION SELECT {v} WHERE {i}", i=inner, v=value)


@pytest.mark.parametrize("value", [0, -1, 2**62, "x'y"])
def test_a_value_is_put_into_each_of_its_places(value: object) -> None:
    kept, literal = KeptAround(composed(GAP), GAP), sql.Literal(value)
    for _ in range(2):
        assert kept.filled(literal).as_bytes(None) == composed(literal).as_bytes(None)


def test_a_place_at_either_end_and_none_at_all() -> None:
    for text in (query("{v}", v=GAP), query("SELECT {v}", v=GAP), query("{v} + 1", v=GAP)):
        filled = KeptAround(text, GAP).filled(sql.Literal(7)).as_bytes(None)
        assert filled == text.as_bytes(None).replace(b"%(after)s", sql.Literal(7).as_bytes(None))
    assert KeptAround(query("SELECT 1"), GAP).filled(sql.Literal(7)).as_bytes(None) == b"SELECT 1"
