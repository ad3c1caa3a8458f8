"""OpenLineage events of real transfers, through the client's own file transport."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from demo.rehearsal import Rehearsal
from onecard.base.connections import EnvironmentConnections, parse
from onecard.errors import OnecardError
from onecard.observe import lineage, lineage_flow, lineage_kept
from onecard.observe.lineage_flow import PRODUCER
from onecard.operations import night
from onecard.store import database, transfer_history
from schemas.models.contract import Contract
from tests.cities import Cities
from tests.integration.openlineage_model import ENDS, problems

CARDS, EVENTS = "hrss/card_master", "hrss/card_status_event"
F02, F06 = "f02-hrss-medical_insurance-card-status", "f06-hrss-housing_fund-card-status"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Rehearsal]:
    home = tmp_path_factory.mktemp("lineage")
    with cities.start(home / "stage", persons=300, seed=5) as found:
        yield found


@pytest.fixture(autouse=True)
def unasked() -> Iterator[None]:
    """Without settings before; afterwards without those that the client itself adds."""

    def clear() -> None:
        for name in [n for n in os.environ if n.startswith("OPENLINEAGE")]:
            del os.environ[name]

    clear()
    yield
    clear()


@pytest.fixture
def told(tmp_path: Path, unasked: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the client writes its events, by its standard settings."""
    file = tmp_path / "events.jsonl"
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(file))
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__APPEND", "true")
    return file


def read(file: Path) -> list[dict[str, Any]]:
    """The events; each is what the specification demands."""
    found = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line]
    assert [problem for event in found for problem in problems(event)] == []
    return found


def origins(event: dict[str, Any]) -> dict[str, tuple[str, str, str, bool]]:
    """Output column → dataset, column, treatment, masking."""
    fields = event["outputs"][0]["facets"]["columnLineage"]["fields"]
    found = {}
    for name, of in fields.items():
        (one,) = of["inputFields"]
        (done,) = one["transformations"]
        found[name] = (one["name"], one["field"], done["description"], done["masking"])
    return found


def contract(city: Rehearsal, dataset: str) -> Contract:
    return city.hub(0).catalogue.contract(dataset)


