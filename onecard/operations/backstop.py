"""The backstop of the live lane: whether somebody else must do its work, asked once a minute.

The DAG `card_status` asks. It looks at the leases alone, so that a minute in which the lane lives
costs one statement. That the lane is dead is told once by the alarms, and once more when that is
over.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from onecard.errors import as_onecard_error
from onecard.operations import alarms
from onecard.operations.alarm_channels import tell
from onecard.operations.attention import LANE_SILENT, IssueKind
from onecard.ports.desk import Desk
from onecard.store import database, leases
from onecard.store.leases import Processes

log = logging.getLogger(__name__)
_KIND: IssueKind = "lane"


@dataclass(frozen=True, slots=True)
class Watch:
    """What was found of the live lane.

    Attributes:
        alive: somebody does its work; else the backstop must.
        says: the same for people.
    """

    alive: bool
    says: str


def watch(desk: Desk) -> Watch:
    """Look whether the live lane is at work; tell the alarms when it is not, and when it is again.

    A channel that cannot be told is no reason to leave the work undone: the log names it, and it is
    told the next time.

    Raises:
        SourceUnavailable: the hub's database cannot be reached.
    """
    limit = LANE_SILENT.total_seconds()
    with database.connect(desk.address, autocommit=True) as connection:
        found = leases.processes(connection, limit)
    alive = found.heard > 0
    if found.silent_s is not None:
        _tell(desk, alive=alive)
    return Watch(alive, _said(found, limit))


def _said(found: Processes, limit: float) -> str:
    if found.silent_s is None:
        return "no live lane was ever here: this run does its work"
    if not found.heard:
        return (
            f"nothing was heard of the live lane for {found.silent_s:.0f} s: this run does its work"
        )
    return (
        f"the live lane is at work: {found.heard} process(es) heard of within {limit:.0f} s,"
        f" the last {found.silent_s:.0f} s ago"
    )


def _tell(desk: Desk, *, alive: bool) -> None:
    """That it is dead, or that this is over where somebody was told."""
    try:
        if alive and not alarms.told_of(desk.settings.home, _KIND):
            return
        alarms.failed(tell(desk, (_KIND,)))
    except Exception as caught:  # noqa: BLE001 - whatever it is, the lane's work is to be done
        error = as_onecard_error(caught)
        log.error("alarm of the live lane, tried again in a minute: %s", error)  # noqa: TRY400 - no trace of ours tells more
