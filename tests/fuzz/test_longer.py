"""The targets of this folder once more, with other cases each time and more than twice as many."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sampling import how_often

TARGETS = [Path(__file__).with_name(n) for n in ("test_copy_out.py", "test_parsers.py")]


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_many_cases_of_every_target() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", *map(str, TARGETS)],
        env={**os.environ, "ONECARD_FUZZ_CASES": str(how_often(150, 300))},
        cwd=TARGETS[0].parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
