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
    """Release what waits, as the command that `Hold.release` names does.

    Args:
        hub: the hub.
        hold: what waits.
        how: who, and why.

    Raises:
        HoldError: of a reconciliation: a person must decide still.
        OnecardError: as `release`, and as the reconciliation of a dataset.
    """
    if hold.kind != "reconcile":
        return release(hub, hold.subject if hold.fast else str(hold.number), how)
    done = reconcile(hub, hold.subject, ReconcileOptions(release=how))
    done.check()
    return Released(done.id, hold.subject)
