"""`python -m tests.soak.kills`: 200 kills at random times, of nights (`make kills`) or, with --lane,
of the live lane under load (`make lane-kills`); with --serve 500 of the query and verify service
(`make serve-kills`), and with --interrupts 200 signals to end that commands get at random times
(`make interrupts`).

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
from dataclasses import dataclass
from pathlib import Path

from bench.measure import machine
from onecard.base.failpoints import POINTS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"


@dataclass(frozen=True, slots=True)
class Killed:
    """What is killed at random.

    Attributes:
        name: of the markers in the page.
        test: that kills it.
        says: what a run without a difference shows; begins after the number of kills.
        kills: how many, where nothing else is asked for.
    """

    name: str
    test: str
    says: str
    kills: int = 200


NIGHTS = Killed(
    "kills",
    "tests/faults/test_kill_points.py::test_killed_at_random_times",
    "nights, each killed by SIGKILL at a random"
    " time and run again: no difference from a night without faults in registry,"
    " quarantine, watermarks, delivered versions or any inbox; nothing left in staging,"
    " no row twice in an inbox, the audit log whole. Made by `make kills`;"
    " `make test-all` does ten of them, and one kill at every named point.",
)
LANE = Killed(
    "lane kills",
    "tests/faults/test_lane_kills.py::test_killed_at_random_times_under_load",
    "processes of the live lane, each killed by SIGKILL at a random time while events came, some"
    " of them while they caught up on what the one before had left: every event once in the"
    " registry, every consumer's inbox as its agreement's query, each card's events in order at"
    " each consumer, counts exact, the audit log whole, no lock or lease left, and nothing for a"
    " night to do. Made by `make lane-kills`; `make test-all` does twelve of them, and one kill at"
    " every named point.",
)
SERVE = Killed(
    "serve kills",
    "tests/faults/test_serve_kills.py::test_what_was_answered_is_on_record_once_whenever_it_is_killed",
    "processes of `onecard serve`, each killed by SIGKILL at a random time while six clients asked and"
    " repeated what was not answered: every answer that a client got is on record with the receipt"
    " that it brought, proved by its signature, and none is there twice; the audit log whole. Made by"
    " `make serve-kills`; `make test` does four of them, `make test-all` twelve, and one kill at each"
    " step of recording.",
    500,
)
INTERRUPTS = Killed(
    "interrupts",
    "tests/faults/test_random_interrupts.py::test_interrupted_at_a_random_time",
    "times `onecard collect` or `onecard deliver`, each with several subjects, got SIGINT, SIGTERM or"
    " SIGHUP at a random time: it said one word and ended with the signal's code, no transfer stayed"
    " open (but where it could not be noted within the time, which the command said), and the next"
    " run ended as a night without interrupts does. Made by `make interrupts`;"
    " `make test` does three of them, `make test-nightly` nine more.",
)


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int)
    parser.add_argument("--lane", dest="what", action="store_const", const=LANE, default=NIGHTS)
    parser.add_argument("--serve", dest="what", action="store_const", const=SERVE)
    parser.add_argument("--interrupts", dest="what", action="store_const", const=INTERRUPTS)
    wanted = parser.parse_args()
    what: Killed = wanted.what
    kills = wanted.kills or what.kills
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "kills"
        more = {"ONECARD_RANDOM_KILLS": str(kills), "ONECARD_KILL_LOG": str(log)}
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", what.test]
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **more}, check=False)
        fell = Counter(log.read_text().splitlines() if log.exists() else ())
    if done.returncode == 0:
        begin, end = f"<!-- {what.name} -->", f"<!-- end of {what.name} -->"
        page = PAGE.read_text(encoding="utf-8")
        head, _, rest = page.partition(begin)
        _, _, tail = rest.partition(end)
        text = "\n".join([begin, *section(what, fell), end])
        PAGE.write_text(head + text + tail, encoding="utf-8")
    return done.returncode


def section(what: Killed, fell: Mapping[str, int]) -> list[str]:
    """The lines of docs/reliability.md.

    Args:
        what: was killed.
        fell: how often at each last point.
    """
    order = [p for p in ("before the first", *POINTS, "not noted") if p in fell]
    return [
        f"Machine: {machine()}. {sum(fell.values())} {what.says}",
        "",
        "| last point reached | times |",
        "|---|---:|",
        *(f"| `{point}` {POINTS.get(point, '')} | {fell[point]} |" for point in order),
    ]


if __name__ == "__main__":
    sys.exit(main())
