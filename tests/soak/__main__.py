"""`python -m tests.soak`: sixty nights at 20,000 people with random faults (`make soak`).

Ends with 1 and the night's number when something is not as it must be. Writes its figures between
the markers of docs/reliability.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from bench.measure import machine
from tests.soak.faults import NAMES, meaning
from tests.soak.nights import QUARANTINE_DAYS, WEEK, Figures, Soak, Unsound, soaking

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- soak -->", "<!-- end of soak -->"
GROWTH = 1.10
"""Flat: the last week needs at most so many times the memory of the second, in the median.

Whole weeks, since each has one reconciliation, after which the allocators keep memory for a while;
not the first, in which code is loaded and caches fill.
"""
EVERY = 10


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=60)
    parser.add_argument("--persons", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=249)
    wanted = parser.parse_args()
    home = ROOT / ".bench" / "soak"
    shutil.rmtree(home, ignore_errors=True)
    started = time.monotonic()
    base = os.environ.get("ONECARD_BENCH_POSTGRES")
    with soaking(home, persons=wanted.persons, seed=wanted.seed, postgres=base) as soak:
        for number in range(wanted.nights):
            try:
                found = soak.night(number)
            except Unsound as error:
                sys.stderr.write(f"{error}\n")
                return 1
            sys.stdout.write(
                f"night {number}: {', '.join(found.faults)}; {found.attempts} attempts,"
                f" {found.failed} failed, {found.rows_read:,} rows, {found.megabytes:.0f} MB\n"
            )
            sys.stdout.flush()
            if number % EVERY == EVERY - 1:  # what there is, should the rest be cut off
                city = (wanted.persons, wanted.seed)
                _write(section(soak, city, time.monotonic() - started))
        text = section(soak, (wanted.persons, wanted.seed), time.monotonic() - started)
        before, after = memory(soak.done)
    shutil.rmtree(home, ignore_errors=True)
    _write(text)
    if after > before * GROWTH:
        sys.stderr.write(f"memory grew from {before:.0f} MB to {after:.0f} MB\n")
        return 1
    return 0


def memory(done: list[Figures]) -> tuple[float, float]:
    """Resident megabytes of the hub's process after a night: of the second week, of the last."""
    warm = [f.megabytes for f in done[WEEK:]] or [f.megabytes for f in done]
    return median(warm[:WEEK]), median(warm[-WEEK:])


def section(soak: Soak, city: tuple[int, int], seconds: float) -> str:
    """The section of docs/reliability.md."""
    done, (before, after) = soak.done, memory(soak.done)
    persons, seed = city
    lines = [
        BEGIN,
        (
            f"Machine: {machine()}. {len(done)} nights, {persons:,} people, seed {seed},"
            f" {seconds / 60:.0f} minutes for both cities. Made by `make soak`."
        ),
        "",
        "| figure | |",
        "|---|---:|",
        f"| nights, each as in the twin city in the end | {len(done)} |",
        f"| faults made | {sum(soak.seen.values())} |",
        f"| attempts at half a night with faults on | {sum(f.attempts for f in done)} |",
        f"| transfers that failed or were overtaken | {sum(f.failed for f in done)} |",
        f"| processes killed by SIGKILL | {soak.killed} |",
        f"| rows read by published collects | {sum(f.rows_read for f in done):,} |",
        f"| rejected rows purged after {QUARANTINE_DAYS} days | {soak.purged:,} |",
        f"| hard deletes found and published | {soak.tombstones:,} |",
        "| rows lost, doubled, or miscounted | 0 |",
        (
            "| staging tables left behind after any night |"
            f" {max(f.sizes['staging'] for f in done):.0f} |"
        ),
        f"| memory of the hub's process, nights {WEEK} to {2 * WEEK - 1} (median) | {before:.0f} MB |",
        f"| memory of the hub's process, last {WEEK} nights (median) | {after:.0f} MB |",
        "",
        "| night | memory, MB | rejected rows kept | hub's database, MB |",
        "|---:|---:|---:|---:|",
        *(_night(f) for f in _shown(done)),
        "",
        "| fault | times | what it is |",
        "|---|---:|---|",
        *(f"| `{name}` | {soak.seen[name]} | {meaning(name)} |" for name in NAMES),
        END,
    ]
    return "\n".join(lines)


def _shown(done: list[Figures]) -> Iterable[Figures]:
    return [f for f in done if f.night % EVERY == 0 or f is done[-1]]


def _night(f: Figures) -> str:
    sizes = f.sizes
    return (
        f"| {f.night} | {f.megabytes:.0f} | {sizes['quarantined']:,.0f}"
        f" | {sizes['megabytes']:.0f} |"
    )


def _write(text: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{text}{tail}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
