"""Consumers that know of events too late: what waits beyond its limit, what came late just now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from onecard.model.reaction import Breach, joined
from onecard.operations.reactions import ReactionLine

JUST_NOW = timedelta(hours=1)
"""So long a consumer that confirmed too late is spoken of."""


@dataclass(slots=True)
class Slowness:
    """Why one consumer needs a person.

    Attributes:
        consumer: who knows too late.
        events: how many waited or wait too long.
        since: when the oldest of those that wait happened, or the first late one was confirmed.
    """

    agreement: str
    consumer: str
    events: int = 0
    since: datetime | None = None
    _parts: list[str] = field(default_factory=list)

    @property
    def says(self) -> str:
        """All of it, in one line."""
        return "; ".join(self._parts)

    def waits(self, line: ReactionLine) -> None:
        """Events that wait beyond their limit."""
        if line.waiting is None:
            return
        self._parts.append(
            f"{line.waiting.events} event(s) of kind {line.name} wait, the oldest for"
            f" {line.waited_s:,.0f} s (limit {line.limit})"
        )
        self._add(line.waiting.events, line.waiting.oldest)

    def came_late(self, breach: Breach) -> None:
        """Events that were confirmed too late just now."""
        self._parts.append(
            f"{breach.events} event(s) of kind {breach.kind} were confirmed too late, the worst"
            f" after {breach.worst:,.0f} s (limit {breach.allowed}): {breach.cause}"
        )
        self._add(breach.events, breach.first_at)

    def _add(self, events: int, since: datetime) -> None:
        self.events += events
        self.since = min(self.since or since, since)


def slow(lines: Iterable[ReactionLine], now: datetime) -> Iterator[Slowness]:
    """Consumers that know too late, by agreement.

    Args:
        lines: of all agreements and kinds.
        now: the hub's time.
    """
    found: dict[str, Slowness] = {}
    for line in lines:
        recent = [b for b in line.breaches if b.last_at > now - JUST_NOW]
        if not recent and not line.late:
            continue
        agreement = line.agreement
        about = found.setdefault(agreement.id, Slowness(agreement.id, agreement.consumer))
        if line.late:
            about.waits(line)
        for breach in joined(recent):
            about.came_late(breach)
    yield from found.values()
