"""A person lets a held transfer pass: recorded, audited, and only what was on record as failed.

A held collect goes on at once: its staged rows are audited again, without what is released, and
published. A held delivery has nothing staged: its next run passes.
"""

from __future__ import annotations

from dataclasses import dataclass

from onecard.base import failpoints
from onecard.collect import failure
from onecard.collect.publish import Collected
from onecard.errors import ConfigError, PolicyError, SupersededError, UsageError
from onecard.model.holds import NEVER
from onecard.model.signoffs import SignOff
from onecard.reconcile.services import TransferDesk
from onecard.store import (
    audit,
    database,
    datasets,
    findings,
    locks,
    releases,
    transfer_lookup,
    transfers,
)
from onecard.store.database import Connection
from onecard.store.transfer_lookup import TransferState


@dataclass(frozen=True, slots=True)
class Released:
    """What a release did.

    Attributes:
        collected: how the collect ended; None for a delivery, whose next run passes.
        already: it had been released and had gone on before: nothing was done.
    """

    transfer: int
    subject: str
    collected: Collected | None = None
    already: bool = False


def release(
    hub: TransferDesk, wanted: str, how: SignOff, seen: frozenset[str] | None = None
) -> Released:
    """Release a held transfer; one that was cut off after its release goes on.

    Args:
        hub: the hub.
        wanted: the transfer's id, or a dataset: its newest transfer.
        how: who, and why.
        seen: of a collect: the findings that the person saw; None: whatever is on record.

    Raises:
        ConfigError: no such transfer, it is not held, or as `SignOff.check` says.
        PolicyError: what it is held for can be released by nobody.
        SupersededError: a newer transfer has taken over, says which; or another check has failed
            than was seen.
        AuditFailed: another critical expectation fails now; the transfer is held again.
    """
    how.check()
    with database.connect(hub.address, autocommit=True) as connection:
        found = _find(connection, wanted)
        locks.hold(connection, locks.Kind.RELEASE, found.id)
        found = _find(connection, str(found.id))
        if found.direction == "collect":
            return _collect(hub, connection, found, how, seen)
        return _delivery(connection, found, how)


def _find(connection: Connection, wanted: str) -> TransferState:
    found = transfer_lookup.by_name(connection, wanted)
    if found is None:
        msg = f"no transfer {wanted!r}; `onecard status` shows what is held"
        raise UsageError(msg)
    return found


def _delivery(connection: Connection, found: TransferState, how: SignOff) -> Released:
    if found.status != "held":
        raise _not_held(found)
    with connection.transaction():
        new = releases.record(connection, found.id, [releases.DELIVERY], how.by, how.reason)
        if new:
            body = {"transfer": found.id, "reason": how.reason}
            audit.append(connection, "delivery.released", str(found.id), how.by, body)
    return Released(found.id, found.subject, already=not new)


def _collect(
    hub: TransferDesk,
    connection: Connection,
    found: TransferState,
    how: SignOff,
    seen: frozenset[str] | None,
) -> Released:
    before = releases.of(connection, found.id)
    if found.status == "published" and before:
        done = hub.collect(found.subject).publish(found.id)
        return Released(found.id, found.subject, done, already=True)
    if found.status in ("held", "audited", "failed"):
        _overtaken(connection, found)
    if found.status != "held" and not (found.status == "audited" and before):
        raise _not_held(found)
    there = {r.finding for r in before} - set(NEVER)
    failed = [name for name in findings.failed(connection, found.id) if name not in there]
    if seen is not None and not seen.issuperset(failed):
        msg = f"{found.subject}: transfer {found.id} is held for something else by now"
        raise SupersededError(msg)
    _releasable(hub, found, failed)
    if not failed and not before:
        msg = f"{found.subject}: no failed expectation is recorded of held transfer {found.id}"
        raise ConfigError(msg)
    _record(connection, found, failed, how)
    failpoints.reach("release.recorded")
    collect = hub.collect(found.subject)
    collect.audit(found.id)
    return Released(found.id, found.subject, collect.publish(found.id))


def _record(connection: Connection, found: TransferState, failed: list[str], how: SignOff) -> None:
    """Write who vouches for what, while no newer transfer can claim the dataset."""
    with connection.transaction():
        datasets.lock_claimed(connection, found.subject, found.id)
        new = releases.record(connection, found.id, failed, how.by, how.reason)
        if new:
            body = {"transfer": found.id, "findings": new, "reason": how.reason}
            audit.append(connection, "collect.released", found.subject, how.by, body)


def _overtaken(connection: Connection, found: TransferState) -> None:
    error = failure.overtaken(connection, found.subject, found.id)
    if error is None:
        return
    newer = datasets.state(connection, found.subject).claim
    status = transfers.status(connection, newer)
    more = f"; {newer} is {status}" + (f": `onecard release {newer}`" if status == "held" else "")
    msg = f"{error}{more}"
    raise SupersededError(msg)


def _releasable(hub: TransferDesk, found: TransferState, failed: list[str]) -> None:
    never = [name for name in failed if name in NEVER]
    if not never:
        return
    contract = hub.catalogue.contract(found.subject)
    others = [e.name for e in contract.expectations if e.severity == "critical"]
    msg = (
        f"{found.subject}: transfer {found.id} is held for {', '.join(never)}, which nobody can"
        f" release; what a person can release here: {', '.join(others)}. Mend the source, then"
        f" `onecard collect {found.subject}`"
    )
    raise PolicyError(msg)


def _not_held(found: TransferState) -> ConfigError:
    because = f" ({found.message})" if found.status == "failed" and found.message else ""
    return ConfigError(
        f"transfer {found.id} of {found.subject} is {found.status}{because}; only what is held can"
        " be released, and `onecard status` shows what that is"
    )
