"""SQL that is put together once says the same as SQL that is put together each time."""

from __future__ import annotations

import psycopg
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


def test_a_value_has_one_name_in_each_of_its_places() -> None:
    kept = KeptAround(composed(GAP), GAP)
    for name in ("first", "f01-a-b"):
        wanted = composed(sql.Placeholder(name)).as_bytes(None)
        wanted = wanted.replace(b"100%(after)s", b"100%%(after)s")
        assert kept.called(name).as_bytes(None) == wanted


@pytest.mark.parametrize("value", [0, -1, 2**62])
def test_a_sign_within_a_literal_is_no_placeholder(value: int, hub_database: str) -> None:
    text = query("SELECT {v}, {said}", v=GAP, said=sql.Literal("100%(after)s %s %"))
    with psycopg.connect(hub_database) as connection:
        found = connection.execute(KeptAround(text, GAP).called("f01-a"), {"f01-a": value})
        assert found.fetchone() == (value, "100%(after)s %s %")


def test_a_place_at_either_end_and_none_at_all() -> None:
    for text in (query("{v}", v=GAP), query("SELECT {v}", v=GAP), query("{v} + 1", v=GAP)):
        assert KeptAround(text, GAP).called("after").as_bytes(None) == text.as_bytes(None)
    assert KeptAround(query("SELECT 1"), GAP).called("x").as_bytes(None) == b"SELECT 1"
