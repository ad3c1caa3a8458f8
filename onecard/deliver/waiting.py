"""Events that a consumer should have and has not confirmed: how many, and the oldest of each kind.

What waits is what was published since the version that the consumer has confirmed, and is in the
agreement's scope now, and what was left out for the sake of the order on replacement. It is found
by the indexes on versions and carriers, which deliveries have made, and at most `MOST` of it are
looked at, so that a consumer that was away for a month costs no more than one that was away for an
hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from psycopg import sql

from onecard.base.sql_text import KeptAround, query
from onecard.deliver import measured_sql
from onecard.deliver.carrier_sql import CarrierSql
from onecard.deliver.scope_sql import BASE, ScopeSql
from onecard.store import deliveries
from onecard.store.database import Connection
from onecard.store.deliveries import Had
from onecard.store.together import Sent, send, together
from schemas.models.agreement import Agreement
from schemas.models.contract import Contract
from schemas.models.reaction import Events

MOST = 10_000
"""So many events that wait are looked at, those published first."""
_VERSION = sql.Identifier(BASE, "_version")
_AFTER = sql.Placeholder("after")
"""In the place of the version that the consumer has."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Events of one kind that wait for their consumer.

    Attributes:
        events: how many; `MOST` in all stands for so many or more.
        oldest: when the oldest of them happened.
    """

    kind: str
    events: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class WaitingOf:
    """The same, of one agreement among others."""

    agreement: str
    kind: str
    events: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Waits:
    """Looks for events of one agreement that wait.

    Attributes:
        contracts: of what the agreement reads.
        events: what is measured of its dataset.
        today: for age conditions.
    """

    agreement: Agreement
    contracts: Mapping[str, Contract]
    events: Events
    today: date

    def of(self, connection: Connection) -> list[Waiting]:
        """By kind; nothing before the first delivery, which brings a history.

        Nor where a dataset that the agreement reads has no contract or was never collected: then
        no delivery can choose its rows either, and says so itself.

        Args:
            connection: of the hub's database.
        """
        return of_each(connection, [self])[self.agreement.id]

    def statement(
        self, confirmed: Mapping[str, int], published: Mapping[str, int], *, left_out: bool
    ) -> sql.Composed | None:
        """The question, or None where nothing can wait.

        Args:
            confirmed: version of each dataset that the consumer has; the one of the agreement's
                own goes where the question has a placeholder, of the agreement's name.
            published: newest version of each dataset that was collected.
            left_out: whether the last delivery left carriers out; else they are not looked for,
                which would cost more than all the rest.
        """
        own = self.agreement.dataset
        after = confirmed.get(own)
        if after is None or not {*self.agreement.datasets} <= self.contracts.keys() & published:
            return None
        if after >= published[own] and not left_out:
            return None
        return self._template(left_out=left_out).called(self.agreement.id)

    def _template(self, *, left_out: bool) -> KeptAround:
        """The question without the version; put together once for an agreement and a day."""
        name = self.agreement.id, left_out
        kept = _kept.get(name)
        if kept is None or not self._same(kept[0]):
            composed = self._composed(left_out=left_out)
            kept = _kept[name] = self, KeptAround(composed, _AFTER)
        return kept[1]

    def _same(self, other: Waits) -> bool:
        """Whether it was read from the same texts, and asks on the same day."""
        return (
            self.agreement is other.agreement
            and self.contracts is other.contracts
            and self.events is other.events
            and self.today == other.today
        )

    def _composed(self, *, left_out: bool) -> sql.Composed:
        new = query(
            "{version} > {after} AND {first} > {after}",
            version=_VERSION,
            first=sql.Identifier(BASE, "_first_version"),
            after=_AFTER,
        )
        found = [self._found(new)]
        carriers = CarrierSql.of(self.contracts[self.agreement.dataset]) if left_out else None
        if carriers is not None:  # apart: each of the two has an index of its own
            old = query(
                "{carrier} AND {left_out} AND NOT ({new})",
                carrier=carriers.waiting(self.agreement.id),
                left_out=carriers.left_out(self.agreement),
                new=new,
            )
            found.append(self._found(old))
        return query(
            "SELECT {name}::text AS agreement, kind, count(*) AS events, min(at) AS oldest FROM"
            " (SELECT kind, at FROM ({found}) f LIMIT {most}) w GROUP BY kind",
            name=sql.Literal(self.agreement.id),
            found=sql.SQL(" UNION ALL ").join(found),
            most=sql.Literal(MOST),
        )

    def _found(self, which: sql.Composed) -> sql.Composed:
        """Kind and time of events in scope, those published first."""
        rows = ScopeSql(self.agreement, self.contracts, self.today)
        return query(
            "(SELECT {kind} AS kind, {at} AS at FROM {tables} WHERE {scope} AND {which}"
            " AND {kind} IS NOT NULL ORDER BY {version} LIMIT {most})",
            kind=measured_sql.kind(self.events, rows.path),
            at=rows.path(self.events.since),
            tables=rows.tables(),
            scope=sql.SQL(" AND ").join(rows.conditions()),
            which=which,
            version=_VERSION,
            most=sql.Literal(MOST),
        )


_kept: dict[tuple[str, bool], tuple[Waits, KeptAround]] = {}
"""The newest question of each agreement, by its id and by whether carriers were left out."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the questions about some agreements depend on (`ask`); to be read once."""

    _had: Sent[Had]

    def send(self, connection: Connection, looks: Sequence[Waits]) -> Sent[WaitingOf] | None:
        """Send the questions as one; None where nothing can wait.

        Args:
            connection: of the hub's database.
            looks: one for each agreement, all of which were asked about.
        """
        confirmed: dict[str, dict[str, int]] = {}
        published: dict[str, int] = {}
        leaving_out = set()
        for line in self._had.all():
            confirmed.setdefault(line.agreement, {})[line.dataset] = line.version
            published = line.published
            if line.left_out:
                leaving_out.add(line.agreement)
        parts, after = [], {}
        for looked in looks:
            name = looked.agreement.id
            had = confirmed.get(name, {})
            asked = looked.statement(had, published, left_out=name in leaving_out)
            if asked is not None:
                parts.append(asked)
                after[name] = had[looked.agreement.dataset]
        if not parts:
            return None
        return send(connection, WaitingOf, sql.SQL(" UNION ALL ").join(parts), after)


