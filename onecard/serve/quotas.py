"""Quotas: what a call counts for, in the hour and the day in which it comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from onecard.store import question_counts
from onecard.store.database import Connection
from onecard.store.question_counts import DAY, HOUR, Slot
from schemas.models.asking import Quota


def slots(
    names: Mapping[str, str], quotas: Iterable[tuple[str, Quota]], now: datetime
) -> dict[Slot, int]:
    """What a call counts for, with the limits.

    Args:
        names: of whom, by scope.
        quotas: with their scopes.
        now: the hub's time, at +08:00.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    begun = {HOUR: int(hour.timestamp()), DAY: int(hour.replace(hour=0).timestamp())}
    return {
        Slot(scope, names[scope], begun[span], span): limit
        for scope, quota in quotas
        for span, limit in ((HOUR, quota.hour), (DAY, quota.day))
    }


def beyond(connection: Connection, limits: Mapping[Slot, int]) -> frozenset[str]:
    """Scopes of which no further call may be answered now.

    Args:
        connection: of the hub's database.
        limits: what a call would count for.
    """
    used = question_counts.ask_used(connection, limits).all()
    return frozenset(slot.scope for slot, limit in limits.items() if used.get(slot, 0) >= limit)
