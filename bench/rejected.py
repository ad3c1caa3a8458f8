"""`python -m bench.rejected`: what many rejected rows cost, and that each costs the same.

An agency's file in which a third of the rows breaks a rule, for several nights: rejected, read
once more as they were, rejected with other values, half of them right, all of them right. Each
night with fewer and with more rows, on an empty hub; time for each rejected row. Writes the section
between the markers of RESULTS.md.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import server
from bench.arguments import parser
from bench.measure import Used, cell, meter
from bench.results import Cells, Limit, Section, publish
from onecard.store import database, migrate
from tests.small_hub import SmallHub, small_hub

LIMIT = 1.5
SHARE = 5
"""The smaller run has a fifth of the rows."""
AT = "2026-11-09T10:00:00+08:00"
HUB, AGENCY = "bench_rejected_hub", "bench_rejected_agency"
BROKEN, OTHERWISE = "1O0", "1OO"
"""Amounts that are none."""

Figures = dict[str, Used]


@contextmanager
def empty(home: Path, address: str) -> Iterator[SmallHub]:
    """A hub that has seen nothing, on databases of its own."""
    shutil.rmtree(home, ignore_errors=True)
    for name in (HUB, AGENCY):
        database.drop_database(address, name)
    hub, agency = (database.create_database(address, name) for name in (HUB, AGENCY))
    migrate.upgrade(hub)
    try:
        with small_hub(home, hub, agency) as small:
            small.files()
            yield small
    finally:
        for name in (HUB, AGENCY):
            database.drop_database(address, name)


def nights(small: SmallHub, many: int) -> Figures:
    """What each of some nights took in which up to so many rows are wrong.

    Raises:
        RuntimeError: a night rejected another number of rows.
    """

    def night(amount: Callable[[int], str], rejected: int) -> Used:
        rows = [(f"K{i:07}", amount(i), AT) for i in range(3 * many)]
        small.put(f"{small.night:02}.csv", rows)
        with meter(small.hub_url) as used:
            counts = small.collect().counts
        if counts.quarantined != rejected:
            msg = f"{counts.quarantined} rows were rejected, not {rejected}"
            raise RuntimeError(msg)
        return used

    def wrong(value: str) -> Callable[[int], str]:
        return lambda i: value if i < many else "2"

    night(lambda _: "1", 0)
    return {
        "rejected": night(wrong(BROKEN), many),
        "the same once more": night(wrong(BROKEN), many),
        "with other values": night(wrong(OTHERWISE), many),
        "half of them right": night(
            lambda i: "3" if i % 2 else wrong(OTHERWISE)(i), many - many // 2
        ),
        "all of them right": night(lambda _: "4", 0),
    }


def main() -> None:
    """Entry point."""
    options = parser(__doc__, rows=100_000, rounds=None).parse_args()
    found = {}
    with server.running(options.home) as address:
        for many in (options.rows // SHARE, options.rows):
            with empty(options.home / "rejected", address) as small:
                found[many] = nights(small, many)
            print(f"{many:,}: {sum(u.seconds for u in found[many].values()):.1f} s", flush=True)
    shutil.rmtree(options.home / "rejected", ignore_errors=True)
    publish(options, section(found))


def section(found: dict[int, Figures]) -> Section:
    """The section of RESULTS.md.

    Args:
        found: figures of each night, by how many rows are wrong; the fewer first.
    """
    few, many = found
    each = {number: _all(nights) / number for number, nights in found.items()}
    return Section(
        name="rejected rows",
        title="Rejected rows",
        module="rejected",
        about=(
            f"A CSV file of {3 * many:,} rows a night, of which {many:,} are wrong in some nights,"
            f" and the same with {few:,}; whole collects, which reject, seal and end rows in"
            " quarantine; each once."
        ),
        columns=(
            *("night", f"seconds, {few:,}", f"seconds, {many:,}", "ms a row", "CPU client"),
            "CPU server",
        ),
        rows=[_row(name, found[few][name], used, many) for name, used in found[many].items()],
        limits=[
            Limit(
                f"a rejected row among {many:,}, ratio to one among {few:,}",
                LIMIT,
                each[many] / each[few],
            )
        ],
    )


def _all(nights: Figures) -> float:
    return sum(used.seconds for used in nights.values())


def _row(name: str, few: Used, many: Used, rows: int) -> Cells:
    return (
        *(name, cell(few.seconds, 2), cell(many.seconds, 2), cell(many.seconds / rows * 1e3, 3)),
        *(cell(many.client, 2), cell(many.server, 2)),
    )


if __name__ == "__main__":
    main()
