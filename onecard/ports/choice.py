"""The port of sources that give the rows of some values of one field, without the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from onecard.base.connections import Connection
from onecard.ports.source import Reading, ReadRequest


@dataclass(frozen=True, slots=True)
class Only:
    """Rows of some values of one field.

    Attributes:
        name: the contract's name of the field.
        values: of which all rows are wanted.
    """

    name: str
    values: tuple[str, ...] = field(repr=False)


@runtime_checkable
class Choosing(Protocol):
    """A connector that can read some values of a field alone."""

    def read_only(self, connection: Connection, request: ReadRequest, only: Only) -> Reading | None:
        """Start a reading of all rows of some values, wherever they stand in the source.

        Args:
            connection: of the agency's system.
            request: of the dataset, without a bound.
            only: whose rows.

        Returns:
            None where this source cannot be asked by that field.

        Raises:
            OnecardError: as `onecard.ports.connector.Connector.read`.
        """
        ...
