"""The port of an inbox that can be read back: what a connector offers beside `onecard.ports`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from onecard.connections import Connection
from onecard.ports import Chunk, ReadRequest


@dataclass(frozen=True, slots=True)
class Sending:
    """A delivery that may have reached the inbox.

    Attributes:
        confirmed: it did, with rows.
    """

    id: str
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Held:
    """What an inbox holds.

    Attributes:
        chunks: the rows in the order in which they came: of two with one key the later counts.
        blank_is_null: the inbox cannot tell the empty string from NULL (CSV).
    """

    chunks: Iterator[Chunk]
    blank_is_null: bool = False


@runtime_checkable
class Readable(Protocol):
    """A connector whose inboxes can be read back."""

    def held(
        self, connection: Connection, request: ReadRequest, sendings: tuple[Sending, ...]
    ) -> Held:
        """Start reading an inbox.

        Args:
            connection: of the inbox.
            request: agreement, columns, and the sink's options.
            sendings: deliveries that may have come, oldest first.

        Raises:
            InboxTaken: while iterating: a confirmed delivery is not there any more.
            SourceUnavailable, ConfigError, SchemaMismatch, ProtocolError: as `Connector.read`.
        """
        ...
