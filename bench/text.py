"""`python -m bench.text`: files and pages through the gate, against reading them alone.

The card master as GB18030 CSV, JSON Lines, Parquet, and as JSON pages over HTTP on loopback; each
way of reading in a process of its own that has everything imported, interleaved, median of the
rounds. Writes the section "text sources" of RESULTS.md.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from bench import text_files
from bench.arguments import parser
from bench.measure import Run, cell, run, typical
from bench.results import Limit, Section, publish
from bench.text_once import ALONE, FORMATS, PAGES
from bench.world import World
from demo.hot import DATASET
from onecard.base import allocator
from onecard.base.settings import Settings
from onecard.crypto import keys
from onecard.store import database, migrate
from schemas.models import catalogue

LIMIT = 2.5
WARM = 2_000
"""Rows that each process reads before it is measured."""
KINDS = {
    "csv": "GB18030 CSV",
    "jsonl": "JSON Lines",
    "pages": "JSON pages over HTTP",
    "parquet": "Parquet",
}
OURS = {"reader": "onecard, reader alone", "gate": "**onecard, reader and gate**"}
WHOLE = "`onecard collect`, whole process"

Found = Mapping[tuple[str, str], list[Run]]
"""Format and way → its runs."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where each format can be read: folders, and ports of the two APIs.

    Attributes:
        full: what is measured.
        warm: a little of the same.
    """

    full: Mapping[str, str]
    warm: Mapping[str, str]


@contextmanager
def sources(home: Path, rows: int) -> Iterator[Sources]:
    """Files and APIs; the files are gone at the end."""
    shutil.rmtree(home, ignore_errors=True)
    folders = {"full": rows, "warm": WARM}
    try:
        for name, count in folders.items():
            text_files.make(home / name, count)
        places = {n: {k: str(home / n / k) for k in text_files.FOLDERS} for n in folders}
        with (
            text_files.pages(home / "full" / "jsonl") as full,
            text_files.pages(home / "warm" / "jsonl") as warm,
        ):
            places["full"]["pages"], places["warm"]["pages"] = str(full), str(warm)
            yield Sources(places["full"], places["warm"])
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def hub(home: Path, rows: int) -> Iterator[World]:
    """An empty hub; its database is dropped at the end."""
    home.mkdir(parents=True, exist_ok=True)
    settings = Settings(home=home, keys_file=home / "keys.json")
    base = os.environ.get("ONECARD_BENCH_POSTGRES") or database.url(settings)
    name = f"bench_text_{secrets.token_hex(3)}"
    address = database.create_database(base, name)
    try:
        migrate.upgrade(address)
        settings.keys_file.unlink(missing_ok=True)
        keys.create(settings.keys_file, ["operator"], "2026")
        yield World(home, base, address, base, rows)
    finally:
        database.drop_database(base, name)


def environment(w: World, kind: str, place: str) -> dict[str, str]:
    """What a process of the hub needs to collect the cards from files or pages.

    Args:
        w: the hub.
        kind: of the source.
        place: its folder or port.
    """
    if kind == "pages":
        system: dict[str, Any] = {"conn_type": "http", "host": "127.0.0.1", "port": int(place)}
        source: dict[str, Any] = {"connector": "rest", "options": PAGES}
    else:
        system = {"conn_type": "fs", "extra": {"path": str(Path(place).parent)}}
        options = {"directory": kind, "pattern": "*", "format": FORMATS[kind]}
        source = {"connector": "files", "options": options}
    folder = w.home / f"schemas_{kind}"
    if not folder.exists():
        shutil.copytree(catalogue.ROOT, folder, ignore=shutil.ignore_patterns("*.py", "__pyc*"))
        file = folder / "contracts" / f"{DATASET}.odcs.yaml"
        contract = yaml.safe_load(file.read_text(encoding="utf-8"))
        (server,) = contract["servers"]
        server["customProperties"] = [
            {"property": "source", "value": {**source, "connection": "hrss_db"}}
        ]
        file.write_text(yaml.safe_dump(contract, allow_unicode=True), encoding="utf-8")
    return {
        **w.environment(),
        "ONECARD_SCHEMAS": str(folder),
        "AIRFLOW_CONN_HRSS_DB": json.dumps(system),
    }


def once(name: str, kind: str, given: Sources, rows: int) -> Run:
    """One way of reading, in a process of its own; ours has the memory that `onecard` has.

    Raises:
        RuntimeError: it failed, or saw another number of rows.
    """
    command = [sys.executable, "-m", "bench.text_once", f"{name} {kind}"]
    around = {**os.environ, **(allocator.POOL if name in OURS else {})}
    done = subprocess.run(
        [*command, given.full[kind], given.warm[kind]],
        env=around,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        msg = f"{name} {kind}: {done.stderr[-1500:]}"
        raise RuntimeError(msg)
    found = json.loads(done.stdout)
    if found.pop("rows") != rows:
        msg = f"{name} {kind}: not {rows} rows"
        raise RuntimeError(msg)
    return Run(**found)


def one_round(w: World, given: Sources, found: dict[tuple[str, str], list[Run]]) -> None:
    """Every way once, so that a slow minute hits all alike."""
    for kind in KINDS:
        others = [name.removesuffix(f" {kind}") for name in ALONE if name.endswith(f" {kind}")]
        for name in (*others, *OURS):
            found[kind, name].append(once(name, kind, given, w.rows))
        w.forget()
        around = environment(w, kind, given.full[kind])
        found[kind, WHOLE].append(run(w.collect(), environment=around, server=w.hub))
        w.check_registry()
        figures = ", ".join(
            f"{n} {r[-1].seconds:.2f} s" for (k, n), r in found.items() if k == kind
        )
        print(f"  {kind}: {figures}", flush=True)


def section(found: Found, rows: int, rounds: int) -> Section:
    """The section of RESULTS.md."""
    lines, limits, peak = [], [], 0.0
    for kind, title in KINDS.items():
        ways = {name: typical(runs) for (k, name), runs in found.items() if k == kind}
        memory = {
            n: median(r.megabytes for r in runs) for (k, n), runs in found.items() if k == kind
        }
        others = [name for name in ways if name not in (*OURS, WHOLE)]
        fastest = min(others, key=lambda name: ways[name].seconds)
        frugal = min(others, key=lambda name: ways[name].client)
        shown = {fastest: f"{fastest}, reading alone", **OURS, WHOLE: WHOLE}
        if frugal != fastest:
            shown = {frugal: f"{frugal}, reading alone", **shown}
        for name, said in shown.items():
            used = ways[name]
            lines.append(
                (
                    f"{title}: {said}",
                    cell(used.seconds, 2),
                    cell(used.seconds / ways[fastest].seconds, 2),
                    cell(used.client, 2),
                    cell(used.client / ways[frugal].client, 2),
                    cell(used.server) if name == WHOLE else "",
                    cell(memory[name], 0),
                )
            )
        ratio = ways["gate"].seconds / ways[fastest].seconds
        cpu = ways["gate"].client / ways[frugal].client
        limits.append(Limit(f"{title}: reader and gate, ratio by the clock", LIMIT, ratio))
        limits.append(Limit(f"{title}: reader and gate, ratio of CPU seconds", LIMIT, cpu))
        peak = max(peak, memory[WHOLE])
    limits.append(Limit("peak memory of a whole collect, MB", 400, peak))
    return Section(
        name="text sources",
        title="Text sources",
        module="text",
        about=(
            f"{rows:,} card-master rows of 23 columns; median of {rounds} interleaved rounds, each"
            " way in a process of its own that has everything imported (the whole collect:"
            " start included). Ratios: to reading the same alone, whose rows nobody looks at,"
            " by the fastest of Polars and pyarrow by the clock and of CPU seconds (GB18030 decoded"
            " by Python first, which they need; pages fetched by requests)."
        ),
        columns=("what", "seconds", "ratio", "CPU client", "ratio", "CPU server", "peak MB"),
        rows=lines,
        limits=limits,
    )


def main() -> None:
    """Entry point."""
    options = parser(__doc__, rows=1_000_000).parse_args()
    found: dict[tuple[str, str], list[Run]] = defaultdict(list)
    home = options.home / "text"
    with sources(home / "sources", options.rows) as given, hub(home / "hub", options.rows) as w:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", flush=True)
            one_round(w, given, found)
    shutil.rmtree(home, ignore_errors=True)
    publish(options, section(found, options.rows, options.rounds))


if __name__ == "__main__":
    main()
