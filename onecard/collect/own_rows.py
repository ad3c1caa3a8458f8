"""Collects from what the hub itself holds: one quarantined row, or rows that it has staged.

Such a collect runs through gate, accounting and receipt as any other; the checkpoint of the
dataset's real source is not touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa
from pydantic import BaseModel

from onecard.base.connections import Connection
from onecard.errors import ConfigError
from onecard.model.checkpoints import Checkpoint
from onecard.ports.sink import Parcel, Sent
from onecard.ports.source import Chunk, ReadRequest, Refusal
from schemas.models.contract import Contract


class NoOptions(BaseModel):
    """Rows of the hub need no options; those of the dataset's usual source are ignored."""


class OwnRows:
    """Base of connectors whose source is the hub; a subclass supplies `read`.

    With it a subclass implements `onecard.ports.connector.Connector`.
    """

    source_options: ClassVar[type[BaseModel]] = NoOptions
    sink_options: ClassVar[type[BaseModel]] = NoOptions

    def send(self, connection: Connection, options: BaseModel, parcel: Parcel) -> Sent:  # noqa: ARG002
        """Nothing is delivered into the hub's own rows.

        Args:
            connection: is not looked at.
            options: are not looked at.
            parcel: is not opened.

        Raises:
            ConfigError: always.
        """
        msg = "the hub's own rows receive nothing"
        raise ConfigError(msg)


class OwnReading:
    """Base of one pass over the hub's own rows; a subclass supplies `__iter__`."""

    def __init__(self) -> None:
        self.checkpoint: Checkpoint = {}
        self.refused: tuple[Refusal, ...] = ()
        self.waiting: tuple[str, ...] = ()


class OneRow(OwnRows):
    """A connector whose whole source is one row, given as texts by field."""

    kind: ClassVar[str] = "one_row"

    def __init__(self, values: dict[str, str | None], origin: str) -> None:
        self._values, self._origin = values, origin

    def read(self, connection: Connection, request: ReadRequest) -> OneRowReading:  # noqa: ARG002
        """The row as one chunk of text, with the requested columns that it has or must have."""
        names = [c.name for c in request.columns if c.required_to_read or c.name in self._values]
        return OneRowReading(self._chunk(names))

    def read_fields(self, contract: Contract) -> OneRowReading:
        """As `read`, without a system: the contract's fields that the row has or must have."""
        spare = contract.optional_fields
        return OneRowReading(
            self._chunk([n for n in contract.names if n not in spare or n in self._values])
        )

    def _chunk(self, names: list[str]) -> Chunk:
        columns = [pa.array([self._values.get(name)], pa.string()) for name in names]
        return Chunk(pa.RecordBatch.from_arrays(columns, names=names), self._origin)


class OneRowReading(OwnReading):
    """One pass over one row."""

    def __init__(self, chunk: Chunk) -> None:
        super().__init__()
        self._chunk = chunk

    def __iter__(self) -> Iterator[Chunk]:
        yield self._chunk
