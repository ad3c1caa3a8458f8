"""The port of sources that can be asked cheaply whether anything has come since a reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from onecard.base.connections import Connection
from onecard.ports.source import ReadRequest

UNTOLD = ""
"""A digest that says nothing: to tell whether there is news would be to read everything."""


@dataclass(frozen=True, slots=True)
class SourcePlace:
    """From where a source can be read on: what comes in time stands there or behind it.

    Attributes:
        since: least cursor that is read from there on, ISO 8601 text; rows that have it are read
            again, for others may have the same (F16).
        page: of a source of pages by cursor, the cursor of its last page; None: of the first.
    """

    since: str
    page: str | None = None


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source as one look has found it; kept in memory only.

    Attributes:
        digest: SHA-256 of what lies behind the request's bound, or `UNTOLD`; it shows no value.
        end: from where the source can be read on; None where it can only be read from the bound.
        more: the request's `most_pages` ended there, and more pages may follow.
    """

    digest: str = UNTOLD
    end: SourcePlace | None = None
    more: bool = False


@runtime_checkable
class News(Protocol):
    """A connector that tells two states of a source apart without reading all of it."""

    def state(self, connection: Connection, request: ReadRequest) -> SourceState:
        """What lies behind the request's bound, and where it ends.

        Two states of the same request with equal digests mean that a reading now would find what a
        reading then did.

        Args:
            connection: of the agency's system.
            request: as the next collect would read.

        Raises:
            OnecardError: as `onecard.ports.connector.Connector.read`.
        """
        ...
