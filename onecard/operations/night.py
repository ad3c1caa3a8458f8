"""The night: all datasets collected, corrections noted, all agreements delivered.

A failure stops only itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from onecard.base import shelves
from onecard.deliver.context import Delivered
from onecard.errors import OnecardError
from onecard.model.holds import agency_of
from onecard.operations.delivery import deliver
from onecard.reconcile.services import TransferDesk
from onecard.stewardship import challenges
from schemas.models.catalogue import Catalogue

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Between two looks whether new carriers may be enabled by now."""


@dataclass(frozen=True, slots=True)
class NightOutcome:
    """What a night, or a part of it, did: subjects that failed or are held, with the reason.

    Attributes:
        failed: subjects that failed.
        held: subjects that wait for a person.
        onboarding: subjects that failed or wait and are not on board yet: the night is no worse.
    """

    failed: Mapping[str, str]
    held: Mapping[str, str]
    onboarding: Mapping[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 done, 1 something failed, 3 nothing failed but something waits for a person."""
        if self.failed:
            return 1
        return 3 if self.held else 0


def datasets(hub: TransferDesk, agency: str | None = None) -> tuple[str, ...]:
    """Ids of the datasets of one agency, or of all; those that are only proposed are not read."""
    known = sorted(hub.catalogue.collected.items())
    return tuple(d for d, c in known if agency in (None, c.agency))


def agreements(hub: TransferDesk, consumer: str | None = None) -> tuple[str, ...]:
    """Ids of the agreements that are delivered, of one consumer or of all."""
    delivered = (a for a in hub.catalogue.agreements.values() if a.delivered)
    return tuple(sorted(a.id for a in delivered if consumer in (None, a.consumer)))


def run_each(
    subjects: Iterable[str],
    run: Callable[[str], object],
    note: Callable[[str, object], None],
    workers: int = 1,
) -> NightOutcome:
    """Run every subject; an error of ours is noted and the others go on.

    Args:
        subjects: datasets or agreements.
        run: runs one of them.
        note: is told each subject and its result, or the error.
        workers: so many at a time.
    """

    def attempt(subject: str) -> tuple[str, object]:
        try:
            return subject, run(subject)
        except OnecardError as error:
            return subject, error

    failed: dict[str, str] = {}
    held: dict[str, str] = {}
    with ThreadPoolExecutor(workers) as pool:
        for subject, result in (
            map(attempt, subjects) if workers == 1 else pool.map(attempt, subjects)
        ):
            if isinstance(result, OnecardError):
                kind = held if result.exit_code == 3 else failed
                kind[subject] = str(result)
            note(subject, result)
    return NightOutcome(failed, held)


def deliver_each(
    agreements: Iterable[str],
    run: Callable[[str], Delivered],
    note: Callable[[str, object], None],
    workers: int = 1,
) -> NightOutcome:
    """As `run_each`; where new carriers were left out, again until they have gone.

    They go when everybody has confirmed that the old ones are blocked, which the deliveries of the
    others do, and at the latest when they have waited for as long as their contract allows.

    Args:
        agreements: ids.
        run: delivers under one of them.
        note: as of `run_each`.
        workers: so many at a time.
    """
    waiting: set[str] = set()

    def noted(agreement: str, result: object) -> None:
        before = agreement in waiting
        waiting.discard(agreement)
        if isinstance(result, Delivered) and result.waiting:
            waiting.add(agreement)
            if before and result.transfer is None:
                return  # as it was said
        note(agreement, result)

    outcome = run_each(agreements, run, noted, workers)
    while waiting:
        again = run_each(sorted(waiting), run, noted, workers)
        outcome = NightOutcome(
            failed={**outcome.failed, **again.failed}, held={**outcome.held, **again.held}
        )
        if waiting:
            time.sleep(LOOK_S)
    return outcome


def run(
    hub: TransferDesk,
    note: Callable[[str, object], None] = lambda _subject, _result: None,
    workers: int = 1,
    only: Collection[str] = (),
) -> NightOutcome:
    """Collect everything, look which corrections that shows, then deliver everything.

    Args:
        hub: the hub.
        note: is told each subject and its result, or the error.
        workers: so many transfers at a time.
        only: agencies: what they provide is collected, what they receive is delivered; empty: all.
    """
    with shelves.kept():
        chosen = [d for d in datasets(hub) if not only or agency_of(d) in only]
        collected = run_each(chosen, lambda d: hub.collect(d).run(), note, workers)
        reviewed: dict[str, str] = {}
        try:
            challenges.review(hub)
        except OnecardError as error:
            reviewed["challenges"] = str(error)
            note("challenges", error)
        consumers = {name: hub.catalogue.agreements[name].consumer for name in agreements(hub)}
        granted = [name for name, consumer in consumers.items() if not only or consumer in only]
        delivered = deliver_each(granted, lambda a: deliver(hub, a), note, workers)
    broken = {str(problem.file): str(problem) for problem in hub.catalogue.problems}
    return apart(
        hub.catalogue,
        NightOutcome(
            failed={**collected.failed, **reviewed, **delivered.failed, **broken},
            held={**collected.held, **delivered.held},
        ),
    )


def apart(catalogue: Catalogue, outcome: NightOutcome) -> NightOutcome:
    """The same outcome, with what is not on board yet set apart.

    Args:
        catalogue: says which subjects are not.
        outcome: of a night, or a part of it.
    """
    both = {**outcome.held, **outcome.failed}
    new = {name: why for name, why in both.items() if catalogue.onboarding(name)}
    return NightOutcome(
        failed={n: why for n, why in outcome.failed.items() if n not in new},
        held={n: why for n, why in outcome.held.items() if n not in new},
        onboarding=new,
    )
