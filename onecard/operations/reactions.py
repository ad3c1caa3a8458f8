"""How fast events reach their consumers: figures, limits, and what waits, for all faces.

One line for each served agreement and kind of event that `schemas/reaction.yaml` expects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from onecard.deliver.waiting import Waiting, Waits, of_each
from onecard.model.agreements import Life
from onecard.model.reaction import Breach, ReactionTimes
from onecard.store import agreement_lives, reaction
from onecard.store.agreement_texts import text_of
from onecard.store.database import Connection
from onecard.store.together import together
from schemas.models.agreement import Agreement
from schemas.models.catalogue import Catalogue
from schemas.models.reaction import Expectation, Kind, Limit

LATELY = timedelta(hours=24)
"""The figures of status, Prometheus and portal are of so long, up to now."""


@dataclass(frozen=True, slots=True)
class ReactionLine:
    """How fast events of one kind reach the consumer of one agreement.

    Attributes:
        limit: from the event to the confirmation; None: the kind is measured only.
        times: of the events that were confirmed lately.
        breaches: of those that were confirmed too late, lately.
        waiting: events that wait now; None: none, or the agreement is not in force.
        waited_s: seconds since the oldest of them happened; 0: none.
        late: whether that is beyond the limit.
        first: whether it is the first kind of its dataset.
    """

    agreement: Agreement
    name: str
    kind: Kind
    limit: Limit | None
    times: ReactionTimes
    breaches: tuple[Breach, ...]
    waiting: Waiting | None = None
    waited_s: float = 0.0
    late: bool = False
    first: bool = False

    @property
    def beyond(self) -> int:
        """How many events were confirmed too late, lately."""
        return sum(b.events for b in self.breaches)


def lately(connection: Connection, known: Catalogue, now: datetime) -> list[ReactionLine]:
    """All lines, in the order of the agreements' ids and of the kinds in their file.

    Args:
        connection: of the hub's database.
        known: agreements, contracts and limits.
        now: the hub's time.
    """
    start = (now - LATELY).replace(minute=0, second=0, microsecond=0)
    end = now + timedelta(hours=1)
    measured = list(expected(known))
    with together(connection):
        asked = reaction.ask(connection, start, end)
        asked_lives = agreement_lives.ask(connection, [text_of(a) for a, _ in measured])
    times = {(t.agreement, t.kind): t for t in asked.times()}
    breaches, lives = asked.breaches(), asked_lives.on(now.date())
    found: list[ReactionLine] = []
    looks = [
        Waits(agreement, known.contracts, expectation.events, now.date())
        for agreement, expectation in measured
        if _waited_for(lives[agreement.id])
    ]
    there = of_each(connection, looks)
    for agreement, expectation in measured:
        waits = {waiting.kind: waiting for waiting in there.get(agreement.id, ())}
        for name, kind in expectation.events.kinds.items():
            waiting, limit = waits.get(name), expectation.limits.get(name)
            line = ReactionLine(
                agreement,
                name,
                kind,
                limit,
                times.get((agreement.id, name), ReactionTimes(agreement.id, name, {})),
                tuple(b for b in breaches if (b.agreement, b.kind) == (agreement.id, name)),
                waiting,
                max((now - waiting.oldest).total_seconds(), 0.0) if waiting else 0.0,
                waiting is not None and limit is not None and waiting.oldest < limit.latest(now),
                name == next(iter(expectation.events.kinds)),
            )
            found.append(line)
    return found


def expected(known: Catalogue) -> Iterator[tuple[Agreement, Expectation]]:
    """Served agreements of which anything is measured, by id.

    Args:
        known: agreements, contracts and limits.
    """
    for _, agreement in sorted(known.agreements.items()):
        contract = known.contracts.get(agreement.dataset)
        if not agreement.served or contract is None:
            continue
        expectation = known.reaction.expected(agreement, contract)
        if expectation is not None:
            yield agreement, expectation


def _waited_for(life: Life) -> bool:
    """Whether events wait for anybody: under an agreement that is not in force none does."""
    return life.state == "in_force" and life.stopped is None
