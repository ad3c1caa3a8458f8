"""Published rows are looked up by staged keys, not read whole, unless the operator knows better."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from onecard.base import timeouts
from onecard.store import database
from onecard.store.database import Connection

MET = b"EXPLAIN SELECT max(t.v) FROM staging.some s JOIN registry.many t ON s.k = t.k"


@pytest.fixture
def connection(hub_database: str) -> Iterator[Connection]:
    """A hub with 60,000 published rows of 300 bytes, and one in fifty of them staged."""
    with database.connect(hub_database, autocommit=True) as made:
        made.execute("CREATE SCHEMA IF NOT EXISTS staging")
        made.execute(
            "CREATE TABLE registry.many AS SELECT lpad(n::text, 9, '0') AS k, repeat('x', 300) AS v"
            " FROM generate_series(1, 60000) n"
        )
        made.execute("ALTER TABLE registry.many ADD PRIMARY KEY (k)")
        made.execute("CREATE TABLE staging.some AS SELECT * FROM registry.many WHERE k ~ '[05]7$'")
        made.execute("ANALYZE registry.many, staging.some")
        yield made


def plan(connection: Connection) -> str:
    return "\n".join(str(line[0]) for line in connection.execute(MET).fetchall())


def test_staged_keys_are_looked_up_by_index(connection: Connection, hub_database: str) -> None:
    assert "Seq Scan on many" in plan(connection)
    with database.connect(timeouts.bounded(hub_database)) as bounded:
        assert "Seq Scan on many" not in plan(bounded)
        assert "many_pkey on many" in plan(bounded)


def test_what_the_operator_has_set_stays(connection: Connection, hub_database: str) -> None:
    own = f"{hub_database}?options=-crandom_page_cost%3D4"
    with database.connect(timeouts.bounded(own)) as later:
        assert "Seq Scan on many" in plan(later)
