"""How fast events reach their consumers: figures, limits, and what waits, for all faces.

One line for each served agreement and kind of event that `schemas/reaction.yaml` expects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from onecard.deliver import waiting
from onecard.deliver.waiting import Waiting, WaitingOf, Waits
from onecard.model.agreements import Life
from onecard.model.reaction import Breach, ReactionTimes
from onecard.store import agreement_lives, reaction
from onecard.store.agreement_texts import text_of
from onecard.store.database import Connection
from onecard.store.together import Sent, together
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


@dataclass(frozen=True, slots=True)
class AskedWaits:
    """What the questions about waiting events depend on, as it was asked (`ask_waits`).

    Attributes:
        measured: agreements whose events are looked for.
        now: the hub's time.
    """

    known: Catalogue
    measured: Sequence[tuple[Agreement, Expectation]]
    now: datetime
    _asked: waiting.Asked

    def send(self, connection: Connection, lives: Mapping[str, Life]) -> SentWaits:
        """Send the questions, within another block of `together`; to be called once.

        Args:
            connection: of the hub's database.
            lives: where the agreements stand, by id.
        """
        looks = [
            Waits(agreement, self.known.contracts, expectation.events, self.now.date())
            for agreement, expectation in self.measured
            if _waited_for(lives[agreement.id])
        ]
        return SentWaits(self.measured, self.now, self._asked.send(connection, looks))


@dataclass(frozen=True, slots=True)
class SentWaits:
    """Questions about waiting events, as they were sent."""

    measured: Sequence[tuple[Agreement, Expectation]]
    now: datetime
    _sent: Sent[WaitingOf] | None

    def lines(self) -> list[ReactionLine]:
        """All lines, without times and breaches; to be read once."""
        found = waiting.by_agreement(self._sent)
        there = {(name, w.kind): w for name, waits in found.items() for w in waits}
        return [
            _line(agreement, expectation, name, there.get((agreement.id, name)), self.now)
            for agreement, expectation in self.measured
            for name in expectation.events.kinds
        ]


def ask_waits(
    connection: Connection,
    known: Catalogue,
    measured: Sequence[tuple[Agreement, Expectation]],
    now: datetime,
) -> AskedWaits:
    """Ask what the questions about waiting events depend on, within a block of `together`.

    Args:
        connection: of the hub's database.
        known: contracts.
        measured: agreements whose events are looked for, as `expected` gives them.
        now: the hub's time.
    """
    asked = waiting.ask(connection, [agreement for agreement, _ in measured])
    return AskedWaits(known, measured, now, asked)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of all lines (`ask`); each part is to be called once."""

    _times: reaction.Reactions
    _lives: agreement_lives.Lives
    _waits: AskedWaits

    def send(self, connection: Connection) -> SentWaits:
        """Ask what waits, within another block of `together`.

        Args:
            connection: of the hub's database.
        """
        return self._waits.send(connection, self._lives.on(self._waits.now.date()))

    def lines(self, waits: SentWaits) -> list[ReactionLine]:
        """All lines, in the order of the agreements' ids and of the kinds in their file.

        Args:
            waits: what was sent, whose answers are there.
        """
        times = {(t.agreement, t.kind): t for t in self._times.times()}
        breaches = self._times.breaches()
        return [_measured(line, times, breaches) for line in waits.lines()]


def ask(
    connection: Connection,
    known: Catalogue,
    now: datetime,
    measured: Sequence[tuple[Agreement, Expectation]],
) -> Asked:
    """Ask for the lines of some agreements, within a block of `together`.

    Args:
        connection: of the hub's database.
        known: agreements, contracts and limits.
        now: the hub's time.
        measured: agreements of which anything is measured, as `expected` gives them.
    """
    start = (now - LATELY).replace(minute=0, second=0, microsecond=0)
    texts = [text_of(agreement) for agreement, _ in measured]
    return Asked(
        reaction.ask(connection, start, now + timedelta(hours=1)),
        agreement_lives.ask(connection, texts, contents=False),
        ask_waits(connection, known, measured, now),
    )


def lately(connection: Connection, known: Catalogue, now: datetime) -> list[ReactionLine]:
    """All lines, in the order of the agreements' ids and of the kinds in their file.

    Args:
        connection: of the hub's database.
        known: agreements, contracts and limits.
        now: the hub's time.
    """
    with together(connection):
        asked = ask(connection, known, now, list(expected(known)))
    with together(connection):
        waits = asked.send(connection)
    return asked.lines(waits)


def _measured(
    line: ReactionLine,
    times: Mapping[tuple[str, str], ReactionTimes],
    breaches: Sequence[Breach],
) -> ReactionLine:
    """The line with its times and breaches."""
    key = (line.agreement.id, line.name)
    own = tuple(b for b in breaches if (b.agreement, b.kind) == key)
    return replace(line, times=times.get(key, line.times), breaches=own)


def _line(
    agreement: Agreement,
    expectation: Expectation,
    name: str,
    waits: Waiting | None,
    now: datetime,
) -> ReactionLine:
    """One kind of event of an agreement, without times and breaches."""
    kinds, limit = expectation.events.kinds, expectation.limits.get(name)
    return ReactionLine(
        agreement,
        name,
        kinds[name],
        limit,
        ReactionTimes(agreement.id, name, {}),
        (),
        waits,
        max((now - waits.oldest).total_seconds(), 0.0) if waits else 0.0,
        waits is not None and limit is not None and waits.oldest < limit.latest(now),
        name == next(iter(kinds)),
    )


def expected(known: Catalogue) -> Iterator[tuple[Agreement, Expectation]]:
    """Served agreements of which anything is measured, by id.

    Args:
        known: agreements, contracts and limits.
    """
    measures = known.reaction  # its file is looked for each time
    for _, agreement in sorted(known.agreements.items()):
        contract = known.contracts.get(agreement.dataset)
        if not agreement.served or contract is None:
            continue
        expectation = measures.expected(agreement, contract)
        if expectation is not None:
            yield agreement, expectation


def _waited_for(life: Life) -> bool:
    """Whether events wait for anybody: under an agreement that is not in force none does."""
    return life.state == "in_force" and life.stopped is None
