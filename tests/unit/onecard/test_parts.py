"""Settings, connections, keys, durations, the accounting identity and quarantined payloads."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from onecard.base import connections
from onecard.base.settings import Settings
from onecard.base.timespan import duration
from onecard.crypto import keys
from onecard.crypto.suites import suite
from onecard.errors import AccountingError, ConfigError, PolicyError
from onecard.model.transfers import Counts
from onecard.ports.row_gate import Reason, Rejected
from onecard.store import database, quarantine, quarantine_intake, registry
from onecard.store.sealing import Sealer


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ONECARD_PROFILE", "prod"),
        ("ONECARD_NOW", "yesterday"),
        ("ONECARD_NOW", "2026-11-24T02:00:00"),
    ],
)
def test_settings_name_the_wrong_variable(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=variable):
        Settings.load({variable: value})


def test_settings_have_safe_defaults(tmp_path: Path) -> None:
    found = Settings.load({"ONECARD_HOME": str(tmp_path)})
    assert found.profile == "production"
    assert found.keys_file == tmp_path / "keys.json"
    assert found.now().tzinfo is not None


@pytest.mark.parametrize(
    "text",
    [
        '{"conn_type": "postgres", "host": "db", "port": 5432, "login": "hub", "password": "s3cret/x", "schema": "hrss"}',
        "postgres://hub:s3cret%2Fx@db:5432/hrss",
    ],
)
def test_connections_in_both_of_airflows_forms(text: str) -> None:
    found = connections.EnvironmentConnections({"AIRFLOW_CONN_HRSS_DB": text}).get("hrss_db")
    assert (found.host, found.port, found.login, found.schema_) == ("db", 5432, "hub", "hrss")
    assert found.secret == "s3cret/x"
    assert "s3cret" not in repr(found) + str(found) + found.address


def test_an_unknown_connection_names_the_known_ones() -> None:
    known = connections.EnvironmentConnections({"AIRFLOW_CONN_HEALTH_API": "http://x"})
    with pytest.raises(ConfigError, match=r"AIRFLOW_CONN_HRSS_DB.*health_api"):
        known.get("hrss_db")


@pytest.mark.parametrize(
    "text",
    ["{nonsense", '{"conn_type": 5}', '{"conn_type": "http", "pasword": "s3cret"}', "s3cret"],
)
def test_a_connection_that_cannot_be_read_is_not_shown(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        connections.parse("hrss_db", text)
    assert "s3cret" not in str(caught.value)


def test_keys_are_private_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    keys.create(file, ["bank", "operator"], "2026")
    store = keys.KeyStore(file)
    assert store.token("bank").secret != store.token("operator").secret
    assert store.token("bank").secret.hex() not in repr(store.token("bank"))
    with pytest.raises(PolicyError, match="never overwritten"):
        keys.create(file, ["bank"], "2026")
    with pytest.raises(PolicyError, match="no key token/police"):
        store.token("police")
    file.chmod(0o644)
    with pytest.raises(PolicyError, match="chmod 600"):
        store.token("bank")


def test_without_a_key_file_nothing_leaves(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="onecard keys init"):
        keys.KeyStore(tmp_path / "none.json").quarantine()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P3D", timedelta(days=3)),
        ("PT10M", timedelta(minutes=10)),
        ("P1DT2H3M4S", timedelta(1, 4, 0, 0, 3, 2)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert duration(text) == expected


def test_what_is_no_duration_is_refused() -> None:
    with pytest.raises(ValueError, match="3 days"):
        duration("3 days")


@pytest.mark.parametrize("term", [f.name for f in dataclasses.fields(Counts)])
def test_the_identity_notices_every_term(term: str) -> None:
    right = Counts(15, 1, 2, 3, 4, 5)
    right.check("a/b")
    with pytest.raises(AccountingError, match="a/b: read"):
        dataclasses.replace(right, **{term: getattr(right, term) + 1}).check("a/b")


def test_a_quarantined_payload_opens_only_in_its_place(tmp_path: Path, hub_database: str) -> None:
    keys.create(tmp_path / "keys.json", [], "2026")
    store = keys.KeyStore(tmp_path / "keys.json")
    row = Rejected(7, {"person_name": "张三", "mobile": None}, (Reason("mobile", "required"),))
    with database.connect(hub_database) as connection:
        connection.execute(
            "INSERT INTO ledger.transfer (direction, subject, status, policy_version)"
            " VALUES ('collect', 'a/b', 'running', '1')"
        )
        connection.execute(
            "CREATE TABLE staging.x (fingerprint bytea, origin text, row_number bigint,"
            " reasons jsonb, payload bytea, key_epoch text, suite text, record_ref bytea,"
            " place bigint)"
        )
        sealer = Sealer(store.quarantine(), suite("international"))
        sealed = sealer.seal("a/b", "file.csv", row)
        assert "张三".encode() not in sealed.payload
        quarantine_intake.append(
            connection, registry.sql.Identifier("staging", "x"), [sealed, sealed]
        )
        quarantine_intake.absorb(
            connection, registry.sql.Identifier("staging", "x"), "a/b", 1, timedelta(1)
        )
        (found,) = quarantine.records(connection)
        assert found.reasons == (("mobile", "required"),)
        assert quarantine.reveal(connection, found.id, store)[1] == {
            "person_name": "张三",
            "mobile": None,
        }
        connection.execute("UPDATE quarantine.record SET dataset = 'a/c'")
        with pytest.raises(PolicyError, match="does not open"):
            quarantine.reveal(connection, found.id, store)
        connection.rollback()


def test_database_errors_do_not_quote_rows(private_database: str) -> None:
    from onecard.errors import FatalError

    with pytest.raises(FatalError) as caught, database.connect(private_database) as connection:
        connection.execute("CREATE TABLE t (id text PRIMARY KEY)")
        connection.execute("INSERT INTO t VALUES ('410199194901010014'), ('410199194901010014')")
    assert "410199" not in str(caught.value)
    assert "23505" in str(caught.value)
