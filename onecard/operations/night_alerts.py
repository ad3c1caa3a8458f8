"""What the night's page says beside transfers: incidents that are open, limits of time broken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from onecard.model.reaction import joined
from onecard.operations.reactions import LATELY
from onecard.store import incidents, reaction
from onecard.store.database import Connection
from quality.reports import words
from quality.reports.night_lines import WatchedLine
from schemas.models.catalogue import Catalogue
from schemas.models.reaction import Limit


def alerts(connection: Connection, known: Catalogue, now: datetime) -> list[WatchedLine]:
    """Open incidents, then events of the last day that a consumer confirmed too late.

    Args:
        connection: of the hub's database.
        known: agreements and kinds of events, for their titles.
        now: the hub's time.
    """
    return [*_incidents(connection, known), *_too_late(connection, known, now)]


def _incidents(connection: Connection, known: Catalogue) -> Iterator[WatchedLine]:
    for found in incidents.open_ones(connection):
        yield WatchedLine(
            found.agreement,
            _title(known, found.agreement),
            "事件",
            f"{found.rule} 阻断第 {found.transfer} 次传输，此前已提供 {found.delivered_rows:,} 行",
            f"查明并处置后 onecard incidents close {found.id} --by … --reason …",
            f"incidents/{found.id}",
        )


def _too_late(connection: Connection, known: Catalogue, now: datetime) -> Iterator[WatchedLine]:
    say = words.sayer("zh")
    late = reaction.breaches(connection, now - LATELY, now + timedelta(hours=1))
    for found in joined(late):
        kind, limit = known.reaction.kinds.get(found.kind), Limit(found.allowed)
        allowed = limit.shown if limit.span is None else f"{limit.shown} 秒"
        yield WatchedLine(
            found.agreement,
            _title(known, found.agreement),
            "超时限",
            f"{kind.title if kind else found.kind}：{found.events:,} 件晚于时限 {allowed}，"
            f"最慢 {found.worst:,.0f} 秒，原因：{say(f'cause_{found.cause}')}",
            f"onecard status 看时效与原因；仍未送达则 onecard deliver {found.agreement}",
        )


def _title(known: Catalogue, agreement: str) -> str:
    found = known.agreements.get(agreement)
    return found.title if found else agreement
