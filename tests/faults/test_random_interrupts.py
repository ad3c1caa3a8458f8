"""F01: a command interrupted at a random time says one word, leaves nothing open, and is made good.

The run after it is the night's own, as after a kill; unlike a kill, an interrupt is in the ledger.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from onecard.model.transfers import LIVE
from onecard.store import database
from tests import forked
from tests.cities import Cities
from tests.faults.harness import AGREEMENTS, DATASETS, Harness
from tests.sampling import how_often, sampled

RANDOM_INTERRUPTS = int(os.environ.get("ONECARD_RANDOM_KILLS") or how_often(12, 60))
LOG = os.environ.get("ONECARD_KILL_LOG")
"""A file that gets, for each interrupt, the last point that was reached (`make interrupts`)."""
HALVES = {"collect": DATASETS, "deliver": AGREEMENTS}
NOT_NOTED = "not noted that this was interrupted"
"""Said where the main thread still holds the transfer's row, after half a second (ADR 0024): what it
has begun stays open until the next run, as after a kill."""
TRIES = 6
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Harness]:
    """A city of 400 persons."""
    home = tmp_path_factory.mktemp("interrupt") / "stage"
    with cities.start(home, persons=400, seed=23) as stage, Harness.of(stage) as made:
        yield made


@pytest.fixture(scope="module")
def seconds(harness: Harness) -> dict[str, float]:
    """How long each half of a night takes."""
    found = {}
    harness.fresh()
    for half, subjects in HALVES.items():
        forked.onecard(harness.environment, half, "--help")  # waits for the server of forks
        started = time.monotonic()
        done = forked.onecard(harness.environment, half, *subjects)
        assert done.returncode == 0, done.stderr
        found[half] = time.monotonic() - started
    return found


@pytest.mark.fault("F01", "interrupted at random times, nothing stays open; the next run ends it")
@pytest.mark.parametrize("number", sampled(range(RANDOM_INTERRUPTS), range(3)))
def test_interrupted_at_a_random_time(
    harness: Harness,
    wanted: dict[str, object],
    seconds: dict[str, float],
    number: int,
    tmp_path: Path,
) -> None:
    chance = random.Random(number)
    half = chance.choice(list(HALVES))
    sent = chance.choice(list(CODES))
    after, trace = chance.uniform(0.02, 0.95) * seconds[half], tmp_path / "trace"
    for _ in range(TRIES):
        if said := interrupted(harness, half, sent, after, trace):
            break
        after *= 0.7  # it was faster this time
    else:
        pytest.fail("it never ends by the signal")
    ended = transfers(harness)
    noted = NOT_NOTED not in said
    assert len([status for _, status, _ in ended if status in LIVE]) <= (0 if noted else 1)
    assert {message for _, status, message in ended if status == "failed"} <= {"interrupted"}
    before = 0 if half == "collect" else len(DATASETS)
    assert len(ended) >= before + len(openings(points(trace))), "a transfer is not in the ledger"
    harness.rerun()
    assert harness.problems() == []
    found = harness.state()
    assert {name for name in found if found[name] != wanted[name]} == set()
    if LOG:
        reached = points(trace)[-1:] or ["before the first"]
        with Path(LOG).open("a", encoding="utf-8") as log:
            log.write(f"{reached[0] if noted else 'not noted'}\n")


def interrupted(
    harness: Harness, half: str, sent: signal.Signals, after: float, trace: Path
) -> str:
    """Interrupt half a fresh night after so many seconds; what it said, or "" if it was done before.

    Args:
        harness: its city.
        half: of the night; the one before it is done.
        sent: the signal.
        after: seconds from the start of its process.
        trace: a file for the points that it reached.
    """
    trace.unlink(missing_ok=True)
    harness.fresh()
    if half == "deliver":
        assert forked.onecard(harness.environment, "collect", *DATASETS).returncode == 0
    environment = harness.environment | {"ONECARD_TRACE_POINTS": str(trace)}
    with forked.begun(environment, half, *HALVES[half]) as (process, command):
        time.sleep(after)
        if process.is_alive():
            os.kill(int(process.pid or 0), sent)
        until_then = len(points(trace))
        process.join(forked.LIMIT_S)
        complained = command.complained.read_text(encoding="utf-8")
    said = [line for line in complained.splitlines() if NOT_NOTED not in line]
    assert (process.exitcode, said) in ((CODES[sent], ["interrupted"]), (0, [])), complained
    assert len(openings(points(trace)[until_then:])) <= 1, "it worked on in spite of the signal"
    return complained if process.exitcode else ""


def points(trace: Path) -> list[str]:
    """What was reached so far, in order."""
    return trace.read_text().split() if trace.exists() else []


def openings(reached: list[str]) -> list[str]:
    """The points at which a transfer has got its line in the ledger."""
    return [point for point in reached if point in ("collect.opened", "deliver.opened")]


def transfers(harness: Harness) -> list[tuple[str, str, str]]:
    """Subject, status and message of all."""
    with database.connect(harness.address, autocommit=True) as connection:
        found = connection.execute("SELECT subject, status, message FROM ledger.transfer")
        return [(str(a), str(b), str(c)) for a, b, c in found.fetchall()]
