"""Tables and indexes that are made where they are missing: many at once make one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date

from onecard.store import database, disclosures


def test_transfers_at_the_turn_of_a_month_make_its_partition_once(hub_database: str) -> None:
    hub_url = hub_database

    def make(month: int) -> None:
        with database.connect(hub_url) as connection:
            disclosures.make_partition(connection, date(2031, month, 1))

    for month in range(1, 7):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(make, [month] * 8))
    with database.connect(hub_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent ="
            " CAST('ledger.disclosure' AS regclass) AND CAST(CAST(inhrelid AS regclass) AS text)"
            " LIKE 'ledger.disclosure_2031%'"
        ).fetchone()
    assert row == (6,)
