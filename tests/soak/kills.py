"""`python -m tests.soak.kills`: a night killed at 200 random times (`make kills`).

Runs the test of random kills with so many of them, and writes where they fell between the markers
of docs/reliability.md. Ends with pytest's exit code.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from bench.measure import machine
from onecard.base.failpoints import POINTS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- kills -->", "<!-- end of kills -->"
TEST = "tests/faults/test_kill_points.py::test_killed_at_random_times"


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    kills = parser.parse_args().kills
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "kills"
        more = {"ONECARD_RANDOM_KILLS": str(kills), "ONECARD_KILL_LOG": str(log)}
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", TEST]
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **more}, check=False)
        fell = Counter(log.read_text().splitlines() if log.exists() else ())
    if done.returncode == 0:
        page = PAGE.read_text(encoding="utf-8")
        head, _, rest = page.partition(BEGIN)
        _, _, tail = rest.partition(END)
        PAGE.write_text(head + section(fell) + tail, encoding="utf-8")
    return done.returncode


def section(fell: Mapping[str, int]) -> str:
    """The section of docs/reliability.md."""
    order = [p for p in ("before the first", *POINTS) if p in fell]
    lines = [
        BEGIN,
        (
            f"Machine: {machine()}. {sum(fell.values())} nights, each killed by SIGKILL at a random"
            " time and run again: no difference from a night without faults in registry,"
            " quarantine, watermarks, delivered versions or any inbox; nothing left in staging,"
            " no row twice in an inbox, the audit log whole. Made by `make kills`;"
            " `make test-all` does ten of them, and one kill at every named point."
        ),
        "",
        "| last point before the kill | kills |",
        "|---|---:|",
        *(f"| `{point}` {POINTS.get(point, '')} | {fell[point]} |" for point in order),
        END,
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