def ask(connection: Connection, agreements: Sequence[Agreement]) -> Asked:
    """Ask what the questions about some agreements depend on.

    Args:
        connection: of the hub's database.
        agreements: whose events are looked for.
    """
    needed = {dataset for agreement in agreements for dataset in agreement.datasets}
    names = [agreement.id for agreement in agreements]
    return Asked(deliveries.ask_had(connection, names, needed))


def of_each(connection: Connection, looks: Sequence[Waits]) -> dict[str, list[Waiting]]:
    """What `Waits.of` says of some agreements, by their ids; the database is waited for twice.

    Args:
        connection: of the hub's database.
        looks: one for each agreement.
    """
    with together(connection):
        asked = ask(connection, [looked.agreement for looked in looks])
    with together(connection):
        sent = asked.send(connection, looks)
    found: dict[str, list[Waiting]] = {looked.agreement.id: [] for looked in looks}
    return found | by_agreement(sent)


def by_agreement(sent: Sent[WaitingOf] | None) -> dict[str, list[Waiting]]:
    """What waits, by kind; agreements under which nothing does are left out.

    Args:
        sent: the questions, whose answers are there.
    """
    found: dict[str, list[Waiting]] = {}
    for line in sent.all() if sent else ():
        found.setdefault(line.agreement, []).append(Waiting(line.kind, line.events, line.oldest))
    return {name: sorted(waits, key=lambda w: w.kind) for name, waits in found.items()}
