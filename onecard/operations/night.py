"""The night: all datasets collected, corrections noted, all agreements delivered.

A failure stops only itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from onecard.app.wiring import Hub
from onecard.errors import OnecardError
from onecard.stewardship import challenges

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Outcome:
    """What a night did: subjects that failed or are held, with the reason."""

    failed: dict[str, str] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 done, 1 something failed, 3 nothing failed but something waits for a person."""
        if self.failed:
            return 1
        return 3 if self.held else 0


def datasets(hub: Hub, agency: str | None = None) -> tuple[str, ...]:
    """Ids of the datasets of one agency, or of all."""
    return tuple(d for d in sorted(hub.catalogue.contracts) if agency in (None, d.split("/")[0]))


def agreements(hub: Hub, consumer: str | None = None) -> tuple[str, ...]:
    """Ids of the served agreements of one consumer, or of all."""
    served = (a for a in hub.catalogue.agreements.values() if a.served)
    return tuple(sorted(a.id for a in served if consumer in (None, a.consumer)))


def run_each(
    subjects: Iterable[str],
    run: Callable[[str], object],
    note: Callable[[str, object], None],
    workers: int = 1,
) -> Outcome:
    """Run every subject, `workers` at a time; an error of ours is noted and the others go on."""

    def attempt(subject: str) -> tuple[str, object]:
        try:
            return subject, run(subject)
        except OnecardError as error:
            return subject, error

    outcome = Outcome()
    with ThreadPoolExecutor(workers) as pool:
        for subject, result in (
            map(attempt, subjects) if workers == 1 else pool.map(attempt, subjects)
        ):
            if isinstance(result, OnecardError):
                kind = outcome.held if result.exit_code == 3 else outcome.failed
                kind[subject] = str(result)
            note(subject, result)
    return outcome


def run(
    hub: Hub,
    note: Callable[[str, object], None] = lambda _subject, _result: None,
    workers: int = 1,
) -> Outcome:
    """Collect everything, look which corrections that shows, then deliver everything."""
    outcome = run_each(datasets(hub), lambda d: hub.collect(d).run(), note, workers)
    try:
        challenges.review(hub)
    except OnecardError as error:
        outcome.failed["challenges"] = str(error)
        note("challenges", error)
    delivered = run_each(agreements(hub), lambda a: hub.deliver(a).run(), note, workers)
    outcome.failed |= delivered.failed
    outcome.held |= delivered.held
    for problem in hub.catalogue.problems:
        outcome.failed[str(problem.file)] = str(problem)
    return outcome
