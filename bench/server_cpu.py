"""CPU seconds of a PostgreSQL server on this machine: all its processes, ended ones too.

Whoever else uses that server meanwhile is counted as well: measure on a server of one's own.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache

import psutil
import psycopg

_TRIES = 20


def spent(address: str) -> float | None:
    """CPU seconds since the server started; None where its processes cannot be seen from here."""
    pid = _postmaster(address)
    return None if pid is None else _of(psutil.Process(pid))


def since(before: float | None, after: float | None) -> float | None:
    """What was spent between two looks; None when either saw nothing."""
    return None if before is None or after is None else max(0.0, after - before)


def _of(postmaster: psutil.Process) -> float:
    """The postmaster, its ended children, which its own account holds, and those that live.

    A child that ends in between is in both or in neither: looked at again until none did.
    """
    total = 0.0
    for _ in range(_TRIES):
        ended = postmaster.cpu_times()
        total = ended.user + ended.system + ended.children_user + ended.children_system
        for child in postmaster.children():
            with suppress(psutil.NoSuchProcess):
                used = child.cpu_times()
                total += used.user + used.system
        now = postmaster.cpu_times()
        if now.children_user + now.children_system == ended.children_user + ended.children_system:
            break
    return total


@cache
def _postmaster(address: str) -> int | None:
    """The process that a connection's own process is a child of, if that is one of PostgreSQL."""
    with psycopg.connect(address) as connection:
        row = connection.execute("SELECT pg_backend_pid(), current_database()").fetchone()
        assert row
        with suppress(psutil.Error):
            backend = psutil.Process(int(row[0]))
            parent = backend.parent()
            if str(row[1]) in " ".join(backend.cmdline()) and parent and parent.pid != os.getpid():
                return parent.pid
    return None
