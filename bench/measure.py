"""Runs one command and measures it: wall seconds, peak memory of it and its children."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run."""

    seconds: float
    megabytes: float


def run(command: list[str] | str, environment: Mapping[str, str] | None = None) -> Run:
    """Run a command (a string is a shell pipeline) to its end.

    Raises:
        RuntimeError: it failed; the message holds the end of its output.
    """
    probe = (
        "import resource, subprocess, sys, time\n"
        "t = time.perf_counter()\n"
        "shell = sys.argv[1] == 'shell'\n"
        "done = subprocess.run(sys.argv[2] if shell else sys.argv[2:], shell=shell,"
        " capture_output=True, text=True)\n"
        "seconds = time.perf_counter() - t\n"
        "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024\n"
        "sys.stderr.write((done.stdout + done.stderr)[-3000:])\n"
        "print(done.returncode, seconds, peak)\n"
    )
    arguments = ["shell", command] if isinstance(command, str) else ["plain", *command]
    done = subprocess.run(
        [sys.executable, "-c", probe, *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    code, seconds, peak = done.stdout.split()
    if code != "0":
        msg = f"{arguments[1]}: exit {code}: {done.stderr[-1500:]}"
        raise RuntimeError(msg)
    return Run(float(seconds), float(peak))


def machine() -> str:
    """The machine in one line."""
    cores = len(os.sched_getaffinity(0))
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if "model name" in line), "CPU")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cores} cores ({model}), {memory:.0f} GiB, {time.strftime('%Y-%m-%d')}"


def own_peak() -> float:
    """Peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