def test_a_collect_and_a_delivery(city: Rehearsal, told: Path) -> None:
    hub = city.hub(0)
    published = hub.collect(CARDS).run().counts.published
    start, complete = read(told)
    assert [start["eventType"], complete["eventType"]] == ["START", "COMPLETE"]
    assert start["run"]["runId"] == complete["run"]["runId"]
    assert uuid.UUID(start["run"]["runId"])
    assert start["eventTime"] <= complete["eventTime"]
    assert (start["job"]["namespace"], start["job"]["name"]) == ("onecard", f"collect.{CARDS}")
    system = hub.connections.get("hrss_db")
    (source,) = complete["inputs"]
    assert source["namespace"] == f"postgres://{system.host}:{system.port or 5432}"
    assert source["name"] == f"{system.schema_}.hrss.ac01_card"
    (target,) = complete["outputs"]
    assert target["name"].endswith(".registry.hrss__card_master")
    assert target["outputFacets"]["outputStatistics"]["rowCount"] == published > 0
    assert origins(complete) == {
        f.name: (source["name"], f.native, "as_is", False) for f in contract(city, CARDS).fields
    }

    hub.collect(EVENTS).run()
    told.unlink()
    sent = hub.deliver(F02).run().rows
    start, complete = read(told)
    assert complete["eventType"] == "COMPLETE"
    assert complete["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == sent > 0
    agreement = hub.catalogue.agreement(F02)
    got = origins(complete)
    treated = {f.name: f.treatment for f in agreement.fields if f.origin}
    assert {n: how for n, (_, _, how, _) in got.items()} == treated
    assert {n for n, (*_, masked) in got.items() if masked} == {
        n for n, how in treated.items() if how in ("mask", "token")
    }
    assert {o[0].rsplit(".", 1)[1] for o in got.values()} <= {
        d.replace("/", "__") for d in agreement.datasets
    }
    assert complete["outputs"][0]["namespace"].startswith("http://127.0.0.1:")
    assert set(got) <= set(agreement.names)


def test_what_events_tell_is_what_contracts_and_ledger_tell(
    city: Rehearsal, told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The portal draws lineage of either: the same links, but for how exactly a time is written."""
    hub = city.hub(0)
    hub.collect(CARDS).run()
    hub.collect(EVENTS).run()
    hub.deliver(F02).run()
    read(told)
    jobs = {f"collect.{CARDS}", f"collect.{EVENTS}", f"deliver.{F02}"}
    with database.connect(hub.address, autocommit=True) as connection:
        kept = lineage_kept.known(hub, connection)
        monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
        made = lineage_kept.known(hub, connection)
    assert (kept.kept_in, made.kept_in) == ("both", "ledger")
    assert kept.links.keys() == made.links.keys() > jobs
    for job in jobs:
        told_of, known = kept.links[job], made.links[job]
        assert replace(told_of, run=None) == replace(known, run=None)
        assert told_of.run is not None
        assert known.run is not None
        assert (told_of.run.state, told_of.run.rows) == ("complete", known.run.rows)
        assert abs(told_of.run.at - known.run.at) < timedelta(minutes=1)


def test_nothing_due_gives_no_event(city: Rehearsal, told: Path) -> None:
    hub = city.hub(0)
    hub.collect(CARDS).run()
    hub.collect(EVENTS).run()
    hub.deliver(F02).run()
    told.unlink()
    assert hub.deliver(F02).run().transfer is None
    assert not told.exists()


def test_a_failure_tells_why_and_the_next_run_is_another(city: Rehearsal, told: Path) -> None:
    hub = city.hub(0)
    bad = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "password": "geheim-1"}
    hub.connections = EnvironmentConnections(
        {**city.environment, "AIRFLOW_CONN_HRSS_DB": json.dumps(bad)}
    )
    with pytest.raises(OnecardError):
        hub.collect(CARDS).run()
    city.hub(0).collect(CARDS).run()
    first, fail, second, complete = read(told)
    kinds = [e["eventType"] for e in (first, fail, second, complete)]
    assert kinds == ["START", "FAIL", "START", "COMPLETE"]
    assert fail["run"]["facets"]["errorMessage"]["message"].startswith("SourceUnavailable: ")
    assert fail["run"]["runId"] == first["run"]["runId"] != complete["run"]["runId"]
    assert "outputStatistics" not in fail["outputs"][0].get("outputFacets", {})


def test_a_whole_night_and_one_with_faults(city: Rehearsal, told: Path) -> None:
    """Every dataset and agreement; then some systems are gone."""
    with database.connect(city.hub(1).address, autocommit=True) as connection:
        before = {t.subject for t in transfer_history.latest(connection)}
    night.run(city.hub(1))
    good = read(told)
    jobs = {e["job"]["name"] for e in good}
    known = city.hub(1).catalogue
    assert {f"collect.{d}" for d in known.contracts} <= jobs
    due = set(night.agreements(city.hub(1))) - before
    assert {f"deliver.{a}" for a in due} <= jobs
    assert len(due) > 10
    told.unlink()
    hub = city.hub(2)
    gone = json.dumps({"conn_type": "http", "host": "127.0.0.1", "port": 1, "password": "x"})
    names = ("HEALTH_API", "BANK_API", "HRSS_DB")
    hub.connections = EnvironmentConnections(
        {**city.environment, **{f"AIRFLOW_CONN_{name}": gone for name in names}}
    )
    night.run(hub)
    bad = read(told)
    assert {e["eventType"] for e in bad} >= {"START", "COMPLETE", "FAIL"}
    for events in (good, bad):
        runs: dict[str, list[str]] = {}
        for event in events:
            runs.setdefault(event["run"]["runId"], []).append(event["eventType"])
        assert {kinds[0] for kinds in runs.values()} == {"START"}
        assert all(len(kinds) == 2 and kinds[1] in ENDS for kinds in runs.values())


SOUND = {
    "eventType": "START",
    "eventTime": "2026-10-16T02:00:00+08:00",
    "producer": PRODUCER,
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    "run": {"runId": str(uuid.UUID(int=7))},
    "job": {"namespace": "onecard", "name": "x", "facets": {}},
    "inputs": [],
    "outputs": [
        {
            "namespace": "postgres://db:5432",
            "name": "x",
            "outputFacets": {
                "outputStatistics": {
                    "_producer": PRODUCER,
                    "_schemaURL": "https://openlineage.io/spec/facets/1-0-2/"
                    "OutputStatisticsOutputDatasetFacet.json#/$defs/"
                    "OutputStatisticsOutputDatasetFacet",
                    "rowCount": 3,
                }
            },
        }
    ],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("eventType", "BEGIN"),
        ("eventTime", "2026-10-16 02:00"),
        ("eventTime", "2026-10-16T02:00:00"),
        ("producer", "urn:onecard-hub"),
        ("producer", "the hub"),
        ("run.runId", "7"),
        ("run.id", "7"),
        ("job.name", ""),
        ("job.facets.jobType", {}),
        ("outputs.0.namespace", None),
        ("outputs.0.outputFacets.outputStatistics.rowCount", "3"),
        ("outputs.0.outputFacets.outputStatistics.rowCount", None),
        ("outputs.0.outputFacets.outputStatistics.rows", 3),
        ("outputs.0.outputFacets.outputStatistics._schemaURL", "https://openlineage.io/x.json"),
        ("outputs.0.outputFacets.statistics", {}),
    ],
)
def test_a_defect_of_an_event_is_found(path: str, value: object) -> None:
    assert problems(SOUND) == []
    event = json.loads(json.dumps(SOUND))
    place: Any = event
    *way, last = path.split(".")
    for part in way:
        place = place[int(part) if part.isdigit() else part]
    place[last] = value
    assert problems(event) != []


def test_no_password_and_no_value_of_a_row(city: Rehearsal, told: Path) -> None:
    hub = city.hub(0)
    for dataset in sorted(hub.catalogue.contracts):
        hub.collect(dataset).run()
    hub.deliver(F06).run()
    events = read(told)
    assert len(events) >= 2 * len(hub.catalogue.contracts)
    text = told.read_text("utf-8")
    for name in {c.source.connection for c in hub.catalogue.contracts.values()}:
        secret = hub.connections.get(name).secret
        assert not secret or secret not in text
    with database.connect(hub.address, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT person_id18, person_name, card_no FROM registry.hrss__card_master LIMIT 500"
        ).fetchall()
    assert rows
    assert not any(str(value) in text for row in rows for value in row)


def test_a_lineage_server_that_refuses_fails_no_transfer(
    city: Rehearsal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_error(400)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{server.server_port}")
        city.hub(0).collect(CARDS).run()
        server.shutdown()
    assert "no OpenLineage event was sent" in caplog.text


def test_off_by_default(city: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(lineage.LineageListener, "started", lambda _, step: seen.append(step))
    city.hub(0).collect(CARDS).run()
    assert seen == []
    assert not lineage.enabled({})
    assert lineage.enabled({"OPENLINEAGE_URL": "http://x"})
    assert not lineage.enabled({"OPENLINEAGE_URL": "http://x", "OPENLINEAGE_DISABLED": "true"})


@pytest.mark.parametrize(
    ("uri", "options", "namespace", "name"),
    [
        (
            "postgres://u:p@db.example/hr",
            {"table": "t"},
            "postgres://db.example:5432",
            "hr.public.t",
        ),
        ("mysql://u:p@db.example:3307/hf", {"table": "t"}, "mysql://db.example:3307", "hf.t"),
        ("kingbase://u:p@db.example/hr", {"table": "t"}, "kingbase://db.example:54321", "hr.t"),
        ("oracle://u:p@db.example/hr", {"table": "T"}, "oracle://db.example:1521", "hr.T"),
        ("sftp://u:p@files.example", {"directory": "out"}, "sftp://files.example:22", "out"),
        ("https://u:p@api.example", {"path": "/v1/x"}, "https://api.example", "/v1/x"),
    ],
)
def test_names_follow_the_systems_and_hold_no_login(
    uri: str, options: dict[str, str], namespace: str, name: str
) -> None:
    found = lineage_flow.system(parse("x", uri), options)
    assert (found.namespace, found.name) == (namespace, name)
