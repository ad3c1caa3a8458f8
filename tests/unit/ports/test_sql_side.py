"""One side of a comparison, on a real database: which rows are listed by their keys."""

from __future__ import annotations

from psycopg import sql

from onecard.base.sql_text import query
from onecard.ports.sql_side import SqlSide, settle
from onecard.store import database


def test_rows_without_a_whole_key_are_not_listed(hub_database: str) -> None:
    with database.connect(hub_database) as connection:
        connection.execute(
            "CREATE TEMP TABLE t AS SELECT * FROM (VALUES (1, 'a'), (NULL, 'b')) v (k, x)"
        )
        connection.commit()
        settle(connection)
        values = {name: query("{c}", c=sql.Identifier(name)) for name in ("k", "x")}
        side = SqlSide(connection, sql.Identifier("t"), values, ("k",), sql.SQL("true"))
        assert side.buckets(0, None).total == 2
        assert set(side.members(0, [0])) == {("1",)}
