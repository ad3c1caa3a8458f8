"""`python -m bench.offices`: workbooks, DBF and XML through the gate, against reading them alone.

The card master as XLSX in files of 100,000 rows, DBF and XML; each way of reading in a process of
its own that has everything imported, interleaved, median of the rounds. Libraries of others run in
an environment of their own. Writes the section "files of offices" of RESULTS.md.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from argparse import Namespace
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from bench import office_files, peers
from bench.arguments import parser
from bench.measure import Run, cell, typical
from bench.results import Limit, Section, publish
from onecard.base import allocator

LIMIT = 3
MEGABYTES = 400
WARM = 2_000
"""Rows that each process reads before it is measured."""
SLOW_S = 60.0
"""A library that takes longer is read in the first round alone."""
KINDS = {"xlsx": "XLSX", "dbf": "DBF", "xml": "XML"}
OURS = {"reader": "onecard, reader alone", "gate": "**onecard, reader and gate**"}
SCRIPT = str(peers.SCRIPTS / "read_office.py")

Found = Mapping[tuple[str, str], list[Run]]
"""Kind and way → its runs."""


def chosen(options: Namespace, folder: Path) -> tuple[dict[str, str], list[str]]:
    """The libraries that can be had, each with the kind that it reads, and what cannot."""
    if options.no_peers:
        return {}, ["No libraries of others: left out by `--no-peers`."]
    tried = peers.install(folder, peers.wanted("bench-offices"))
    asked = [str(folder / "bin" / "python"), SCRIPT, "--known"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True)
    missing = [name for name, outcome in tried.items() if outcome == peers.MISSING]
    return json.loads(told.stdout), [f"{name}: {peers.MISSING}." for name in missing]


def once(command: list[str], rows: int, more: Mapping[str, str]) -> Run:
    """One way of reading, in a process of its own.

    Args:
        command: that reads.
        rows: that it is to see.
        more: of its environment.

    Raises:
        RuntimeError: it failed, or saw another number of rows.
    """
    around = {**os.environ, **more}
    done = subprocess.run(command, env=around, capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"{command[-3]}: {done.stderr[-1500:]}"
        raise RuntimeError(msg)
    found = json.loads(done.stdout)
    if found.pop("rows") != rows:
        msg = f"{command[-3]}: not {rows} rows"
        raise RuntimeError(msg)
    return Run(**found)


def one_round(
    home: Path, others: Mapping[str, str], rows: int, found: dict[tuple[str, str], list[Run]]
) -> None:
    """Every way once, so that a slow minute hits all alike; ours has the memory of `onecard`."""
    python = str(home.parent / "peers" / "offices" / "bin" / "python")
    for kind in KINDS:
        where = [str(home / n / kind) for n in ("full", "warm")]
        ways = {n: [python, SCRIPT, n] for n, k in others.items() if k == kind}
        for name in OURS:
            ways[name] = [sys.executable, "-m", "bench.offices_once", f"{name} {kind}"]
        for name, words in ways.items():
            if any(before.seconds > SLOW_S for before in found[kind, name]):
                continue
            memory = allocator.POOL if name in OURS else {}
            found[kind, name].append(once([*words, *where], rows, memory))
        figures = ", ".join(
            f"{n} {r[-1].seconds:.2f} s" for (k, n), r in found.items() if k == kind
        )
        print(f"  {kind}: {figures}", flush=True)


def section(found: Found, rows: int, rounds: int, notes: list[str]) -> Section:
    """The section of RESULTS.md."""
    lines, limits, peak = [], [], 0.0
    for kind, title in KINDS.items():
        runs = {name: r for (k, name), r in found.items() if k == kind}
        ways = {name: typical(r) for name, r in runs.items()}
        memory = {name: median(r.megabytes for r in found[kind, name]) for name in ways}
        others = [name for name in ways if name not in OURS]
        fastest = min((ways[name].seconds for name in others), default=None)
        for name, used in ways.items():
            ratio = None if fastest is None else used.seconds / fastest
            lines.append(
                (
                    f"{title}: {OURS.get(name, f'{name}, reading alone')}",
                    cell(used.seconds, 2),
                    cell(ratio, 2),
                    cell(used.client, 2),
                    cell(memory[name], 0),
                )
            )
        if fastest is not None:
            ratio = ways["gate"].seconds / fastest
            limits.append(Limit(f"{title}: reader and gate, ratio to the fastest", LIMIT, ratio))
            least = min(ways[name].client for name in others)
            spent = ways["gate"].client / least
            limits.append(Limit(f"{title}: reader and gate, ratio of CPU seconds", LIMIT, spent))
        peak = max(peak, memory["gate"])
    limits.append(Limit("peak memory of reader and gate, MB", MEGABYTES, peak))
    return Section(
        name="files of offices",
        title="Files of offices",
        module="offices",
        about=(
            f"{rows:,} card-master rows of 23 columns in files of 100,000; median of {rounds}"
            " interleaved rounds, each way in a process of its own that has everything imported; what"
            f" takes more than {SLOW_S:.0f} s is read once."
            " XLSX as Excel writes it: texts in one list, dates and whole numbers as numbers."
            " Ratios by the clock (limits: of CPU seconds too): to the fastest library that reads the"
            " same alone, whose rows nobody looks at."
        ),
        columns=("what", "seconds", "ratio", "CPU", "peak MB"),
        rows=lines,
        limits=limits,
        notes=notes,
    )


def main() -> None:
    """Entry point."""
    words = parser(__doc__, rows=1_000_000)
    words.add_argument("--no-peers", action="store_true")
    options = words.parse_args()
    found: dict[tuple[str, str], list[Run]] = defaultdict(list)
    folder = options.home / "peers" / "offices"
    others, notes = chosen(options, folder)
    home = options.home / "offices"
    shutil.rmtree(home, ignore_errors=True)
    try:
        for name, count in (("full", options.rows), ("warm", WARM)):
            office_files.make(home / name, count)
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", flush=True)
            one_round(home, others, options.rows, found)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    publish(options, section(found, options.rows, options.rounds, notes))


if __name__ == "__main__":
    main()
