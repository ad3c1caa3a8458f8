"""The newest transfers, what needs a person, how fast events and answers are, for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import get_args

from onecard.base.times import ZONE
from onecard.model.transfers import Transfer
from onecard.observe.call_gauges import call_gauges
from onecard.observe.reaction_gauges import reaction_gauges
from onecard.operations.attention import Issue, IssueKind
from onecard.operations.calls import Calls
from onecard.operations.reactions import ReactionLine

SUBJECT = ("direction", "subject")


def exposition(
    transfers: Iterable[Transfer],
    issues: Iterable[Issue],
    reaction: Iterable[ReactionLine] = (),
    calls: Calls | None = None,
) -> str:
    """Gauges of each subject's newest transfer, of what needs a person, and of how fast events are.

    Args:
        transfers: the newest of each subject.
        issues: what needs a person; what is on board is counted.
        reaction: of each agreement and kind of event.
        calls: about single persons; None: they are not looked at.
    """
    from prometheus_client import (  # noqa: PLC0415 - only where it is asked for
        CollectorRegistry,
        Gauge,
        generate_latest,
    )

    registry = CollectorRegistry()
    waiting = Counter(t.kind for t in issues if not t.onboarding)

    def gauge(name: str, says: str, *labels: str) -> Gauge:
        return Gauge(f"onecard_{name}", says, labels, registry=registry)

    rows = gauge("transfer_rows", "Rows of the newest transfer by figure.", *SUBJECT, "figure")
    seconds = gauge("transfer_seconds", "How long the newest transfer took.", *SUBJECT)
    ended = gauge("transfer_ended_timestamp_seconds", "When it ended; 0: not yet.", *SUBJECT)
    status = gauge("transfer_status", "1 for the newest transfer's status.", *SUBJECT, "status")
    for t in transfers:
        subject = (t.direction, t.subject)
        for name, number in _figures(t).items():
            rows.labels(*subject, name).set(number)
        seconds.labels(*subject).set(t.seconds)
        ended.labels(*subject).set(t.finished_at.timestamp() if t.finished_at else 0)
        status.labels(*subject, t.status).set(1)
    attention = gauge("attention", "How many things of a kind need a person.", "kind")
    for kind in get_args(IssueKind):
        attention.labels(kind).set(waiting[kind])
    reaction_gauges(reaction, gauge)
    if calls is not None:
        call_gauges(calls, gauge)
    now = gauge("written_timestamp_seconds", "When this was written, by the system's clock.")
    now.set(datetime.now(ZONE).timestamp())
    return generate_latest(registry).decode()


def _figures(transfer: Transfer) -> dict[str, int]:
    if transfer.direction == "deliver":
        return {"sent": transfer.sent_rows}
    return {name: getattr(transfer.counts, name) for name in type(transfer.counts).__slots__}
