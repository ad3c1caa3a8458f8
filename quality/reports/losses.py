"""Losses of cards: when each consumer of the card's status had confirmed them."""

from __future__ import annotations

from dataclasses import dataclass

from onecard.store import card_losses
from onecard.store.card_losses import Loss, LossCounts, StatusTable
from onecard.store.database import Connection
from onecard.store.report_frames import Span
from schemas.models.catalogue import Catalogue

STATUS_DATASET = "hrss/card_status_event"
_STATUS = StatusTable(STATUS_DATASET, "hrss__card_status_event")


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses of cards in a span, and when the consumer of one agreement had confirmed them."""

    agreement: str
    counts: LossCounts


def losses(connection: Connection, known: Catalogue, loss: Loss, span: Span) -> list[Losses]:
    """For each event agreement on the card's status, in the order of their ids.

    Args:
        connection: of the hub's database.
        known: contracts and agreements.
        loss: which events are losses, and the limit.
        span: of the events' times.
    """
    if not card_losses.published(connection, _STATUS):
        return []
    return [
        Losses(agreement.id, card_losses.counts(connection, agreement.id, _STATUS, loss, span))
        for agreement in sorted(known.agreements.values(), key=lambda a: a.id)
        if agreement.dataset == STATUS_DATASET and agreement.mode == "event"
    ]
