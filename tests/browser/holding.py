"""A collect that waits for a person: half of an agency's table is gone from one day to the next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from onecard.errors import AuditFailed
from onecard.store import database, transfer_lookup
from tests.browser.served import ServedPortal
from tests.browser.walk import beside

ECARDS = "hrss/ecard_binding"
TABLE = "hrss.ac02_ecard"


@contextmanager
def held(portal: ServedPortal) -> Iterator[int]:
    """The number of a collect that is held; afterwards the table is whole again, and collected.

    Args:
        portal: names the day.
    """
    hub = portal.stage.hub(portal.day)
    _agency(portal, f"CREATE TABLE hrss.kept AS SELECT * FROM {TABLE}")
    _agency(
        portal,
        f"DELETE FROM {TABLE} WHERE ctid IN (SELECT ctid FROM {TABLE}"
        f" ORDER BY ctid OFFSET (SELECT count(*) / 2 FROM {TABLE}))",
    )

    def collect() -> None:
        try:
            hub.collect(ECARDS).run(whole=True)
        except AuditFailed:
            return
        msg = "half of the rows are gone, and nothing is held"
        raise AssertionError(msg)

    try:
        beside(collect)
        with database.connect(hub.address, autocommit=True) as connection:
            found = transfer_lookup.by_name(connection, ECARDS)
        assert found is not None
        yield found.id
    finally:
        _agency(portal, f"TRUNCATE {TABLE}", f"INSERT INTO {TABLE} SELECT * FROM hrss.kept")
        _agency(portal, "DROP TABLE hrss.kept")
        beside(lambda: portal.stage.hub(portal.day).collect(ECARDS).run(whole=True))


def _agency(portal: ServedPortal, *statements: str) -> None:
    """What the agency does to its own table."""
    with psycopg.connect(portal.stage.city.postgres_url) as connection:
        for statement in statements:
            connection.execute(statement.encode())
