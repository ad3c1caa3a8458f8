"""A night reads what has changed: nothing that it looks for is found by reading a table whole.

The planner is told to avoid whole tables, which it rightly prefers where they are small. What it
still reads whole then has no other way, and would grow with the registry of a large city.
"""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from demo.rehearsal import Rehearsal
from onecard.base import shelves
from onecard.base.sql_text import query
from onecard.collect import stage
from onecard.operations import night
from onecard.operations.night_report import write_report
from onecard.store import database
from quality.datasets import sql_audit
from tests.cities import Cities
from tests.waiting import until

COUNTED_ANEW = {
    ("f21-transport-bureau-ride-statistics", "transport__transit_ride"),
    ("f22-housing_fund-hrss-headcount", "housing_fund__hf_contribution"),
}
"""Tables that statistics count whole, as docs/scale.md says."""


def whole_night(rehearsal: Rehearsal, day: int) -> dict[tuple[str, str], int]:
    """One night with its report; rows that were read one after the other, by subject and table."""
    address, hub = rehearsal.hub(0).address, rehearsal.hub(day)
    found: dict[tuple[str, str], int] = {}
    before = read_whole(address)

    def note(subject: str, _result: object) -> None:
        nonlocal before
        now = read_whole(address)
        found.update({(subject, t): n - before.get(t, 0) for t, n in now.items()})
        before = now

    outcome = night.run(hub, note)
    assert outcome.failed == {}
    assert outcome.held == {}
    write_report(hub)
    note("the night's report", None)
    return {what: rows for what, rows in found.items() if rows}


OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


def read_whole(address: str) -> dict[str, int]:
    """By table of the registry, rows read one after the other; sessions tell at their end."""
    with database.connect(address, autocommit=True) as connection:
        until(lambda: connection.execute(OTHERS).fetchone() == (0,), "the other sessions' end")
        found = connection.execute(
            "SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE schemaname = 'registry'"
            " AND relname <> 'former'"
        ).fetchall()
    return {str(name): int(str(rows)) for name, rows in found}


DEAR = {"seq_page_cost": 10_000, "enable_mergejoin": False, "jit": False}
"""As if a page of a table read whole cost as much as thousands found by an index."""


def avoid_whole_tables(address: str) -> None:
    """Let new sessions avoid whole tables."""
    with psycopg.connect(address, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        for setting, value in DEAR.items():
            dear = query(
                "ALTER DATABASE {d} SET {s} = {v}",
                d=name,
                s=sql.Identifier(setting),
                v=sql.Literal(value),
            )
            connection.execute(dear)


def test_a_night_reads_no_table_of_the_registry_whole(
    tmp_path: Path, cities: Cities, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_audit, "MOST_BLOCKS", 1e-9)  # of small tables: none
    monkeypatch.setattr(stage, "FEW_OF", 0)  # a small city's news are no small part of it
    monkeypatch.setattr(shelves, "keeps", lambda: False)  # one that waits tells its counts late
    with cities.start(tmp_path / "city", persons=2_000, seed=23, nights=1) as rehearsal:
        rehearsal.city.prepare(1)
        whole_night(rehearsal, 1)  # makes indexes
        rehearsal.city.prepare(2)
        avoid_whole_tables(rehearsal.hub(0).address)
        found = whole_night(rehearsal, 2)
    assert {what: rows for what, rows in found.items() if what not in COUNTED_ANEW} == {}
    assert set(found) & COUNTED_ANEW, "no table is counted: this proves nothing"
