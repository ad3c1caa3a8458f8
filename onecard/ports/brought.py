"""The port of sources whose rows were brought here, and go when they are published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from onecard.base.connections import Connection
from onecard.model.checkpoints import Checkpoint
from onecard.ports.source import ReadRequest


@runtime_checkable
class Brought(Protocol):
    """A connector that reads what agencies have brought, each upload once."""

    def taken(self, checkpoint: Checkpoint) -> Mapping[str, int]:
        """Uploads that a reading with this checkpoint has taken, with their numbers."""
        ...

    def release(self, connection: Connection, request: ReadRequest) -> None:
        """Remove what a published collect has taken; done again, it changes nothing.

        Args:
            connection: of the spool.
            request: of the next reading: its checkpoint is the published one.
        """
        ...
