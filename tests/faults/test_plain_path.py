"""The faults that reach the row gate once more, without the compiled library: the same outcomes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = (
    "tests/faults/test_csv_values.py",
    "tests/faults/test_drift_policy.py",
    "tests/faults/test_manifests.py",
    "tests/faults/test_source_bombs.py",
    "tests/faults/test_source_files.py",
    "tests/faults/test_source_formulas.py",
    "tests/faults/test_source_http.py",
    "tests/faults/test_source_tables.py",
    "tests/integration/test_bad_values.py",
    "tests/integration/test_replay.py",
)


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
def test_faults_end_as_they_do_with_the_library() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-m", "not nightly", *FILES],
        env={**os.environ, "ONECARD_NATIVE": "off"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
