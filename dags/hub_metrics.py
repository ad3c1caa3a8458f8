"""The hub's own figures as Airflow metrics, to StatsD, Datadog or OpenTelemetry as it is set up.

Names are `onecard.<direction>.<figure>`; dataset or agreement, step and error are tags, for
backends that have tags. Numbers only: no value of a row can be among them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, get_args

from airflow.sdk.observability import stats

LAST = ("collect.publish", "deliver", "reconcile")
"""Steps with which a transfer has done what it should."""
TAGS = ("dataset", "agreement", "error")


def emit(facts: Mapping[str, object]) -> None:
    """Emit one ended step (a listener of `onecard.base.logs`)."""
    prefix = f"onecard.{facts['direction']}"
    tags: dict[str, Any] = {name: str(facts[name]) for name in TAGS if name in facts}
    span = timedelta(seconds=float(str(facts["seconds"])))
    stats.timing(f"{prefix}.seconds", span, tags={**tags, "step": str(facts["step"])})
    if facts["outcome"] != "done":
        stats.incr(f"{prefix}.{facts['outcome']}", tags=tags)
    elif facts["step"] in LAST:
        stats.incr(f"{prefix}.done", tags=tags)
        counts = facts.get("counts")
        for name, number in counts.items() if isinstance(counts, Mapping) else ():
            stats.incr(f"{prefix}.{name}", count=int(number), tags=tags)


def attention(hub: Any) -> None:  # noqa: ANN401 - Hub is imported inside tasks only
    """Emit how many things of each kind need a person now, as gauges."""
    from onecard.operations import attention  # noqa: PLC0415 - only inside tasks
    from onecard.store import database  # noqa: PLC0415

    with database.connect(hub.address, autocommit=True) as connection:
        found = Counter(issue.kind for issue in attention.issues(connection, hub))
    for kind in get_args(attention.IssueKind):
        stats.gauge(f"onecard.attention.{kind}", found[kind])
