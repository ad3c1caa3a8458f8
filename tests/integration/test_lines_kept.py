"""Lines to agencies' systems wait for their next use: alive, of the same login, and only while kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from pydantic import SecretStr

from connectors.files import sftp_session
from connectors.files.folders import opened
from connectors.files.sftp_session import Session
from connectors.rest.client import Client
from connectors.rest.options import RestSource
from connectors.sql.inbox_session import inbox_engine
from onecard.base import shelves
from onecard.base.connections import Connection
from onecard.errors import ConfigError, SourceUnavailable
from tests.connectors.systems import conn, http, sftp
from tests.connectors.test_compliance import KEYSET
from tests.waiting import until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Connection]:
    with sftp(tmp_path) as connection:
        yield connection


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> list[Session]:
    """Sessions of SFTP that were opened."""
    made: list[Session] = []
    connect = Session.opened.__func__  # type: ignore[attr-defined]

    def noted(cls: type[Session], connection: Connection) -> Session:
        made.append(connect(cls, connection))
        return made[-1]

    monkeypatch.setattr(Session, "opened", classmethod(noted))
    return made


def look(connection: Connection) -> None:
    with opened(connection) as folder:
        folder.entries(".")


def test_an_sftp_session_is_used_again_while_somebody_keeps_it(
    server: Connection, logins: list[Session]
) -> None:
    look(server)
    look(server)
    assert len(logins) == 2
    with shelves.kept():
        look(server)
        look(server)
        assert len(logins) == 3
        assert not logins[-1].ssh.is_closed()
    assert all(session.ssh.is_closed() for session in logins)


def test_a_session_whose_server_has_gone_is_not_used(
    server: Connection, logins: list[Session]
) -> None:
    with shelves.kept():
        look(server)
        logins[0].line.abort_soon()
        until(logins[0].ssh.is_closed, "the end of the connection")
        look(server)
    assert len(logins) == 2


def test_another_login_gets_no_session_of_the_first(
    server: Connection, logins: list[Session]
) -> None:
    with shelves.kept():
        look(server)
        with pytest.raises(ConfigError, match="login refused"):
            look(server.model_copy(update={"password": SecretStr("another")}))
    assert len(logins) == 1


def test_a_session_in_which_something_failed_is_closed(
    server: Connection, logins: list[Session]
) -> None:
    with shelves.kept():
        with pytest.raises(ConfigError), opened(server) as folder:
            folder.entries("nowhere")
        assert logins[0].ssh.is_closed()
        look(server)
    assert len(logins) == 2


def test_sessions_that_wait_end_without_their_server(
    server: Connection, logins: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = own_threads()
    with shelves.kept():
        look(server)
        monkeypatch.setattr(shelves, "LONGEST_S", -1.0)
        sftp_session._waiting.close_old()
        assert logins[0].ssh.is_closed()
    assert own_threads() <= before


def test_a_session_is_touched_in_its_own_loop_alone(
    server: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither asyncio nor asyncssh may be called from two threads at once; its debug mode asks."""
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    (tmp_path / "own").write_bytes(b"1")
    with opened(server) as folder:
        folder.write("theirs", tmp_path / "own", lambda: None)
        assert folder.read("theirs") == b"1"
        with folder.local("own") as copy:
            assert copy.read_bytes() == b"1"
        assert [entry.name for entry in folder.entries(".")] == ["own", "theirs"]
        folder.sweep(".")
    with shelves.kept():
        look(server)


@pytest.mark.parametrize("ends", [Session.end, Session.drop])
def test_a_session_ends_while_its_server_leaves(
    server: Connection, ends: Callable[[Session], None]
) -> None:
    session = Session.opened(server)
    session.line.abort_soon()
    ends(session)
    assert session.ssh.is_closed()


def own_threads() -> set[str]:
    """Of this process, without those in which the test's own server reads its files."""
    names = {thread.name for thread in threading.enumerate()}
    return {name for name in names if not name.startswith("asyncio_")}


def test_an_http_session_is_used_again_and_keeps_no_cookie() -> None:
    with http(KEYSET) as system, shelves.kept():
        options = RestSource.model_validate(system.options)
        clients = []
        for _ in range(2):
            client = Client(system.connection, options, "a/b")
            client._session.cookies.set("one", "two")
            clients.append(client._session)
            client.close()
        assert clients[0] is clients[1]
        assert not clients[0].cookies


def test_an_http_session_that_was_closed_by_its_server_is_opened_again() -> None:
    with http(KEYSET) as system, shelves.kept():
        options = RestSource.model_validate(system.options)
        for _ in range(2):
            client = Client(system.connection, options, "a/b")
            client.get("/rows", {"since": "2026-11-01T00:00:00+08:00", "size": "10"})
            for adapter in client._session.adapters.values():
                with suppress(AttributeError):
                    adapter.close()
            client.close()
    assert isinstance(client._session, requests.Session)


def test_an_inbox_s_database_is_used_again_unless_something_failed(postgres: str) -> None:
    from sqlalchemy.engine import make_url

    url = make_url(postgres)
    system = conn(
        conn_type="postgres",
        host=url.host or str(url.query.get("host", "")),
        port=url.port,
        login=url.username,
        password=url.password or "",
        schema=url.database,
    )

    def process() -> int:
        with inbox_engine(system) as engine, engine.connect() as connection:
            return int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())

    assert process() != process()
    with shelves.kept():
        first = process()
        assert process() == first
        with pytest.raises(SourceUnavailable), inbox_engine(system):
            msg = "it has gone"
            raise SourceUnavailable(msg)
        assert process() != first
