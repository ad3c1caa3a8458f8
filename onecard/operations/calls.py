"""Calls about single persons of late: figures and promises, for all faces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from onecard.model.call_figures import FEW_CALLS, AnsweredCalls, RefusedCalls, together
from onecard.model.call_lines import CallLine, call_lines
from onecard.operations.reactions import LATELY
from onecard.store import call_figures
from onecard.store.call_figures import SpanOfCalls
from onecard.store.database import Connection
from schemas.models.agreement import Agreement
from schemas.models.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of late.

    Attributes:
        lines: of each agreement and system that may ask, residents' look-ups last.
        refused: all that were refused, also of whom nobody knows.
    """

    lines: tuple[CallLine, ...]
    refused: tuple[RefusedCalls, ...]


def lately(connection: Connection, known: Catalogue, now: datetime) -> Calls:
    """Calls of the last 24 hours, by whole hours.

    Args:
        connection: of the hub's database.
        known: agreements, and the systems that may call.
        now: the hub's time.
    """
    return ask(connection, now).of(known)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of calls of late (`ask`); to be read once."""

    _found: SpanOfCalls

    def of(self, known: Catalogue) -> Calls:
        """Calls, once the answers are there.

        Args:
            known: agreements, and the systems that may call.
        """
        answered, refused = self._found.answered(), self._found.refused()
        return Calls(tuple(call_lines(known, answered, refused)), tuple(refused))


def ask(connection: Connection, now: datetime) -> Asked:
    """Ask for calls of the last 24 hours, by whole hours.

    Args:
        connection: of the hub's database.
        now: the hub's time.
    """
    start = (now - LATELY).replace(minute=0, second=0, microsecond=0)
    return Asked(call_figures.ask(connection, start, now + timedelta(hours=1)))


@dataclass(frozen=True, slots=True)
class BrokenPromise:
    """An agreement that has answered later than it promises.

    Attributes:
        answered: its calls, of all systems.
        late: how many of them took longer.
    """

    agreement: Agreement
    answered: AnsweredCalls
    late: int


def broken_promises(found: Calls) -> Iterator[BrokenPromise]:
    """Agreements whose promise was not kept, of those with answers enough to tell.

    Args:
        found: calls of late.
    """
    by: dict[str, list[AnsweredCalls]] = {}
    agreements: dict[str, Agreement] = {}
    for line in found.lines:
        if line.agreement is not None and line.agreement.promise is not None:
            agreements[line.name] = line.agreement
            by.setdefault(line.name, []).append(line.answered)
    for name, agreement in agreements.items():
        answered, promise = together(by[name]), agreement.promise
        if promise is None or answered.calls < FEW_CALLS:
            continue
        within = answered.within(promise.within_ms)
        if not promise.kept(within, answered.calls):
            yield BrokenPromise(agreement, answered, answered.calls - within)
