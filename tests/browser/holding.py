"""A collect that waits for a person: half of an agency's table is gone from one day to the next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from onecard.errors import AuditFailed
from onecard.store import database, transfer_lookup
from tests.browser.served import ServedPortal
from tests.browser.walk import beside

ECARDS, PENSIONS = "hrss/ecard_binding", "hrss/pension_status"
"""Of what has been released half is usual: who releases takes another than who looks."""


@contextmanager
def held(portal: ServedPortal, dataset: str) -> Iterator[int]:
    """The number of a collect that is held; afterwards the table is whole again, and collected.

    Args:
        portal: names the day.
        dataset: of a table in the agency's PostgreSQL.
    """
    hub = portal.stage.hub(portal.day)
    table = f"hrss.{hub.catalogue.contract(dataset).source.options['table']}"
    _agency(portal, f"CREATE TABLE hrss.kept AS SELECT * FROM {table}")
    _agency(
        portal,
        f"DELETE FROM {table} WHERE ctid IN (SELECT ctid FROM {table}"
        f" ORDER BY ctid OFFSET (SELECT count(*) / 2 FROM {table}))",
    )

    def collect() -> None:
        try:
            hub.collect(dataset).run(whole=True)
        except AuditFailed:
            return
        msg = "half of the rows are gone, and nothing is held"
        raise AssertionError(msg)

    try:
        beside(collect)
        with database.connect(hub.address, autocommit=True) as connection:
            found = transfer_lookup.by_name(connection, dataset)
        assert found is not None
        yield found.id
    finally:
        _agency(portal, f"TRUNCATE {table}", f"INSERT INTO {table} SELECT * FROM hrss.kept")
        _agency(portal, "DROP TABLE hrss.kept")
        beside(lambda: portal.stage.hub(portal.day).collect(dataset).run(whole=True))


def _agency(portal: ServedPortal, *statements: str) -> None:
    """What the agency does to its own table."""
    with psycopg.connect(portal.stage.city.postgres_url) as connection:
        for statement in statements:
            connection.execute(statement.encode())
