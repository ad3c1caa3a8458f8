"""The port of an inbox to deliver into: what is sent, and what the receiver confirms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

import pyarrow as pa

from onecard.model.treated import TextShape


class Leave(Protocol):
    """Called right before anything leaves."""

    def __call__(self, rows: int = 0) -> None:
        """Raises when nothing may leave any more.

        Args:
            rows: how many leave with it.
        """


class PartSealer(Protocol):
    """Seals what leaves for its consumer alone; `onecard.crypto.envelope.Envelope` does it."""

    @property
    def note(self) -> Mapping[str, Any]:
        """What the manifest says of it, as its member `sealing`."""

    def sealed(self, part: int, plain: BinaryIO) -> Iterator[bytes]:
        """The sealed chunks of one part.

        Args:
            part: its number, from 1, never twice in a delivery.
            plain: what is in it.
        """


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one delivery sends.

    Attributes:
        delivery_id: the same for every attempt at the same window of versions.
        agreement: agreement id.
        schema: columns in the agreement's order.
        key: columns that identify a row for the receiver (upsert).
        batches: the treated rows, in the order in which they must arrive.
        manifest: what accompanies the rows (versions, purpose, basis); the sink adds rows and
            digests, lets `sign` sign it and sends it last.
        leave: the sink calls it right before anything leaves (each request, each further try of
            one, each file and again before it takes its name, each commit), with the number of rows
            that leave with it for the first time; it raises when deliveries were stopped, or the
            work taken over, in the meantime.
        sign: the manifest with the hub's signature.
        deletes: keys of rows that the receiver must drop before it takes the others, in columns of
            the key only; None when the agreement says nothing of deletes.
        again: an earlier attempt at this delivery may have left something.
        sealer: seals all that leaves but the manifest, which then holds its note; None: nothing is
            sealed beyond its channel.
        texts: what is known of the texts of a column, so that an inbox too narrow for them is
            refused before anything is sent; nothing is known of those that are not named.
    """

    delivery_id: str
    agreement: str
    schema: pa.Schema
    key: tuple[str, ...]
    batches: Iterator[pa.RecordBatch]
    manifest: Mapping[str, Any]
    leave: Leave
    sign: Callable[[Mapping[str, Any]], dict[str, Any]]
    deletes: Iterator[pa.RecordBatch] | None = None
    texts: Mapping[str, TextShape] = field(default_factory=dict)
    again: bool = True
    sealer: PartSealer | None = None

    @property
    def key_schema(self) -> pa.Schema:
        """Of `deletes`."""
        return pa.schema([self.schema.field(name) for name in self.key])

    @property
    def sealing(self) -> dict[str, Any]:
        """The member of the manifest that tells how to open what was sealed, if anything was."""
        return {} if self.sealer is None else {"sealing": dict(self.sealer.note)}


@dataclass(frozen=True, slots=True)
class Sent:
    """What the receiver confirmed: rows, requests or files, and the SHA-256 of what was sent.

    Attributes:
        deleted: keys of deleted rows, which do not count as rows.
        remarks: what is odd about the receiver's answers, though nothing is lost for certain.
    """

    rows: int
    parts: int
    already: int
    digest: str
    deleted: int = 0
    remarks: tuple[str, ...] = ()
