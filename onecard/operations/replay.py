"""Quarantined rows a second time: checked again under the contract and agreement in force now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
from pydantic import BaseModel

from onecard.app.wiring import Hub
from onecard.base.connections import Connection
from onecard.deliver.run import Replay
from onecard.errors import ConfigError, PolicyError
from onecard.model import gate_inputs
from onecard.model.checkpoints import Checkpoint
from onecard.ports.sink import Parcel, Sent
from onecard.ports.source import Chunk, ReadRequest, Refusal
from onecard.store import audit, database, quarantine
from onecard.store.quarantine import Record


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a replay ended; `done` is False when the row breaks its rules again."""

    record: int
    subject: str
    done: bool


def replay(hub: Hub, record: int, reason: str) -> Replayed:
    """Check one quarantined row again and publish or deliver it.

    Raises:
        ConfigError: no such record, or it is not held any more.
    """
    with _locked(hub, record) as (connection, found, values):
        if found.agreement:
            done = _deliver(hub, found, values, released=False)
        else:
            done = _collect(hub, found, values)
        if done:
            _resolve(hub, connection, found, ("replayed", reason))
    return Replayed(record, found.agreement or found.dataset, done)


def release(hub: Hub, record: int, reason: str) -> Replayed:
    """Deliver a row although the free-text scan found fault with it: a person vouches.

    Raises:
        PolicyError: the row broke its contract; only its source (or the contract) mends that.
    """
    with _locked(hub, record) as (connection, found, values):
        if not found.agreement:
            msg = f"quarantined row {record} broke its contract: mend it at its source, or replay"
            raise PolicyError(msg)
        done = _deliver(hub, found, values, released=True)
        if done:
            _resolve(hub, connection, found, ("released", reason))
    return Replayed(record, found.agreement, done)


@contextmanager
def _locked(
    hub: Hub, record: int
) -> Iterator[tuple[database.Connection, Record, dict[str, str | None]]]:
    """The record and its values, for one replay at a time; the second finds it resolved.

    An advisory lock: the replay itself writes the record when the row breaks a rule again.
    """
    with database.connect(hub.address, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended('quarantine', %s))", (record,))
        found, values = quarantine.reveal(connection, record, hub.keys)
        yield connection, found, values


def _resolve(
    hub: Hub, connection: database.Connection, found: Record, how: tuple[str, str]
) -> None:
    status, reason = how
    with connection.transaction():
        quarantine.resolve(connection, found.id, status, hub.settings.actor)
        body = {"record": found.id, "reason": reason}
        subject = found.agreement or found.dataset
        audit.append(connection, f"quarantine.{status}", subject, hub.settings.actor, body)


def _deliver(hub: Hub, found: Record, values: dict[str, str | None], *, released: bool) -> bool:
    key = str(values[gate_inputs.KEY])
    vouched = frozenset({key} if released else ())
    wanted = Replay(tuple(str(v) for v in json.loads(key)), vouched)
    done = hub.deliver(str(found.agreement)).run(wanted)
    return done.quarantined == 0


def _collect(hub: Hub, found: Record, values: dict[str, str | None]) -> bool:
    if not values:
        msg = f"quarantined row {found.id} could not be read as a row: mend it at its source"
        raise PolicyError(msg)
    collect = hub.collect(found.dataset, OneRow(values, f"quarantine {found.id}"))
    return collect.replay().counts.quarantined == 0


class NoOptions(BaseModel):
    """A row needs no options; those of its dataset's usual source are ignored."""


class OneRow:
    """A connector whose whole source is one row; implements `onecard.ports.connector.Connector`."""

    kind: ClassVar[str] = "one_row"
    source_options: ClassVar[type[BaseModel]] = NoOptions
    sink_options: ClassVar[type[BaseModel]] = NoOptions

    def __init__(self, values: dict[str, str | None], origin: str) -> None:
        self._values, self._origin = values, origin

    def read(self, connection: Connection, request: ReadRequest) -> OneRowReading:  # noqa: ARG002
        """The row as one chunk of text."""
        names = [c.name for c in request.columns if c.required_to_read or c.name in self._values]
        columns = [pa.array([self._values.get(name)], pa.string()) for name in names]
        chunk = Chunk(pa.RecordBatch.from_arrays(columns, names=names), self._origin)
        return OneRowReading(chunk)

    def send(self, connection: Connection, options: BaseModel, parcel: Parcel) -> Sent:  # noqa: ARG002
        """Nothing is delivered into a row."""
        msg = "a quarantined row receives nothing"
        raise ConfigError(msg)


class OneRowReading:
    """One pass over one row; the source's checkpoint is not touched."""

    def __init__(self, chunk: Chunk) -> None:
        self._chunk = chunk
        self.checkpoint: Checkpoint = {}
        self.refused: tuple[Refusal, ...] = ()
        self.waiting: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Chunk]:
        yield self._chunk
