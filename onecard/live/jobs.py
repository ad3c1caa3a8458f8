"""All that the lane does again and again: collect each dataset, deliver each agreement."""

from __future__ import annotations

from collections.abc import Mapping

from onecard.live.collecting import CollectJob
from onecard.live.delivering import DeliverJob
from onecard.live.job import LaneDesk
from onecard.live.pace import Pace


def jobs(desk: LaneDesk, pace: Pace) -> Mapping[str, CollectJob | DeliverJob]:
    """Everything in the event lane, by the names of the leases.

    Args:
        desk: names contracts and agreements; what is broken is not among them.
        pace: of the lane.
    """
    known = desk.catalogue
    collects = [c.id for c in known.collected.values() if c.lane == "event"]
    delivers = [a.id for a in known.agreements.values() if a.mode == "event"]
    found: list[CollectJob | DeliverJob] = [CollectJob(desk, d, pace) for d in sorted(collects)]
    found += [DeliverJob(desk, a, pace) for a in sorted(delivers)]
    return {job.name: job for job in found}
