"""What a run of the tests that was killed leaves on the machine is ended by the next run.

A run marks itself in its environment, which every process that it begins inherits: PostgreSQL
servers, Airflow's groups, browsers, runs within the run. Its folders of servers bear the mark in
their names. When the process that began the run is gone, all that is nobody's.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from pathlib import Path

import psutil

MARK = "ONECARD_TEST_RUN"
"""Names the process that began the run: its PID name space, its number, when it began."""
SHAPE = re.compile(r"(\d+)\.(\d+)\.(\d+)")
ENDS_WITHIN_S = 20


def begin() -> None:
    """Mark the run that this process begins, and end what runs before it left."""
    os.environ[MARK] = mark(os.getpid())
    end_leftovers()


def mark(pid: int) -> str:
    """The mark of a run that a process began; '' where that process is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else f"{_name_space()}.{pid}.{fields[19]}"


def prefix(kind: str) -> str:
    """How names of this run's temporary folders of a kind begin."""
    return f"{kind}-{os.environ[MARK]}-"


def end_leftovers() -> None:
    """Kill processes and remove folders of runs whose first process is gone."""
    killed = [process for process in psutil.process_iter() if _killed(process)]
    end = time.monotonic() + ENDS_WITHIN_S
    while any(map(_lives, killed)) and time.monotonic() < end:
        time.sleep(0.05)
    for folder in Path(tempfile.gettempdir()).glob("*-server-*"):
        if abandoned(folder.name):
            shutil.rmtree(folder, ignore_errors=True)


def abandoned(text: str) -> bool:
    """Whether a text holds the mark of a run of this name space whose first process is gone."""
    found = SHAPE.search(text)
    return found is not None and found[1] == _name_space() and mark(int(found[2])) != found[0]


def _killed(process: psutil.Process) -> bool:
    """Kill a process if such a run began it."""
    try:
        if not abandoned(process.environ().get(MARK, "")):
            return False
        process.kill()
    except (psutil.Error, OSError):  # it ended meanwhile, or is another user's
        return False
    return True


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _name_space() -> str:
    """Numbers of processes mean something in one name space only: a container has its own."""
    return Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
