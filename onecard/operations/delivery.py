"""A delivery as every face runs it: what is due, and what the inbox lacks where it was never told.

A hub that has no record of what a consumer holds takes it from delivered versions, which do not
tell of every row. Where the inbox can be read back, its reconciliation follows at once, and with
each later delivery until it has come to its end.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from onecard.deliver.context import Delivered, Replay
from onecard.model.reconciliations import ReconciliationResult
from onecard.reconcile.services import TransferDesk

log = logging.getLogger(__name__)


def deliver(hub: TransferDesk, agreement: str, how: Replay | None = None) -> Delivered:
    """Send what one agreement's consumer does not have yet.

    Args:
        hub: the hub.
        agreement: its id.
        how: given: rows that are sent again.

    Raises:
        HoldError: far more rows than usual are due, or are lacking in the inbox; a person decides.
        OnecardError: as `Deliver.run` and `reconcile_inbox` raise it.
    """
    done = hub.deliver(agreement).run(how)
    if not done.to_reconcile:
        return done
    from onecard.reconcile.inbox import reconcile_inbox  # noqa: PLC0415 - once after an upgrade

    found = reconcile_inbox(hub, agreement)
    found.check()
    if found.outcome in ("open", "unjudged"):
        log.warning("%s: %s", agreement, _said(found))
    return replace(done, remarks=(*done.remarks, _said(found)))


def _said(found: ReconciliationResult) -> str:
    if found.outcome == "unjudged":
        return (
            "the inbox, whose parcels were taken, cannot tell which rows are lacking: deliver"
            " --whole after an agreement with the consumer"
        )
    return (
        f"the inbox was reconciled: {found.outcome}, {found.missing} missing,"
        f" {found.differing} differing, {found.extra} extra, {found.healed} mended"
    )
