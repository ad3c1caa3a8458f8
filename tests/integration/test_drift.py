"""`onecard drift` on real sources: PostgreSQL, SQLite, HTTP, CSV and Parquet that have changed."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from demo.rehearsal import Rehearsal
from onecard.base.connections import EnvironmentConnections
from onecard.errors import SchemaMismatch
from onecard.operations import night
from onecard.operations.drift_look import Looked, look
from schemas.models import catalogue, odcs
from tests import forked
from tests.cities import Cities

CARDS = "hrss/card_master"


@pytest.fixture
def stage(tmp_path: Path, cities: Cities) -> Iterator[Rehearsal]:
    with cities.start(tmp_path / "stage", persons=400, seed=5) as found:
        yield found


def alter(stage: Rehearsal, *statements: str) -> None:
    system = EnvironmentConnections(stage.environment).get("hrss_db")
    with psycopg.connect(
        host=system.host,
        port=system.port,
        user=system.login,
        password=system.secret,
        dbname=system.schema_,
    ) as connection:
        for statement in statements:
            connection.execute(f"ALTER TABLE hrss.ac01_card {statement}".encode())


def kinds(looked: Looked) -> dict[str, str]:
    return {c.native: c.kind for c in looked.changes}


def patched(looked: Looked, dataset: str, home: Path) -> Any:
    """The contract after the diff was applied by `patch`, as the loader reads it."""
    root = home / "schemas"
    shutil.copytree(catalogue.ROOT, root, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    done = subprocess.run(
        ["patch", "-p1"], input=looked.patch, cwd=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return odcs.load(root / "contracts" / f"{dataset}.odcs.yaml").contract


def test_the_rehearsed_sources_are_as_their_contracts_say(stage: Rehearsal) -> None:
    hub = stage.hub(0)
    found = {d: look(hub, d) for d in night.datasets(hub)}
    assert {d: (f.problem, f.changes) for d, f in found.items() if f.problem or f.changes} == {}
    assert all(f.origin for f in found.values())


def test_a_database_column_more_is_told_and_one_less_fails_the_night(stage: Rehearsal) -> None:
    alter(stage, "ADD COLUMN zz_remark date", 'DROP COLUMN "AAC005"')
    looked = look(stage.hub(0), CARDS)
    assert kinds(looked) == {"AAC005": "missing", "zz_remark": "new"}
    assert [c.policy for c in looked.changes] == ["fail", "pass"]
    assert looked.fails
    with pytest.raises(SchemaMismatch):
        stage.hub(0).collect(CARDS).run()


@pytest.mark.case("people-23", "a column more of a table is told by drift and never asked for")
def test_a_new_database_column_alone_lets_the_night_pass(stage: Rehearsal) -> None:
    alter(stage, "ADD COLUMN zz_remark text")
    looked = look(stage.hub(0), CARDS)
    assert (kinds(looked), looked.fails) == ({"zz_remark": "new"}, False)
    assert stage.hub(0).collect(CARDS).run().counts.published > 0


def test_a_rename_is_known_by_name_and_its_patch_makes_the_contract_fit(
    stage: Rehearsal, tmp_path: Path
) -> None:
    alter(stage, 'RENAME COLUMN "AAC003" TO "AAC003_NEW"')
    looked = look(stage.hub(0), CARDS)
    assert kinds(looked) == {"AAC003": "renamed"}
    assert looked.fails
    contract = patched(looked, CARDS, tmp_path)
    assert contract.field("person_name").native == "AAC003_NEW"
    assert contract.version == "1.0.1"


def test_a_rename_is_known_by_the_shape_of_its_values_and_shows_none(stage: Rehearsal) -> None:
    hub = stage.hub(0)
    hub.collect(CARDS).run()
    alter(stage, 'RENAME COLUMN "AAC002" TO qqq', "ADD COLUMN www text")
    looked = look(stage.hub(0), CARDS)
    assert kinds(looked) == {"AAC002": "renamed", "www": "new"}
    assert looked.changes[0].found == "qqq"
    told = json.dumps(looked.as_json())
    assert not any(len(word) == 18 and word[:17].isdigit() for word in told.split('"'))


def test_a_lost_column_beside_one_of_another_shape_is_no_rename(stage: Rehearsal) -> None:
    hub = stage.hub(0)
    hub.collect(CARDS).run()
    alter(stage, 'DROP COLUMN "AAC002"', "ADD COLUMN www text NOT NULL DEFAULT 'Ab-!'")
    assert kinds(look(stage.hub(0), CARDS)) == {"AAC002": "missing", "www": "new"}


def test_wider_columns_give_a_patch_with_a_minor_version(stage: Rehearsal, tmp_path: Path) -> None:
    shorter = 'ALTER COLUMN "AAZ500" TYPE varchar(7) USING left("AAZ500", 7)'
    alter(stage, 'ALTER COLUMN "AAC003" TYPE varchar(80)', shorter)
    looked = look(stage.hub(0), CARDS)
    assert kinds(looked) == {"AAZ500": "narrowed", "AAC003": "widened"}
    assert not looked.fails
    contract = patched(looked, CARDS, tmp_path)
    assert contract.field("person_name").max_length == 80
    assert contract.field("card_no").max_length == 9
    assert contract.version == "1.1.0"


@pytest.mark.case("type-7", "a column of a type that is never taken fails the night, told before")
def test_a_column_of_another_type_is_refused(stage: Rehearsal) -> None:
    alter(stage, 'ALTER COLUMN "AAC006" TYPE double precision USING 1')
    looked = look(stage.hub(0), CARDS)
    assert kinds(looked) == {"AAC006": "type"}
    assert looked.fails
    assert "is double precision, which holds binary fractions" in looked.changes[0].says
    with pytest.raises(SchemaMismatch, match=r"column AAC006 \(birth_date\) is double precision"):
        stage.hub(0).collect(CARDS).run()


def test_an_api_with_a_new_key_and_without_a_required_one(stage: Rehearsal) -> None:
    file = next(stage.city.home.rglob("health_visit.sqlite"))
    native = stage.hub(0).catalogue.contract("health/health_visit").fields[1].native
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(
            "UPDATE rows SET body = replace(body, ?, ?)", (f'"{native}":', '"zz_new_key_9":')
        )
        (body,) = database.execute("SELECT body FROM rows LIMIT 1").fetchone()
    assert "zz_new_key_9" in body
    looked = look(stage.hub(0), "health/health_visit")
    assert kinds(looked) == {native: "missing", "zz_new_key_9": "new"}
    assert looked.fails
    with pytest.raises(SchemaMismatch):
        stage.hub(0).collect("health/health_visit").run()


def test_files_csv_and_parquet(stage: Rehearsal) -> None:
    csv_file = max(stage.city.home.rglob("campus_payment_*.csv"))
    header, _, rest = csv_file.read_bytes().partition(b"\n")
    csv_file.write_bytes(header.replace(b"card_no", b"kahao_x") + b"\n" + rest)
    looked = look(stage.hub(0), "education/campus_payment")
    assert kinds(looked)["card_no"] == "missing"
    assert kinds(looked)["kahao_x"] == "new"
    assert [c.policy for c in looked.changes] == ["fail", "fail"]

    rides = max(stage.city.home.rglob("transit_ride_*.parquet"))
    table = pq.read_table(rides)
    pq.write_table(table.append_column("phone", pa.array(["x"] * len(table))), rides)
    looked = look(stage.hub(0), "transport/transit_ride")
    assert (kinds(looked), looked.fails) == ({"phone": "new"}, True)


def test_sqlite_is_read_from_its_own_catalogue(stage: Rehearsal) -> None:
    system = EnvironmentConnections(stage.environment).get("housing_fund_db")
    if system.conn_type != "sqlite":
        pytest.fail("the rehearsal's housing fund is SQLite")
    with closing(sqlite3.connect(str(system.schema_ or system.host))) as database, database:
        database.execute("ALTER TABLE gr_account RENAME COLUMN DWZH TO DWZH2")
    looked = look(stage.hub(0), "housing_fund/hf_account")
    assert kinds(looked) == {"DWZH": "renamed"}


def test_the_command(stage: Rehearsal) -> None:
    alter(stage, 'RENAME COLUMN "AAC003" TO "AAC003_NEW"')

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return forked.onecard(stage.at(0), *arguments)

    bad = run("drift", CARDS, "--json")
    assert bad.returncode == 1, bad.stderr
    (told,) = json.loads(bad.stdout)
    assert (told["fails"], told["changes"][0]["kind"]) == (True, "renamed")
    assert told["patch"].startswith("--- a/schemas/contracts/hrss/card_master.odcs.yaml")
    assert run("drift", "transport").returncode == 0
    assert "dataset or agency" in run("drift", "nobody").stderr


def test_an_unreachable_source_is_a_failing_line_and_not_the_end(stage: Rehearsal) -> None:
    hub = stage.hub(0)
    environment = dict(stage.environment)
    environment["AIRFLOW_CONN_HRSS_DB"] = (
        '{"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "x", "schema": "y"}'
    )
    hub.connections = EnvironmentConnections(environment)
    looked = look(hub, CARDS)
    assert looked.fails
    assert "cannot be reached" in looked.problem
