"""Real rides of another city, collected through a contract of their own over the ride dataset."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.crypto import keys
from onecard.store import database, quarantine
from schemas.models import catalogue

CONTRACT = Path(__file__).parents[1] / "data" / "shenzhen" / "szt_ride.odcs.yaml"
FILE = "szt_shenzhen_swipes_100.json"


@pytest.fixture
def hub(tmp_path: Path, domain: Path, hub_database: str) -> Hub:
    schemas = tmp_path / "schemas"
    (schemas / "contracts" / "transport").mkdir(parents=True)
    shutil.copy(CONTRACT, schemas / "contracts" / "transport" / "szt_ride.odcs.yaml")
    shutil.copy(catalogue.ROOT / "agencies.yaml", schemas)
    inbox = tmp_path / "files" / "rides"
    inbox.mkdir(parents=True)
    shutil.copy(domain / "transit" / FILE, inbox / FILE)
    keys.create(tmp_path / "keys.json", ["bureau"], "2026")
    settings = Settings(
        home=tmp_path,
        keys_file=tmp_path / "keys.json",
        schemas=schemas,
        database_url=hub_database,
    )
    connection = {"conn_type": "fs", "extra": {"path": str(tmp_path / "files")}}
    return Hub(settings, EnvironmentConnections({"AIRFLOW_CONN_SZT_FILES": json.dumps(connection)}))


def test_real_rides_are_collected_and_incomplete_ones_named(hub: Hub, domain: Path) -> None:
    rides = json.loads((domain / "transit" / FILE).read_text(encoding="utf-8"))["data"]
    done = hub.collect("transport/szt_ride").run()
    lacking = [r for r in rides if r["deal_type"].startswith("地铁") and not r.get("station")]
    assert done.counts.rows_read == len(rides) == 100
    assert done.counts.quarantined == len(lacking)
    assert done.counts.published + done.counts.deduplicated == 100 - len(lacking)
    with database.connect(hub.address, autocommit=True) as connection:
        reasons = {reason for r in quarantine.records(connection) for reason in r.reasons}
        sums = connection.execute(
            "SELECT sum(amount_due_fen), sum(amount_paid_fen) FROM registry.transport__szt_ride"
        ).fetchone()
        first = connection.execute(
            "SELECT min(deal_time AT TIME ZONE 'Asia/Shanghai')::text FROM registry.transport__szt_ride"
        ).fetchone()
    kept = {(r["card_no"], r["deal_date"], r["equ_no"]): r for r in rides if r not in lacking}
    assert reasons <= {("station", "metro_has_station")}
    assert sums == (
        sum(int(r["deal_value"]) for r in kept.values()),
        sum(int(r["deal_money"]) for r in kept.values()),
    )
    assert first == (min(r["deal_date"] for r in kept.values()),)


def test_the_same_file_again_is_not_read(hub: Hub) -> None:
    hub.collect("transport/szt_ride").run()
    assert hub.collect("transport/szt_ride").run().counts.rows_read == 0
