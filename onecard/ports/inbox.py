"""The port of an inbox that can be read back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from onecard.base.connections import Connection
from onecard.ports.source import Chunk, ReadRequest

if TYPE_CHECKING:  # who only reads the ledger starts without it
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Sending:
    """A delivery that may have reached the inbox.

    Attributes:
        confirmed: it did, with rows.
    """

    id: str
    confirmed: bool


Sendings = Callable[[Collection[str]], Sequence[Sending]]
"""Takes the ids of deliveries that lie in an inbox. Gives those that were sent there, oldest
first, and behind them the oldest confirmed one that should lie there and does not, if there is any;
what was erased, or should be by now, need not lie there."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What may have come to an inbox: deliveries of rows with a key.

    Attributes:
        sendings: asks the hub's ledger, where an inbox has deliveries one by one.
    """

    key: tuple[str, ...]
    sendings: Sendings


@dataclass(frozen=True, slots=True)
class Dropped:
    """Keys that the inbox was told to drop, as far as they came before."""

    keys: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class Held:
    """What an inbox holds.

    Attributes:
        chunks: rows and dropped keys in the order in which they came: of two with one key the later
            counts.
        blank_is_null: the inbox cannot tell the empty string from NULL (CSV).
    """

    chunks: Iterator[Chunk | Dropped]
    blank_is_null: bool = False


@runtime_checkable
class Readable(Protocol):
    """A connector whose inboxes can be read back."""

    def held(self, connection: Connection, request: ReadRequest, arrivals: Arrivals) -> Held:
        """Start reading an inbox.

        Args:
            connection: of the inbox.
            request: agreement, columns, and the sink's options.
            arrivals: what may have come.

        Raises:
            InboxTaken: while iterating: a confirmed delivery is not there any more.
            SourceUnavailable, ConfigError, SchemaMismatch, ProtocolError: as `Connector.read`.
        """
        ...
