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
from onecard.base.sql_text import query
from onecard.operations import night
from onecard.operations.night_report import write_report
from onecard.store import database
from quality.datasets import sql_audit
from tests.cities import Cities

COUNTED_ANEW = {
    "transport__transit_ride": "f21 counts rides by station and hour",
    "housing_fund__hf_contribution": "f22 counts contributors by employer",
    "housing_fund__hf_account": "f22 looks up the employer of each",
}
"""Tables that statistics count whole, as docs/scale.md says."""
ROUNDING = 1.05


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Distributions look at a sample of these small tables, too: at none of their few blocks."""
    monkeypatch.setattr(sql_audit, "MOST_BLOCKS", 1e-9)


def whole_night(stage: Rehearsal, day: int) -> int:
    """One night with its report; returns how many rows its collects read."""
    results: dict[str, object] = {}
    outcome = night.run(stage.hub(day), results.__setitem__)
    assert outcome.failed == {}
    write_report(stage.hub(day))
    return sum(r.counts.rows_read for r in results.values() if hasattr(r, "counts"))


def read_whole(address: str) -> dict[str, tuple[int, int]]:
    """By table of the registry: rows read one after the other, and rows by an index, since reset."""
    with database.connect(address, autocommit=True) as connection:
        found = connection.execute(
            "SELECT relname, coalesce(seq_tup_read, 0), coalesce(idx_tup_fetch, 0)"
            " FROM pg_stat_user_tables WHERE schemaname = 'registry'"
        ).fetchall()
    return {str(name): (int(str(whole)), int(str(by))) for name, whole, by in found}


@pytest.mark.usefixtures("sampled")
def test_a_night_reads_no_table_of_the_registry_whole(tmp_path: Path, cities: Cities) -> None:
    with cities.start(tmp_path / "city", persons=2_000, seed=23, nights=1) as stage:
        address = stage.hub(0).address
        stage.city.prepare(1)
        whole_night(stage, 1)  # makes the indexes
        stage.city.prepare(2)
        avoid_whole_tables(address)
        rows = whole_night(stage, 2)
        found = read_whole(address)
        held = sizes(address)
    assert rows > 500
    grown = {
        table: whole for table, (whole, _) in found.items() if whole and table not in COUNTED_ANEW
    }
    assert grown == {}
    for table in COUNTED_ANEW:
        assert 0 < found[table][0] <= ROUNDING * held[table]


def avoid_whole_tables(address: str) -> None:
    """Let new sessions avoid them, and count from now on."""
    with psycopg.connect(address, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        for way in ("seqscan", "hashjoin", "mergejoin"):
            setting = sql.Identifier(f"enable_{way}")
            connection.execute(query("ALTER DATABASE {d} SET {s} = off", d=name, s=setting))
        connection.execute(query("ALTER DATABASE {d} SET jit = off", d=name))
        connection.execute("SELECT pg_stat_reset()")


def sizes(address: str) -> dict[str, int]:
    """Rows of the tables that are counted whole."""
    with database.connect(address, autocommit=True) as connection:
        return {
            table: database.one_scalar(
                connection,
                int,
                query("SELECT count(*) FROM {t}", t=sql.Identifier("registry", table)),
            )
            for table in COUNTED_ANEW
        }
