"""Systems that are not there or do not let us in: which of them, how soon, and no secret."""

from __future__ import annotations

import json
import os
import secrets
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncssh
import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy.engine import make_url

import connectors
from connectors.files.sftp import connected
from connectors.rest.client import Client
from connectors.rest.options import Wire
from connectors.sql.options import SqlSource
from connectors.sql.url import address, engine_url
from demo.standalone import free_port
from onecard.base import timeouts
from onecard.base.connections import Connection
from onecard.errors import ConfigError, OnecardError, SourceUnavailable
from onecard.ports.source import Column, ReadRequest
from tests import forked
from tests.connectors.systems import conn
from tests.connectors.test_compliance import opened

SECRET = "hunter2zq"
SQL = connectors.connector("sql")
API = Wire()


def onecard(home: Path, url: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ONECARD_", "AIRFLOW_"))}
    return forked.onecard(
        kept | {"ONECARD_HOME": str(home), "ONECARD_DATABASE_URL": url, **more}, *words
    )


@pytest.fixture
def role(quick_postgres: str) -> Iterator[str]:
    """A role that may hold no connection; it goes with the test."""
    name = f"nobody_{secrets.token_hex(4)}"
    with psycopg.connect(quick_postgres, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN CONNECTION LIMIT 0".encode())
        yield name
        connection.execute(f"DROP ROLE {name}".encode())


CAUSES = {
    "port": "nothing listens at that host and port",
    "role": "no such user (role)",
    "database": "no such database",
    "tls": "TLS refused: the server offers none",
    "limit": "the server takes no more connections",
    "name": "the host name cannot be resolved",
}


@pytest.mark.case("people-11", "the hub's database: which cause it is, on a real server, no secret")
@pytest.mark.parametrize("command", [("status",), ("db", "upgrade"), ("status", "--json")])
@pytest.mark.parametrize("cause", CAUSES)
def test_the_hubs_database(
    cause: str, command: tuple[str, ...], quick_postgres: str, role: str, tmp_path: Path
) -> None:
    url = make_url(quick_postgres).set(password=SECRET)
    wrong = {
        "port": url.set(port=free_port()),
        "role": url.set(username="nobody_here"),
        "database": url.set(database="nowhere_here"),
        "tls": url.update_query_dict({"sslmode": "require"}),
        "limit": url.set(username=role),
        "name": url.set(host="no-such-host.invalid"),
    }[cause]
    done = onecard(tmp_path, wrong.render_as_string(hide_password=False), *command)
    assert done.returncode == 1
    assert CAUSES[cause] in done.stderr
    assert len(done.stderr.splitlines()) == 1, "one clear line"
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.case("people-11", "agencies' databases: user, database, port, each by name")
@pytest.mark.parametrize("variant", ["postgres", "mariadb"])
def test_an_agencys_database(variant: str, postgres: str, tmp_path: Path) -> None:
    with opened(variant, tmp_path, postgres) as system:
        password = conn(conn_type="x", password=SECRET).password
        for change, words in (
            ({"login": "nobody_here", "password": password}, "login refused"),
            ({"schema_": "nowhere_here"}, "no such database"),
            ({"port": free_port()}, "nothing listens at that host and port"),
            ({"host": "no-such-host.invalid"}, "the host name cannot be resolved"),
        ):
            wrong = system.connection.model_copy(update=change)
            said = str(failure_of(wrong))
            assert words in said
            assert SECRET not in said


def failure_of(connection: Connection) -> OnecardError:
    request = ReadRequest("a/d", (Column("k", "k"),), SqlSource(table="t"))
    with pytest.raises(OnecardError) as caught:
        list(SQL.read(connection, request))
    return caught.value


@pytest.fixture
def dead() -> Iterator[int]:
    """A port whose machine answers no knock: the queue of those that wait is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        place = listening.getsockname()
        waiting = []
        for _ in range(8):
            knock = socket.socket()
            knock.setblocking(False)
            knock.connect_ex(place)
            waiting.append(knock)
        time.sleep(0.2)
        yield int(place[1])
        for knock in waiting:
            knock.close()


@pytest.mark.case(
    "people-17", "a dead address ends at the connect_timeout, for every kind of system"
)
@pytest.mark.parametrize("kind", ["postgres", "mysql", "sftp", "http", "hub"])
def test_a_dead_address(
    kind: str, dead: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ONECARD_CONNECT_TIMEOUT", "2")
    onecard(tmp_path, "", "--version")  # the server that forks has imported everything
    began = time.monotonic()
    said = knocking(kind, dead, tmp_path)
    assert 1.5 < time.monotonic() - began < 9.5, "it is not tried five times"
    assert "no answer within 2 s (connect_timeout)" in said


@pytest.mark.case("people-17", "one system has a bound of its own in its connection's extra")
def test_a_bound_of_its_own(dead: int) -> None:
    began = time.monotonic()
    own = conn(conn_type="http", host="127.0.0.1", port=dead, extra={"connect_timeout": 1})
    with pytest.raises(SourceUnavailable, match="no answer within 1 s"):
        Client(own, API, "a/d").get("/x", {})
    assert time.monotonic() - began < 4.5, "it is not tried five times"


@pytest.mark.case("people-17", "5 s by default, also in every address that is made")
def test_the_default() -> None:
    assert timeouts.connect_seconds() == 5
    here = conn(conn_type="postgres", host="h", schema="d")
    assert "connect_timeout=5" in address(here)
    assert "connect_timeout=5" in timeouts.bounded("postgresql://h/d")
    assert (
        engine_url(here.model_copy(update={"conn_type": "mysql"})).query["connect_timeout"] == "5"
    )
    own = here.model_copy(update={"extra": {"connect_timeout": "9"}})
    assert "connect_timeout=9" in address(own)
    assert "connect_timeout=4" in timeouts.bounded("postgresql://h/d?connect_timeout=4")


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "soon", "1e2"])
def test_a_bound_that_is_no_number_of_seconds(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONECARD_CONNECT_TIMEOUT", text)
    with pytest.raises(ConfigError, match="ONECARD_CONNECT_TIMEOUT: write whole seconds"):
        timeouts.connect_seconds()


def knocking(kind: str, port: int, home: Path) -> str:
    """What is said of a system at that port."""
    there = {"host": "127.0.0.1", "port": port, "login": "u", "password": SECRET}
    if kind == "hub":
        url = f"postgresql://u:{SECRET}@127.0.0.1:{port}/x"
        said = onecard(home, url, "status", ONECARD_CONNECT_TIMEOUT="2").stderr
    elif kind == "sftp":
        key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        sftp = conn(conn_type="sftp", extra={"host_key": key}, **there)
        with pytest.raises(SourceUnavailable) as caught, connected(sftp):
            pass
        said = str(caught.value)
    elif kind == "http":
        api = conn(conn_type="http", **there)
        with pytest.raises(SourceUnavailable) as caught:
            Client(api, API, "a/d").get("/x", {})
        said = str(caught.value)
    else:
        said = str(failure_of(conn(conn_type=kind, schema="d", **there)))
    assert SECRET not in said
    return said


@pytest.mark.case(
    "people-10", "a collect with such an address: no piece of it in message or ledger"
)
def test_a_piece_of_a_password_reaches_no_record(hub_database: str, tmp_path: Path) -> None:
    keys = onecard(tmp_path, hub_database, "keys", "init")
    assert keys.returncode == 0, keys.stderr
    bad = f"postgresql://office:{SECRET}@#wx7@127.0.0.1:5432/db"
    for words in (
        ("collect", "hrss/card_master"),
        ("collect", "hrss/card_master", "--json"),
        ("doctor", "--json"),
    ):
        done = onecard(tmp_path, hub_database, *words, AIRFLOW_CONN_HRSS_DB=bad, ONECARD_LOG="json")
        assert done.returncode == 1
        assert "percent-encode the password" in done.stdout + done.stderr
        assert SECRET not in done.stdout + done.stderr
        assert "wx7" not in done.stdout + done.stderr
    with psycopg.connect(hub_database) as connection:
        rows = connection.execute("SELECT row_to_json(t)::text FROM ledger.transfer t").fetchall()
    assert rows, "the ledger says that it failed"
    for (row,) in rows:
        assert "percent-encode" in json.loads(row)["message"]
        assert SECRET not in row
        assert "wx7" not in row


@pytest.mark.case(
    "people-11", "an API whose certificate nobody vouches for: TLS, at once, no retry"
)
def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    calls: list[object] = []
    with untrusted_api(tmp_path, calls) as port:
        api = conn(conn_type="https", host="127.0.0.1", port=port)
        began = time.monotonic()
        with pytest.raises(ConfigError, match="certificate cannot be verified"):
            Client(api, API, "a/d").get("/x", {})
        assert time.monotonic() - began < 30
    assert len(calls) == 1


@contextmanager
def untrusted_api(folder: Path, calls: list[object]) -> Iterator[int]:
    """A TLS server with a certificate that it has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    own = folder / "own.pem"
    signed = made.sign(key, hashes.SHA256()).public_bytes(pem)
    own.write_bytes(signed + key.private_bytes(pem, form, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)

    def serve(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                taken, place = listening.accept()
                calls.append(place)
                with suppress(OSError), context.wrap_socket(taken, server_side=True):
                    pass

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        yield int(listening.getsockname()[1])
