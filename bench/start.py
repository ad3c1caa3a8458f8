"""`python -m bench.start`: how long commands take to start, as ratios to `import typer, rich`.

Whole processes of this interpreter, interleaved rounds, the median of each; `status` against a
hub's PostgreSQL that runs (ONECARD_BENCH_POSTGRES, else the embedded server, started before),
all after a first run that filled the memories and wrote bytecode, as an installed wheel has it.
Writes the section "start" of RESULTS.md.
"""

from __future__ import annotations

import argparse
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import results
from bench.measure import machine
from onecard.base.settings import Settings
from onecard.crypto import keys
from onecard.store import database, migrate

FLOOR = '`python -c "import typer, rich"`'


@dataclass(frozen=True, slots=True)
class Case:
    """What is started, and at most how many times as long as the floor it may take."""

    name: str
    arguments: tuple[str, ...]
    limit: float | None = None


ONECARD = str(Path(sys.executable).with_name("onecard"))
CASES = (
    Case(FLOOR, (sys.executable, "-c", "import typer, rich")),
    Case("`onecard --help`", (ONECARD, "--help"), 2),
    Case("`onecard --version`", (ONECARD, "--version"), 2),
    Case("`onecard status`", (ONECARD, "status"), 6),
    Case("`onecard lint`, nothing changed", (ONECARD, "lint"), 8),
)


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds by the clock, and seconds of processor time."""

    wall: float
    cpu: float


def once(case: Case, environment: Mapping[str, str]) -> Start:
    """Run a case to its end.

    Raises:
        RuntimeError: it failed; the message holds the end of its output.
    """
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        case.arguments, env=environment, capture_output=True, text=True, check=False
    )
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        msg = f"{case.name}: exit {done.returncode}: {(done.stdout + done.stderr)[-1500:]}"
        raise RuntimeError(msg)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Start(wall, cpu)


@contextmanager
def hub() -> Iterator[dict[str, str]]:
    """The environment of an empty hub at the newest revision; its database is dropped at the end."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = Settings(home=home, keys_file=home / "keys.json")
        base = os.environ.get("ONECARD_BENCH_POSTGRES") or database.url(settings)
        name = f"bench_start_{secrets.token_hex(3)}"
        address = database.create_database(base, name)
        try:
            migrate.upgrade(address)
            keys.create(settings.keys_file, ["operator"], "2026")
            given = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
            yield {**given, "ONECARD_HOME": folder, "ONECARD_DATABASE_URL": address}
        finally:
            database.drop_database(base, name)


def section(found: Mapping[Case, list[Start]], load: float) -> str:
    """The section of RESULTS.md."""
    floor = next(iter(found.values()))
    wall, cpu = median(s.wall for s in floor), median(s.cpu for s in floor)
    lines = [
        "## Start",
        "",
        f"Machine: {machine()}. Whole processes, median of {len(floor)} interleaved rounds; ratios"
        f" to {FLOOR} in the same rounds, by the clock and by processor time. Load of the machine"
        f" when it ended: {load:.1f}. Made by `python -m bench.start`.",
        "",
        "| what | seconds | ratio | limit | holds | processor seconds | ratio |",
        "|---|---:|---:|---:|---|---:|---:|",
    ]
    for case, runs in found.items():
        seconds, used = median(s.wall for s in runs), median(s.cpu for s in runs)
        ratio = seconds / wall
        limit, holds = "", ""
        if case.limit is not None:
            limit = f"{case.limit:g}"
            holds = "yes" if ratio <= case.limit else f"no, missed by {ratio / case.limit - 1:.0%}"
        lines.append(
            f"| {case.name} | {seconds:.2f} | {ratio:.2f} | {limit} | {holds} | {used:.2f} |"
            f" {used / cpu:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--results", type=Path, default=results.FILE)
    options = parser.parse_args()
    found: dict[Case, list[Start]] = {case: [] for case in CASES}
    with hub() as environment:
        for case in CASES:
            once(case, environment)  # files into memory, lint's own memory filled
        for _ in range(options.rounds):
            for case, runs in found.items():
                runs.append(once(case, environment))
    text = section(found, os.getloadavg()[0])
    results.put(options.results, "start", text)
    print(text)


if __name__ == "__main__":
    main()
