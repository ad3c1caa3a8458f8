"""`python -m bench.start`: how long commands take to start, as ratios to `import typer, rich`.

Whole processes of this interpreter, interleaved rounds, the median of each; `status` against a
hub's PostgreSQL that runs (ONECARD_BENCH_POSTGRES, else the embedded server, started before),
all after a first run that filled the memories and wrote bytecode, as an installed wheel has it.
Writes the section "start" of RESULTS.md.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.arguments import parser
from bench.measure import Run, cell, run, typical
from bench.results import Cells, Limit, Section, publish
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


@contextmanager
def hub() -> Iterator[dict[str, str]]:
    """Variables of an empty hub at the newest revision; its database is dropped at the end."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = Settings(home=home, keys_file=home / "keys.json")
        base = os.environ.get("ONECARD_BENCH_POSTGRES") or database.url(settings)
        name = f"bench_start_{secrets.token_hex(3)}"
        address = database.create_database(base, name)
        try:
            migrate.upgrade(address)
            keys.create(settings.keys_file, ["operator"], "2026")
            os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
            yield {"ONECARD_HOME": folder, "ONECARD_DATABASE_URL": address}
        finally:
            database.drop_database(base, name)


def section(found: Mapping[Case, list[Run]]) -> Section:
    """The section of RESULTS.md."""
    rounds = next(iter(found.values()))
    floor = typical(rounds)
    rows: list[Cells] = []
    limits = []
    for case, runs in found.items():
        used = typical(runs)
        ratio = used.seconds / floor.seconds
        figures = (used.seconds, ratio, used.client, used.client / floor.client)
        rows.append((case.name, *(cell(figure, 2) for figure in figures)))
        if case.limit is not None:
            limits.append(Limit(f"{case.name}, ratio", case.limit, ratio))
    return Section(
        name="start",
        title="Start",
        module="start",
        about=(
            f"Whole processes, median of {len(rounds)} interleaved rounds; ratios to {FLOOR} in the"
            " same rounds, by the clock and by processor time of the client."
        ),
        columns=("what", "seconds", "ratio", "CPU client", "CPU ratio"),
        rows=rows,
        limits=limits,
    )


def main() -> None:
    """Entry point."""
    options = parser(__doc__, rounds=9).parse_args()
    found: dict[Case, list[Run]] = {case: [] for case in CASES}
    with hub() as environment:
        for case in CASES:
            # files into memory, lint's own memory filled
            run(list(case.arguments), environment=environment)
        for _ in range(options.rounds):
            for case, runs in found.items():
                runs.append(run(list(case.arguments), environment=environment))
    publish(options, section(found))


if __name__ == "__main__":
    main()
