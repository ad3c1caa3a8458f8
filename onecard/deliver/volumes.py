"""Holds a delivery that sends, or takes away, far more than usual, unless a person released it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from onecard.base.settings import Settings
from onecard.deliver.delivery_log import DeliveryLog
from onecard.ports.privacy_gate import VolumeHold
from onecard.store import deliveries, releases

USUAL_DELIVERIES = 3
"""So many confirmed deliveries make a history that volume is compared with."""

USUAL_SPAN = timedelta(days=14)
"""Days of an event agreement that count."""

FEW_ROWS = 1_000
"""A delivery of at most so many rows is never unusual."""

FEW_DELETES = 100
"""So many deletes are never unusual; more are when a usual delivery has fewer rows."""


@dataclass(frozen=True, slots=True)
class Volumes:
    """What is usual of an agreement's deliveries, and whether one keeps to it.

    Attributes:
        log: of the delivery.
        settings: with the hub's clock.
    """

    log: DeliveryLog
    settings: Settings

    def refuse_rows(self, counted: Callable[[], int]) -> None:
        """Hold a delivery that is far larger than usual.

        Args:
            counted: how many rows are due; asked only where that matters.

        Raises:
            VolumeHold: a person must release it.
        """
        agreement = self.log.agreement
        usual = deliveries.usual_rows(self.log.connection, agreement.id)
        if len(usual) < USUAL_DELIVERIES or agreement.statistics:
            return
        due, each = counted(), round(median(usual))
        limit = max(FEW_ROWS, agreement.unusual_factor * each)
        if due <= limit or self._within_days(due) or self._released():
            return
        found = f"{due} rows are due, usually {each}"
        raise self._hold(found)

    def refuse_deletes(self, due: int) -> None:
        """Hold a delivery that would take far more away than usual ones bring.

        Args:
            due: rows that the consumer would be told to drop.

        Raises:
            VolumeHold: a person must release it.
        """
        if due <= FEW_DELETES:
            return
        usual = deliveries.usual_rows(self.log.connection, self.log.agreement.id)
        limit = max(FEW_DELETES, round(median(usual)) if usual else 0)
        if due <= limit or self._released():
            return
        found = f"the consumer would be told to drop {due} rows"
        raise self._hold(found)

    def _within_days(self, due: int) -> bool:
        """Whether so many rows are usual for days of an event agreement (ADR 0038).

        Its batches are what has come within seconds: how many rows are in one says how busy the
        source was, and only a day of them says what is usual.
        """
        agreement = self.log.agreement
        if agreement.mode != "event":
            return False
        after = (self.settings.now() - USUAL_SPAN).date()
        days = deliveries.rows_by_day(self.log.connection, agreement.id, after)
        return bool(days) and due <= agreement.unusual_factor * round(median(days))

    def _released(self) -> bool:
        log = self.log
        return releases.delivery_before(log.connection, log.agreement.id, log.transfer)

    def _hold(self, what: str) -> VolumeHold:
        agreement, transfer = self.log.agreement, self.log.transfer
        return VolumeHold(
            f"{agreement.id}: {what}; transfer {transfer} is held."
            f" {agreement.responsible} may release it:"
            f" `onecard release {transfer} --by … --reason …`"
        )
