"""Notifications of the hub's database: what wakes the live lane.

They carry a dataset's id and nothing else. One that is lost costs no row: whoever listens also
looks at the published versions (`onecard.store.datasets.versions`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from onecard.store import database
from onecard.store.database import Connection
from onecard.store.refusals import refusals

PUBLISHED = "onecard_published"
"""Rows of a dataset were published: sent by the transaction that publishes them, once."""
WOKEN = "onecard_woken"
"""An agency says that it has something new: for the process that collects the dataset."""


CONFIRMED = "onecard_confirmed"
"""A delivery was confirmed for which new carriers of other agreements on its dataset wait."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification.

    Attributes:
        channel: `PUBLISHED`, `WOKEN` or `CONFIRMED`.
        dataset: its id.
    """

    channel: str
    dataset: str


def tell_published(connection: Connection, dataset: str) -> None:
    """Say, when the transaction commits, that rows of the dataset were published."""
    connection.execute("SELECT pg_notify('onecard_published', %s)", (dataset,))


def tell_woken(connection: Connection, dataset: str) -> None:
    """Say that the dataset's source has something new."""
    connection.execute("SELECT pg_notify('onecard_woken', %s)", (dataset,))


def tell_confirmed(connection: Connection, dataset: str) -> None:
    """Say, when the transaction commits, that somebody's waiting may be over."""
    connection.execute("SELECT pg_notify('onecard_confirmed', %s)", (dataset,))


@dataclass(frozen=True, slots=True)
class Listening:
    """A session that hears all channels.

    Attributes:
        connection: for further questions between two hearings.
    """

    connection: Connection

    def heard(self, seconds: float) -> frozenset[Notice]:
        """Wait for notifications.

        Args:
            seconds: to wait at most; it ends with the first that comes.

        Raises:
            SourceUnavailable: the database went away.
        """
        with refusals():
            found = self.connection.notifies(timeout=seconds, stop_after=1)
            return frozenset(Notice(n.channel, n.payload) for n in found)


@contextmanager
def listening(address: str) -> Iterator[Listening]:
    """Hear notifications of the hub's database as long as the block lasts.

    Args:
        address: of the hub's database.
    """
    with database.connect(address, autocommit=True) as connection:
        connection.execute("LISTEN onecard_published")
        connection.execute("LISTEN onecard_woken")
        connection.execute("LISTEN onecard_confirmed")
        yield Listening(connection)
