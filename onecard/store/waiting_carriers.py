"""Carriers that wait until the ones that they replace are blocked everywhere, and those that went.

Tables `registry.waiting_carrier`, which holds values of rows and therefore stands beside them, and
`ledger.went_ahead`, which holds counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from onecard.store.database import Connection, fetch_all, one_scalar


@dataclass(frozen=True, slots=True)
class WaitingCarrier:
    """A carrier whose events a delivery leaves out.

    Attributes:
        version: of the dataset; who has confirmed it knows that the old carrier is blocked.
        lagging: ids of the agreements that have not.
    """

    carrier: str = field(repr=False)
    version: int
    lagging: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waits:
    """Carriers of one agreement that wait for the same.

    Attributes:
        version: as of `WaitingCarrier`.
        lagging: as of `WaitingCarrier`.
        carriers: how many they are.
        over: whether one of them has waited for as long as it may.
    """

    version: int
    lagging: list[str]
    carriers: int
    over: bool

    def released(self, confirmed: Mapping[str, int], in_force: Collection[str]) -> bool:
        """Whether one of them may go now.

        Args:
            confirmed: version of the dataset that each agreement has confirmed.
            in_force: agreements that are waited for at all.
        """
        left = [a for a in self.lagging if a in in_force and a in confirmed]
        return self.over or all(confirmed[a] >= self.version for a in left)


@dataclass(frozen=True, slots=True)
class Ahead:
    """New carriers that a delivery enables although somebody has not confirmed in time.

    Attributes:
        lagging: id of the agreement that has not.
        version: of the dataset that it has not confirmed.
        carriers: how many they are.
    """

    lagging: str
    version: int
    carriers: int


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """An agreement that has still not confirmed what others did not wait for any longer.

    Attributes:
        since: when the first of them went ahead.
        carriers: how many did, at the agreement with the most.
    """

    agreement: str
    since: datetime
    carriers: int


def noted(connection: Connection, agreement: str, wait: timedelta) -> list[Waits]:
    """What an agreement's carriers wait for.

    Args:
        connection: of the hub's database.
        agreement: its id.
        wait: how long they may.
    """
    return fetch_all(
        connection,
        Waits,
        "SELECT version, lagging, count(*) AS carriers,"
        " bool_or(since + %s <= clock_timestamp()) AS over FROM registry.waiting_carrier"
        " WHERE agreement = %s GROUP BY version, lagging",
        (wait, agreement),
    )


def note(
    connection: Connection,
    agreement: str,
    dataset: str,
    waiting: Sequence[WaitingCarrier],
    seen: Mapping[str, int],
) -> None:
    """Write which carriers a delivery has left out; those of earlier ones wait no more.

    Args:
        connection: in the transaction that confirms.
        agreement: its id.
        dataset: of the carriers.
        waiting: all that wait now; the time of one that has waited before stays, and what was seen.
        seen: version of each dataset that was confirmed before; events that are older do not wait.
    """
    carriers = [w.carrier for w in waiting]
    connection.execute(
        "DELETE FROM registry.waiting_carrier WHERE agreement = %s AND carrier <> ALL(%s)",
        (agreement, carriers),
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO registry.waiting_carrier (agreement, carrier, dataset, version, lagging,"
            " seen) VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (agreement, carrier)"
            " DO UPDATE SET version = excluded.version, lagging = excluded.lagging",
            [
                (agreement, w.carrier, dataset, w.version, list(w.lagging), Jsonb(dict(seen)))
                for w in waiting
            ],
        )


def any_of(connection: Connection, agreement: str) -> bool:
    """Whether the last delivery of an agreement left any carrier out."""
    return one_scalar(
        connection,
        bool,
        "SELECT EXISTS (SELECT FROM registry.waiting_carrier WHERE agreement = %s)",
        (agreement,),
    )


def waited_for(connection: Connection, agreement: str) -> bool:
    """Whether carriers of other agreements wait for what this one confirms."""
    return one_scalar(
        connection,
        bool,
        "SELECT EXISTS (SELECT FROM registry.waiting_carrier WHERE %s = ANY(lagging))",
        (agreement,),
    )


def went_ahead(connection: Connection, transfer: int, dataset: str, ahead: Sequence[Ahead]) -> None:
    """Write for whom a delivery has not waited any longer.

    Args:
        connection: in the transaction that confirms.
        transfer: the delivery.
        dataset: of the carriers.
        ahead: one for each agreement that lagged.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ledger.went_ahead (transfer, agreement, dataset, lagging, version,"
            " carriers) SELECT id, subject, %s, %s, %s, %s FROM ledger.transfer WHERE id = %s",
            [(dataset, a.lagging, a.version, a.carriers, transfer) for a in ahead],
        )


def unconfirmed(connection: Connection) -> list[Unconfirmed]:
    """Agreements that others did not wait for, and that have still not confirmed, by id."""
    return fetch_all(
        connection,
        Unconfirmed,
        "SELECT agreement, min(since) AS since, max(carriers)::int AS carriers FROM ("
        " SELECT w.lagging AS agreement, min(w.at) AS since, sum(w.carriers) AS carriers"
        " FROM ledger.went_ahead w JOIN ledger.holding_head h ON h.agreement = w.lagging"
        " WHERE (h.versions ->> w.dataset)::bigint < w.version"
        " GROUP BY w.lagging, w.agreement) a GROUP BY agreement ORDER BY agreement",
    )
