"""Airflow itself, as one group of processes: what `onecard up` and the scheduler tests start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

ENDS_WITHIN = 20
"""Seconds that its processes have to end by themselves."""


def free_port(wanted: int = 0) -> int:
    """A port of this machine that nobody listens on: the wanted one if it is free, else any."""
    return free_ports(wanted)[0]


def ports(web: int = 0) -> dict[str, str]:
    """Airflow's settings for one more instance on this machine; no port of it is fixed.

    Args:
        web: port of the web server; 0: any free one.
    """
    port, logs, triggers = free_ports(web, 0, 0)
    address = f"http://127.0.0.1:{port}"
    return {
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(logs),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(triggers),
    }


@contextmanager
def running(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """`airflow standalone` with this environment; its log is `standalone.log` in AIRFLOW_HOME."""
    folder = Path(environment["AIRFLOW_HOME"])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "standalone.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "airflow", "standalone"],
            env=dict(environment),
            start_new_session=True,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield server
        finally:
            end_group(server)


def end_group(leader: subprocess.Popen[bytes], within: float | None = None) -> None:
    """End a process and its whole group, which may outlive it; a signal to its pid orphans them.

    Args:
        leader: of the group.
        within: seconds that it has to end by itself; default: `ENDS_WITHIN`.
    """
    end = time.monotonic() + (ENDS_WITHIN if within is None else within)
    with suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGTERM)
        while time.monotonic() < end and _lives(leader):
            time.sleep(0.1)
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()


def _lives(leader: subprocess.Popen[bytes]) -> bool:
    """Whether a process of the group runs; one that has ended and nobody waited for does not."""
    leader.poll()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getpgid(process.pid) == leader.pid and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False


def free_ports(*wanted: int) -> list[int]:
    """Different ports that are free now, each the wanted one where that is."""
    with ExitStack() as held:
        return [_hold(held, port) for port in wanted]


def _hold(held: ExitStack, port: int) -> int:
    probe = held.enter_context(socket.socket())
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        probe.bind(("127.0.0.1", 0))
    return int(probe.getsockname()[1])
