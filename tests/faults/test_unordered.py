"""F22: streams in no order, killed midway: no checkpoint until all of it is published."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo.rehearsal import REPOSITORY
from tests.cities import Cities
from tests.faults.sources import World, world

CARDS, RIDES = "hrss/card_master", "transport/transit_ride"
TABLE = "hrss.ac01_card"
NEWEST_FIRST = f"""
WITH chosen AS (
    SELECT "AAZ500" AS k, row_number() OVER (ORDER BY "AAZ500") AS n FROM {TABLE}
    WHERE source_updated_at IS NOT NULL GROUP BY 1 HAVING count(*) = 1)
UPDATE {TABLE} t SET source_seq = source_seq + 1,
    source_updated_at = %s::timestamptz + (1000 - n) * interval '1 second'
FROM chosen WHERE chosen.k = t."AAZ500"
"""
"""All cards that stand there once change, each a second before the one that is read before it."""
SMALL = (
    "import connectors.sql.read_postgres; connectors.sql.read_postgres.HINT_BYTES = 2_000;"
    "from onecard.cli.app import main; main()"
)
"""The command line, reading tables in batches of a few rows."""


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("unordered"), cities, persons=300) as found:
        with psycopg.connect(found.stage.city.postgres_url) as connection:
            connection.execute("CREATE TABLE hrss.newest_first (LIKE hrss.ac01_card INCLUDING ALL)")
            connection.execute(
                f"INSERT INTO hrss.newest_first SELECT * FROM {TABLE}"
                " ORDER BY source_updated_at DESC NULLS LAST"
            )
            connection.execute(f"DROP TABLE {TABLE}")
            connection.execute("ALTER TABLE hrss.newest_first RENAME TO ac01_card")
        yield found


def collect(city: World, dataset: str, kill_at: str = "") -> int:
    """`onecard collect` in a process of its own; returns its exit code."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SMALL, "collect", dataset],
        env=city.stage.at(0) | ({"ONECARD_KILL_AT": kill_at} if kill_at else {}),
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    assert kill_at or done.returncode == 0, done.stderr
    return done.returncode


def checkpoint(city: World, dataset: str) -> Any:
    with city.hub_database() as connection:
        row = connection.execute(
            "SELECT checkpoint FROM ledger.dataset WHERE dataset = %s", (dataset,)
        ).fetchone()
    return row[0] if row else None


@pytest.mark.fault("F22", "newest rows first, killed after some batches: the watermark stays unset")
@pytest.mark.parametrize("point", ["stage.checked#3", "stage.checked#6", "stage.settled"])
def test_a_table_in_no_order(city: World, point: str) -> None:
    city.forget(CARDS)
    city.collect(CARDS)
    wanted, watermark = city.state(CARDS), city.cursor(CARDS)
    city.forget(CARDS)
    assert collect(city, CARDS, kill_at=point) == -signal.SIGKILL
    assert checkpoint(city, CARDS) in (None, {})
    assert collect(city, CARDS) == 0
    assert (city.state(CARDS), city.cursor(CARDS)) == (wanted, watermark)
    city.sound(CARDS)


@pytest.mark.fault("F22", "changes in no order, killed midway: the old watermark, then all of them")
def test_a_later_reading_in_no_order(city: World) -> None:
    city.forget(CARDS)
    city.collect(CARDS)
    before = str(city.cursor(CARDS))
    with psycopg.connect(city.stage.city.postgres_url) as connection:
        changed = connection.execute(NEWEST_FIRST.encode(), (before,)).rowcount
    assert changed > 100
    assert collect(city, CARDS, kill_at="stage.checked#4") == -signal.SIGKILL
    assert city.cursor(CARDS) == before
    counts = city.collect(CARDS)
    assert counts.rows_read >= changed
    again = city.hub().collect(CARDS).run(whole=True).counts
    assert again.published == 0, "nothing was passed over"


@pytest.mark.fault("F22", "several files, killed after the first: none counts as taken")
def test_files(city: World) -> None:
    folder = city.stage.city.home / "transport" / "outbox" / "transit_ride"
    (file,) = sorted(folder.glob("*.parquet"))
    for copy in ("a", "b"):  # two more versions of the same rows, as a source may hand over
        Path(folder / f"{file.stem}_{copy}.parquet").write_bytes(file.read_bytes())
        note = json.loads(Path(f"{file}.manifest.json").read_text())
        Path(folder / f"{file.stem}_{copy}.parquet.manifest.json").write_text(json.dumps(note))
    city.collect(RIDES)
    wanted, taken = city.state(RIDES), checkpoint(city, RIDES)
    assert len(taken["source"]["files"]) == 3
    city.forget(RIDES)
    assert collect(city, RIDES, kill_at="stage.checked#2") == -signal.SIGKILL
    assert checkpoint(city, RIDES) in (None, {})
    assert collect(city, RIDES) == 0
    assert (city.state(RIDES), checkpoint(city, RIDES)) == (wanted, taken)
