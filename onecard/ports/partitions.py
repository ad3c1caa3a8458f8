"""The port of sources that several workers can read at once, a partition each."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from onecard.base.connections import Connection
from onecard.ports.source import ReadRequest


@runtime_checkable
class Divisible(Protocol):
    """A connector that reads a partition where the request names one (`ReadRequest.part`).

    Every row of the source stands in exactly one partition, whenever that is read. What cannot be
    shown to be so raises NotDivisible, and the source is read in one.
    """

    def mark(self, connection: Connection, request: ReadRequest) -> str:
        """What the source shows of itself before its partitions are read; no personal data.

        Args:
            connection: of the agency's system.
            request: of the whole; its `part` names the first partition.

        Raises:
            NotDivisible: this time it must be read in one.
            OnecardError: as `onecard.ports.connector.Connector.read`.
        """
        ...

    def shared(self, connection: Connection) -> AbstractContextManager[str]:
        """Hold one state of the source while the block lasts; gives its name.

        The name is empty where the source has no such thing: partitions are then read at different
        moments.
        """
        ...

    def confirm(self, connection: Connection, request: ReadRequest, rows: int) -> None:
        """Compare what the partitions gave with what the source shows of itself now.

        Args:
            connection: of the agency's system.
            request: as for `mark`, with that mark.
            rows: that all partitions gave together.

        Raises:
            NotDivisible: the partitions are not the whole.
        """
        ...
