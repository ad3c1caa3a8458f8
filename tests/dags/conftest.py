"""Airflow in processes of its own: importing it here would configure it for the whole session."""

from __future__ import annotations

import subprocess
import sys

import pytest

from demo.rehearsal import Rehearsal


@pytest.fixture
def airflow(airflow_stage: Rehearsal):
    """Runs Python code in a process with the stage's Airflow; returns its output."""

    def run(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env=airflow_stage.at(0),
            capture_output=True,
            text=True,
            check=False,
            timeout=800,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return run
