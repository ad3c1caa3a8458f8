"""Airflow itself, as one group of processes: what `onecard up` and the scheduler tests start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

ENDS_WITHIN = 20
"""Seconds that its processes have to end by themselves."""


def free_port(wanted: int = 0) -> int:
    """A port of this machine that nobody listens on: the wanted one if it is free, else any."""
    return _free_ports(wanted)[0]


def ports(web: int = 0) -> dict[str, str]:
    """Airflow's settings for one more instance on this machine; no port of it is fixed.

    Args:
        web: port of the web server; 0: any free one.
    """
    port, logs, triggers = _free_ports(web, 0, 0)
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
            _end_group(server)


def _end_group(server: subprocess.Popen[bytes]) -> None:
    """End a process and its children: a signal to its pid alone orphans them."""
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _free_ports(*wanted: int) -> list[int]:
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
