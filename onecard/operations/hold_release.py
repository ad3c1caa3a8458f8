"""Whatever waits for a person is released in one way, by the service behind its own command.

A collect is published at once, a delivery passes with its next run; a reconciliation compares once
more, and deletes what was absent both times.
"""

from __future__ import annotations

from onecard.model.holds import Hold
from onecard.model.signoffs import SignOff
from onecard.operations.release import Released, release
from onecard.reconcile.dataset import ReconcileOptions, reconcile
from onecard.reconcile.services import TransferDesk


def release_hold(hub: TransferDesk, hold: Hold, how: SignOff) -> Released:
    """Release what waits, as the command that `Hold.release` names does; nothing newer.

    Args:
        hub: the hub.
        hold: what waits, as the person saw it.
        how: who, and why.

    Raises:
        HoldError: of a reconciliation: a person must decide still.
        SupersededError: it is held for something else by now, or something newer has taken over.
        OnecardError: as `release`, and as the reconciliation of a dataset.
    """
    if hold.kind != "reconcile":
        wanted = hold.subject if hold.fast else str(hold.number)
        return release(hub, wanted, how, frozenset(hold.findings))
    done = reconcile(hub, hold.subject, ReconcileOptions(release=how, seen=hold.number))
    done.check()
    return Released(done.id, hold.subject)
