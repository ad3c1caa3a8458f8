"""The port of a kind of system: how to read it, and how to deliver into it."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel

from onecard.base.connections import Connection
from onecard.ports.sink import Parcel, Sent
from onecard.ports.source import Reading, ReadRequest


class Connector(Protocol):
    """A kind of system: how to read it, and how to deliver into it."""

    kind: ClassVar[str]
    source_options: ClassVar[type[BaseModel]]
    sink_options: ClassVar[type[BaseModel]]

    def read(self, connection: Connection, request: ReadRequest) -> Reading:
        """Start a reading.

        Raises:
            SourceUnavailable: the system cannot be reached (down, timeout, 429/5xx to the end).
            ConfigError: wrong password, missing table, file or path.
            SchemaMismatch: the source lacks a column, or has one that the contract does not name.
            ProtocolError: HTML instead of JSON, a cursor loop, a page that repeats.
        """
        ...

    def send(self, connection: Connection, options: BaseModel, parcel: Parcel) -> Sent:
        """Deliver a parcel; a repeated parcel changes nothing at the receiver.

        Args:
            connection: of the receiver's system.
            options: of the agreement's `delivery` block, validated by `sink_options`.
            parcel: rows, manifest and what must be asked before anything leaves.

        Raises:
            SourceUnavailable: the receiver cannot be reached.
            ProtocolError: the receiver answered neither stored (00) nor already stored (01).
        """
        ...


@runtime_checkable
class Sealing(Protocol):
    """A connector that sends what `Parcel.sealer` makes of the rows, where there is one."""

    seals: ClassVar[bool]


@runtime_checkable
class InOrder(Protocol):
    """A connector whose readings come in an order that means something: a later row is newer."""

    in_order: ClassVar[bool]
