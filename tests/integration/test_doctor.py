"""`onecard doctor` on a real hub: everything that can be wrong is provoked, and its line says what to do."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo import receivers
from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import SuiteName
from onecard.crypto import keys
from onecard.operations.check_line import CheckLine
from onecard.operations.doctor import examine
from onecard.operations.doctor_probes import probes
from onecard.store import agreement_lives, database, migrate, server_log
from schemas.models import catalogue
from tests import forked
from tests.cities import Cities


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Rehearsal]:
    home = tmp_path_factory.mktemp("doctor")
    with cities.start(home / "stage", persons=300, seed=5) as found:
        yield found


def of(lines: list[CheckLine], check: str) -> list[CheckLine]:
    return [line for line in lines if line.check == check]


def levels(lines: list[CheckLine]) -> dict[str, str]:
    """The worst level of each check."""
    order = ("ok", "warn", "fail")
    found: dict[str, str] = {}
    for line in lines:
        found[line.check] = max(found.get(line.check, "ok"), line.level, key=order.index)
    return found


def seen(hub: Hub, **environment: str) -> list[CheckLine]:
    return examine(hub, probes(hub), environment)


def test_a_hub_in_order(city: Rehearsal) -> None:
    lines = seen(city.hub(0))
    assert [x for x in lines if x.level == "fail"] == []
    found = levels(lines)
    assert found["migrations"] == found["keys"] == found["stops"] == "ok"
    names = {c.source.connection for c in city.hub(0).catalogue.contracts.values()}
    assert {f"connection {n}" for n in names} <= set(found)
    held = of(lines, "clock")
    assert any("ONECARD_NOW" in x.todo for x in held)
    assert all(x.todo for x in lines if x.level != "ok")


@pytest.mark.parametrize(
    ("connection", "value"),
    [
        ("hrss_db", {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "schema": "x"}),
        ("hrss_api", {"conn_type": "http", "host": "127.0.0.1", "port": 1}),
        ("transport_files", {"conn_type": "fs", "extra": {"path": "/nowhere/at/all"}}),
    ],
)
def test_a_system_that_is_not_there(
    city: Rehearsal, connection: str, value: dict[str, Any]
) -> None:
    hub = city.hub(0)
    name = f"AIRFLOW_CONN_{connection.upper()}"
    hub.connections = EnvironmentConnections({**city.environment, name: json.dumps(value)})
    (line,) = of(seen(hub), f"connection {connection}")
    assert line.level == "fail"
    assert name in line.todo


def test_a_refused_login_does_not_show_the_password(city: Rehearsal) -> None:
    hub = city.hub(0)
    good = json.loads(city.environment["AIRFLOW_CONN_HEALTH_API"])
    bad = json.dumps(good | {"password": "geheim-wrong-1"})
    hub.connections = EnvironmentConnections({**city.environment, "AIRFLOW_CONN_HEALTH_API": bad})
    (line,) = of(seen(hub), "connection health_api")
    assert line.level == "fail"
    assert "geheim" not in line.says + line.todo


def test_a_system_that_accepts_and_never_answers_is_given_up(city: Rehearsal) -> None:
    hub = city.hub(0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        value = {"conn_type": "http", "host": "127.0.0.1", "port": silent.getsockname()[1]}
        good = json.loads(city.environment["AIRFLOW_CONN_MEDICAL_INSURANCE_API"])
        hub.connections = EnvironmentConnections(
            {
                **city.environment,
                "AIRFLOW_CONN_MEDICAL_INSURANCE_API": json.dumps(good | value),
            }
        )
        (line,) = of(
            examine(hub, [p for p in probes(hub) if p.connection == "medical_insurance_api"], {}),
            "connection medical_insurance_api",
        )
    assert line.level == "fail"


def test_keys_missing_open_and_near_their_end(city: Rehearsal, tmp_path: Path) -> None:
    def lines_of(file: Path, suite: SuiteName = "international") -> list[CheckLine]:
        hub = city.hub(0)
        hub.keys = keys.KeyStore(file)
        hub.settings = hub.settings.model_copy(update={"suite": suite})
        return of(examine(hub, [], {}), "keys")

    hub = city.hub(0)
    today = hub.settings.now().date()
    (line,) = lines_of(tmp_path / "none.json")
    assert (line.level, "keys init" in line.todo) == ("fail", True)

    some = tmp_path / "some.json"
    keys.create(some, ["transport"], "2026", today)
    missing = [x for x in lines_of(some) if x.level == "fail"]
    assert "no key token/health" in [x.says for x in missing]
    assert all(("keys add" in x.todo) == ("token" in x.says) for x in missing)

    full = tmp_path / "full.json"
    keys.create(full, hub.catalogue.agencies, "2026", today)
    missing = [x for x in lines_of(full) if x.level == "fail"]
    assert {x.says.split()[2] for x in missing} == {"sealing/bank:", "sealing/transport:"}
    assert all("keys accept" in x.todo for x in missing)
    receivers.give_keys(
        tmp_path, hub.catalogue, hub.settings.model_copy(update={"keys_file": full})
    )
    assert [x.level for x in lines_of(full)] == ["ok"]
    other = [x.says for x in lines_of(full, "national") if x.level == "fail"]
    assert other == [
        f"no key sealing/{c} of suite national, but one of international: its deliveries stay"
        for c in ("bank", "transport")
    ]
    keys.rotate(full, "token/health", "2027", timedelta(days=10), today)
    keys.rotate(full, "token/bank", "2027", timedelta(days=90), today)
    near = [x for x in lines_of(full) if x.level == "warn"]
    assert [x.says for x in near] == [
        f"token/health: epoch 2026 ends on {today + timedelta(days=10)}"
    ]
    full.chmod(0o644)
    assert lines_of(full)[0].level == "fail"


def refused_twice(hub: Hub, marker: str) -> str:
    """What the server writes into its log when a row with this key comes a second time."""
    with psycopg.connect(hub.address, autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE once (key text PRIMARY KEY)")
        connection.execute("INSERT INTO once VALUES (%s)", (marker,))
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO once VALUES (%s)", (marker,))
        row = connection.execute("SELECT current_setting('data_directory')").fetchone()
    assert row
    return (Path(str(row[0])).parent / "log").read_text(errors="replace")


def test_a_server_s_log_that_quotes_rows(city: Rehearsal) -> None:
    hub = city.hub(0)
    (line,) = of(examine(hub, [], {}), "server log")
    assert line.level == "warn"  # a clone has no settings of its own
    assert "MARKER-BEFORE" in refused_twice(hub, "MARKER-BEFORE")
    with psycopg.connect(hub.address, autocommit=True) as connection:
        connection.execute(line.todo.removeprefix("as a superuser: ").encode())
    assert levels(examine(hub, [], {}))["server log"] == "ok"
    assert "MARKER-AFTER" not in refused_twice(hub, "MARKER-AFTER")


def test_an_upgrade_ends_the_quoting(postgres: str) -> None:
    name = f"terse_{secrets.token_hex(4)}"
    address = database.create_database(postgres, name)
    try:
        migrate.upgrade(address)
        with database.connect(address, autocommit=True) as connection:
            assert not server_log.quotes_rows(connection)
    finally:
        database.drop_database(postgres, name)


def test_who_may_ask_has_a_key(city: Rehearsal, tmp_path: Path) -> None:
    hub = city.hub(0)
    (line,) = of(examine(hub, [], {}), "callers")
    assert (line.level, line.todo) == ("ok", "")
    some = tmp_path / "some.json"
    callers = {sid: x for sid, x in hub.catalogue.callers.items() if sid != "bank-payment"}
    keys.create(some, hub.catalogue.agencies, "2026", hub.settings.now().date(), callers)
    hub.keys = keys.KeyStore(some)
    (line,) = of(examine(hub, [], {}), "callers")
    assert (line.level, line.says.split()[0]) == ("fail", "bank-payment")
    assert "onecard keys add bank-payment --for caller" in line.todo
    with database.connect(hub.address, autocommit=True) as connection:
        agreement = hub.catalogue.agreement("f10-hrss-bank-payee-verify")
        agreement_lives.suspend(connection, agreement, "t", "drill")
        (line,) = of(examine(hub, [], {}), "callers")
        assert line.level == "ok", "nobody asks under what is not in force"
        agreement_lives.approve(connection, agreement, "t", "over")
        root = tmp_path / "schemas"
        shutil.copytree(catalogue.ROOT, root, ignore=shutil.ignore_patterns("*.py"))
        file = root / "callers.yaml"
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        file.write_text("".join(x for x in lines if "bank" not in x), encoding="utf-8")
        environment = city.at(0) | {"ONECARD_SCHEMAS": str(root)}
        other = Hub(type(hub.settings).load(environment), EnvironmentConnections(environment))
        (line,) = of(examine(other, [], {}), "callers")
    assert (line.level, "f10-hrss-bank-payee-verify" in line.says) == ("warn", True)


def test_stopped_consumers_and_rows_near_their_end(city: Rehearsal) -> None:
    hub = city.hub(0)
    hub.collect("hrss/card_master").run()
    with database.connect(hub.address, autocommit=True) as connection:
        agreement_lives.set_stop(connection, "bank", "t", "drill", stopped=True)
        number = connection.execute(
            "UPDATE quarantine.record SET expires_at = %s WHERE status = 'held'",
            (hub.settings.now() + timedelta(days=3),),
        ).rowcount
    assert number > 0
    lines = examine(hub, [], {})
    assert [x.says for x in of(lines, "stops")] == ["deliveries to bank are stopped"]
    (line,) = of(lines, "quarantine")
    assert (line.level, line.says.split()[0]) == ("warn", str(number))
    with database.connect(hub.address, autocommit=True) as connection:
        agreement_lives.set_stop(connection, "bank", "t", "over", stopped=False)


def test_a_database_that_is_old_or_gone(
    city: Rehearsal, private_database: str, tmp_path: Path
) -> None:
    environment = city.at(0) | {"ONECARD_DATABASE_URL": private_database}
    hub = Hub(type(city.hub(0).settings).load(environment), EnvironmentConnections(environment))
    (line,) = of(examine(hub, [], {}), "migrations")
    assert (line.level, line.todo) == ("fail", "run `onecard db upgrade`")
    assert migrate.HEAD in line.says
    environment["ONECARD_DATABASE_URL"] = "postgresql://x@127.0.0.1:1/none"
    gone = Hub(type(city.hub(0).settings).load(environment), EnvironmentConnections(environment))
    (line,) = of(examine(gone, [], {}), "database")
    assert line.level == "fail"


def test_airflows_settings_where_it_is_its_environment(city: Rehearsal, tmp_path: Path) -> None:
    hub = city.hub(0)
    assert of(examine(hub, [], {"PATH": os.defpath}), "airflow") == []
    lines = of(examine(hub, [], {"AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path)}), "airflow")
    assert [x.level for x in lines] == ["warn", "fail", "warn", "ok"]
    good = {k: v for k, v in city.environment.items() if k.startswith("AIRFLOW__")}
    assert [x.level for x in of(examine(hub, [], good), "airflow")] == ["ok"]


def test_the_command(city: Rehearsal) -> None:
    def run(environment: dict[str, str]) -> tuple[int, list[dict[str, str]]]:
        done = forked.onecard(environment, "doctor", "--json")
        return done.returncode, json.loads(done.stdout)

    code, lines = run(city.at(0))
    assert (code, [x for x in lines if x["level"] == "fail"]) == (0, [])
    code, lines = run(city.at(0) | {"ONECARD_KEYS_FILE": "/nowhere/keys.json"})
    assert (code, [x["check"] for x in lines if x["level"] == "fail"]) == (1, ["keys"])
