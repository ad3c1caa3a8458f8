"""`make bench` starts: each of its programs with few rows and without peers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = ["--rows", "20000", "--rounds", "1"]
PROGRAMS = {
    "bench": ([*SMALL, "--no-peers"], "transfers"),
    "bench.holding": (["--rows", "20000"], "what consumers hold"),
    "bench.govern": ([*SMALL, "--deliveries", "5", "--each", "1000"], "governed deliveries"),
    "bench.reconcile": ([*SMALL, "--planted", "30"], "reconciliation"),
}


def start(program: str, home: Path, address: str | None) -> str:
    """Run one program of the bench; returns the page that it wrote."""
    options, _ = PROGRAMS[program]
    page = home / "RESULTS.md"
    more = ["--home", str(home / "bench"), "--results", str(page)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ONECARD_")}
    if address:
        environment["ONECARD_BENCH_POSTGRES"] = address
    done = subprocess.run(
        [sys.executable, "-m", program, *options, *more],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return page.read_text(encoding="utf-8")


@pytest.mark.nightly
@pytest.mark.case("people-27", "each program of the bench runs on a server")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_it_runs_on_a_server(program: str, tmp_path: Path, postgres: str) -> None:
    page = start(program, tmp_path, postgres)
    assert f"<!-- {PROGRAMS[program][1]} -->" in page
    assert "20,000" in page


@pytest.mark.nightly
@pytest.mark.case("people-27", "it runs on the embedded server, with that server's own programs")
@pytest.mark.timeout(600)
def test_it_runs_on_the_embedded_server(tmp_path: Path) -> None:
    page = start("bench", tmp_path, None)
    assert "| `psql COPY binary \\| psql COPY binary` (no check) |" in page
    assert "first load of 40,000 rows" in page
