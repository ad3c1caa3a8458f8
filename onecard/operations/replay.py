"""Quarantined rows a second time: checked again under the contract and agreement in force now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from onecard.collect.again import RejectedRow
from onecard.collect.own_rows import OneRow
from onecard.deliver.context import Replay
from onecard.errors import ConfigError, FatalError, OlderRow, PolicyError
from onecard.model import gate_inputs
from onecard.reconcile.services import TransferDesk
from onecard.store import audit, database, locks, quarantine
from onecard.store.quarantine import Record

ReplayOutcome = Literal["published", "unchanged", "delivered", "rejected", "older", "refused"]
"""Of a row: what became of it; `older` and `refused` did nothing, `rejected` broke rules again."""
DONE: frozenset[ReplayOutcome] = frozenset({"published", "unchanged", "delivered"})


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a replay ended.

    Attributes:
        outcome: what became of the row.
        says: why nothing was done; names record, dataset and times, no value.
    """

    record: int
    subject: str
    outcome: ReplayOutcome
    says: str = ""

    @property
    def done(self) -> bool:
        """Whether the row's wait has ended."""
        return self.outcome in DONE


@dataclass(frozen=True, slots=True)
class Ended:
    """How a quarantined row's wait ends: its new status, who ends it, and why."""

    status: Literal["replayed", "released"]
    reason: str
    actor: str
    force: bool = False


def replay(hub: TransferDesk, record: int, reason: str, *, force: bool = False) -> Replayed:
    """Check one quarantined row again and publish or deliver it.

    Args:
        hub: the hub.
        record: id of the quarantined row.
        reason: why, in a person's words; it stands in the audit log.
        force: publish it although the registry has a newer row of its record.

    Raises:
        ConfigError: no such record, it does not wait any more, or `force` without a reason.
        OlderRow: the registry has a newer row of its record.
        PolicyError: the dataset is held, or its contract has other fields since.
    """
    if force and not reason.strip():
        msg = "--force needs a reason: it puts an old row over a newer one"
        raise ConfigError(msg)
    with _locked(hub, record) as (connection, found, values):
        if found.agreement:
            done = _deliver(hub, found, values, released=False)
            outcome: ReplayOutcome = "delivered" if done else "rejected"
        else:
            _waits(found, force=force)
            outcome = _collect(hub, found, values, force=force)
        if outcome in DONE:
            ended = Ended("replayed", reason, hub.settings.actor, force)
            _resolve(connection, found, ended)
    return Replayed(record, found.agreement or found.dataset, outcome)


def replay_all(
    hub: TransferDesk, records: Iterable[int], reason: str, *, force: bool = False
) -> Iterator[Replayed]:
    """Each row as `replay` does it; one that is refused stops only itself.

    Args:
        hub: the hub.
        records: ids of quarantined rows.
        reason: why; it stands in the audit log for each.
        force: as for `replay`.
    """
    for record in records:
        try:
            yield replay(hub, record, reason, force=force)
        except OlderRow as error:
            yield Replayed(record, "", "older", str(error))
        except FatalError as error:
            yield Replayed(record, "", "refused", str(error))


def _waits(found: Record, *, force: bool) -> None:
    """Refuse a row whose record has come right, or left its source, since."""
    if found.status == "held" or force:
        return
    msg = (
        f"quarantined row {found.id} of {found.dataset} is {found.status}: {_ENDED[found.status]}"
        f" (transfer {found.ended_by}); `--force` with a reason publishes it all the same"
    )
    raise OlderRow(msg)


_ENDED = {
    "mended": "its record was read as a good row since",
    "superseded": "its record was rejected with other values since",
    "gone": "its source had it no more when it was read whole",
}


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
    return Replayed(record, found.agreement, "delivered" if done else "rejected")


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
        body: dict[str, object] = {"record": found.id, "reason": ended.reason}
        if ended.force:
            body["force"] = True
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


def _collect(
    hub: TransferDesk, found: Record, values: dict[str, str | None], *, force: bool
) -> ReplayOutcome:
    if not values:
        msg = f"quarantined row {found.id} could not be read as a row: mend it at its source"
        raise PolicyError(msg)
    collect = hub.collect(found.dataset, OneRow(values, f"quarantine {found.id}"))
    row = RejectedRow(found.id, found.last_transfer, found.last_seen, force=force)
    counts = collect.again(row, values).counts
    if counts.quarantined:
        return "rejected"
    return "published" if counts.published else "unchanged"
