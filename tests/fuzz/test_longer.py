"""The targets of this folder once more: more than twice as many cases, others each time.

The seed that it drew is printed; `CITY_SEED` takes it again, as for the tiny city.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sampling import how_often

TARGETS = [
    Path(__file__).with_name(n) for n in ("test_copy_out.py", "test_parsers.py", "test_services.py")
]


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_many_cases_of_every_target() -> None:
    seed = int(os.environ.get("CITY_SEED") or secrets.randbelow(2**32))
    print(f"CITY_SEED={seed}")
    words = ["-q", "-p", "no:xdist", f"--hypothesis-seed={seed}", *map(str, TARGETS)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        env={**os.environ, "ONECARD_FUZZ_CASES": str(how_often(150, 300))},
        cwd=TARGETS[0].parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
