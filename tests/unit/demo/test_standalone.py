"""Airflow's ports: nothing is fixed, so that two instances run on one machine."""

from __future__ import annotations

import socket
import subprocess

import psutil
import pytest

from demo import standalone


def test_a_taken_port_is_not_taken_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        found = standalone.free_port(taken)
    assert found != taken
    assert standalone.free_port(found) == found


def test_all_ports_of_an_instance_differ_and_its_addresses_name_them() -> None:
    found = standalone.ports()
    ports = [value for name, value in found.items() if name.endswith("PORT")]
    assert len(set(ports)) == 3
    address = f"http://127.0.0.1:{found['AIRFLOW__API__PORT']}"
    assert found["AIRFLOW__API__BASE_URL"] == address
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == f"{address}/execution/"


def test_a_process_that_outlives_the_first_of_its_group_is_ended_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standalone, "ENDS_WITHIN", 1)
    script = "(trap '' TERM; echo $BASHPID; exec sleep 60) & wait"
    leader = subprocess.Popen(
        ["bash", "-c", script], start_new_session=True, stdout=subprocess.PIPE
    )
    assert leader.stdout
    deaf = psutil.Process(int(leader.stdout.readline()))
    standalone.end_group(leader)
    assert leader.returncode == -15
    deaf.wait(5)
    leader.stdout.close()
