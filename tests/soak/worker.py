"""The hub's process of a soak: one process runs every night, as a scheduler's worker would."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from connectors.common import breaker
from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.model.signoffs import SignOff
from onecard.operations import night
from onecard.operations.housekeeping import keep_house
from onecard.reconcile.dataset import ReconcileOptions, reconcile

WORKERS = 2
LATER_S = 600.0
"""Between two attempts so much time passes for the circuit breakers, though not for the clock."""


def hub(environment: Mapping[str, str]) -> Hub:
    """A hub of this environment."""
    return Hub(Settings.load(environment), EnvironmentConnections(environment))


def collects(environment: Mapping[str, str]) -> dict[str, str]:
    """Collect every dataset; what did not end well, and why."""
    there = hub(environment)
    return _left(night.datasets(there), lambda d: there.collect(d).run())


def deliveries(environment: Mapping[str, str]) -> dict[str, str]:
    """Deliver every agreement; what did not end well, and why."""
    there = hub(environment)
    return _left(night.agreements(there), lambda a: there.deliver(a).run())


def _left(subjects: tuple[str, ...], run: Callable[[str], object]) -> dict[str, str]:
    done = night.run_each(subjects, run, lambda _subject, _result: None, WORKERS)
    return {**done.failed, **done.held}


def reconciled(environment: Mapping[str, str]) -> dict[str, Any]:
    """Compare and heal every dataset, and release what is held; counts that are not 0."""
    there = hub(environment)
    names = ("missing", "extra", "differing", "healed", "tombstoned")
    found = {}
    for dataset in night.datasets(there):
        done = reconcile(there, dataset)
        if done.held:  # a person has asked the agency
            how = SignOff("a steward", "the agency deleted them")
            done = reconcile(there, dataset, ReconcileOptions(release=how))
        found[dataset] = {n: getattr(done, n) for n in names if getattr(done, n)}
    return {dataset: counts for dataset, counts in found.items() if counts}


def kept(environment: Mapping[str, str]) -> int:
    """Housekeeping; how many rejected rows were purged."""
    done = keep_house(hub(environment))
    done.check()
    return done.purged


def megabytes() -> float:
    """Resident memory of this process."""
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    msg = "no VmRSS"
    raise RuntimeError(msg)


HALVES = {"collect": collects, "deliver": deliveries}
"""A night's two halves."""
ORDERS = {**HALVES, "reconcile": reconciled, "housekeeping": kept}


def serve(pipe: Connection) -> None:
    """Carry out orders until the other end closes."""
    skipped = 0.0
    logging.disable(logging.CRITICAL)  # failures are counted, and told by whom they surprise
    breaker._clock = lambda: time.monotonic() + skipped
    while True:
        try:
            order, environment = pipe.recv()
        except EOFError:
            return
        skipped += LATER_S
        os.environ.update(environment)
        pipe.send((ORDERS[order](environment), megabytes()))


def once(half: str, environment: Mapping[str, str]) -> None:
    """Half a night in a process of its own, which may be killed."""
    logging.disable(logging.CRITICAL)
    HALVES[half](environment)


@dataclass
class Worker:
    """The long-lived process."""

    process: BaseProcess
    pipe: Connection
    megabytes: float = 0.0

    @classmethod
    def start(cls, context: ForkServerContext) -> Worker:
        """Start it."""
        ours, its = context.Pipe()
        process = context.Process(target=serve, args=(its,))
        process.start()
        its.close()
        return cls(process, ours)

    def ask(self, order: str, environment: Mapping[str, str]) -> Any:
        """Have an order carried out; what it returned."""
        self.pipe.send((order, dict(environment)))
        found, self.megabytes = self.pipe.recv()
        return found

    def end(self) -> None:
        """Let it end."""
        self.pipe.close()
        self.process.join(10)
