"""Quarantined rows a second time: checked again under the contract and agreement in force now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from onecard.collect.own_rows import OneRow
from onecard.deliver.context import Replay
from onecard.errors import PolicyError
from onecard.model import gate_inputs
from onecard.reconcile.services import TransferDesk
from onecard.store import audit, database, locks, quarantine
from onecard.store.quarantine import Record


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a replay ended; `done` is False when the row breaks its rules again."""

    record: int
    subject: str
    done: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """How a quarantined row's wait ends: its new status, who ends it, and why."""

    status: Literal["replayed", "released"]
    reason: str
    actor: str


def replay(hub: TransferDesk, record: int, reason: str) -> Replayed:
    """Check one quarantined row again and publish or deliver it.

    Args:
        hub: the hub.
        record: id of the quarantined row.
        reason: why, in a person's words; it stands in the audit log.

    Raises:
        ConfigError: no such record, or it is not held any more.
    """
    with _locked(hub, record) as (connection, found, values):
        if found.agreement:
            done = _deliver(hub, found, values, released=False)
        else:
            done = _collect(hub, found, values)
        if done:
            _resolve(connection, found, Ended("replayed", reason, hub.settings.actor))
    return Replayed(record, found.agreement or found.dataset, done)


def release(hub: TransferDesk, record: int, reason: str) -> Replayed:
    """Deliver a row although the free-text scan found fault with it: a person vouches.

    Args:
        hub: the hub.
        record: id of the quarantined row.
        reason: why, in a person's words; it stands in the audit log.

    Raises:
        PolicyError: the row broke its contract; only its source (or the contract) mends that.
    """
    with _locked(hub, record) as (connection, found, values):
        if not found.agreement:
            msg = f"quarantined row {record} broke its contract: mend it at its source, or replay"
            raise PolicyError(msg)
        done = _deliver(hub, found, values, released=True)
        if done:
            _resolve(connection, found, Ended("released", reason, hub.settings.actor))
    return Replayed(record, found.agreement, done)


@contextmanager
def _locked(
    hub: TransferDesk, record: int
) -> Iterator[tuple[database.Connection, Record, dict[str, str | None]]]:
    """The record and its values, for one replay at a time; the second finds it resolved.

    An advisory lock: the replay itself writes the record when the row breaks a rule again.
    """
    with database.connect(hub.address, autocommit=True) as connection:
        locks.hold(connection, locks.Kind.REPLAY, record)
        found, values = quarantine.reveal(connection, record, hub.keys)
        yield connection, found, values


def _resolve(connection: database.Connection, found: Record, ended: Ended) -> None:
    with connection.transaction():
        quarantine.resolve(connection, found.id, ended.status, ended.actor)
        body = {"record": found.id, "reason": ended.reason}
        subject = found.agreement or found.dataset
        audit.append(connection, f"quarantine.{ended.status}", subject, ended.actor, body)


def _deliver(
    hub: TransferDesk, found: Record, values: dict[str, str | None], *, released: bool
) -> bool:
    key = str(values[gate_inputs.KEY])
    vouched = frozenset({key} if released else ())
    wanted = Replay(tuple(str(v) for v in json.loads(key)), vouched)
    done = hub.deliver(str(found.agreement)).run(wanted)
    return done.quarantined == 0


def _collect(hub: TransferDesk, found: Record, values: dict[str, str | None]) -> bool:
    if not values:
        msg = f"quarantined row {found.id} could not be read as a row: mend it at its source"
        raise PolicyError(msg)
    collect = hub.collect(found.dataset, OneRow(values, f"quarantine {found.id}"))
    return collect.replay().counts.quarantined == 0
