"""The port of sources that can be asked cheaply whether anything has come since a reading."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from onecard.base.connections import Connection
from onecard.ports.source import ReadRequest

UNTOLD = ""
"""A state that says nothing: to tell whether there is news would be to read everything."""


@runtime_checkable
class News(Protocol):
    """A connector that tells two states of a source apart without reading all of it."""

    def state(self, connection: Connection, request: ReadRequest, *, whole: bool = False) -> str:
        """A SHA-256 of what lies behind the request's bound, or `UNTOLD`.

        Two states of the same request that are equal mean that a reading now would find what a
        reading then did. It is kept in memory only, and shows no value.

        Args:
            connection: of the agency's system.
            request: as the next collect would read.
            whole: somebody says that there is news: nothing is taken from an earlier look.

        Raises:
            OnecardError: as `onecard.ports.connector.Connector.read`.
        """
        ...
