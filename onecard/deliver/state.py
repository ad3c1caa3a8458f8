"""What is known of an agreement's earlier deliveries, and what the hub holds now."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from onecard.base.ages import latest_birth
from onecard.deliver.query import Before, Selection
from onecard.errors import NotCollected
from onecard.model import gate_inputs
from onecard.store import (
    audit_health,
    datasets,
    deliveries,
    former,
    holding,
    receipts,
    registry_indexes,
)
from onecard.store.database import Connection
from onecard.store.deliveries import Lapse
from onecard.store.holding import Head
from onecard.store.registry_indexes import Index
from schemas.models.agreement import Agreement

if TYPE_CHECKING:
    from onecard.deliver.treatment import Tokeniser

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeliveryState:
    """Where deliveries of one agreement stand.

    Attributes:
        versions: published version of every dataset that is needed, also by the gate alone.
        after: per dataset of the agreement, the version that the consumer has confirmed.
        head: of the record of what the consumer holds; None where there is none.
        token_epoch: epoch of the tokens that will be sent; empty without tokens.
        lapse: the last delivery whose retention is over; None where there is none.
    """

    agreement: Agreement
    versions: Mapping[str, int]
    after: Mapping[str, int] = field(default_factory=dict)
    head: Head | None = None
    token_epoch: str = ""
    lapse: Lapse | None = None

    @classmethod
    def load(
        cls,
        connection: Connection,
        agreement: Agreement,
        tokeniser: Tokeniser | None,
        needed: Sequence[str],
        now: datetime,
    ) -> DeliveryState:
        """Read it from the ledger.

        Args:
            connection: of the hub's database.
            agreement: whose deliveries.
            tokeniser: the consumer's; None only for statistics.
            needed: datasets without which scope or gate cannot be evaluated.
            now: the hub's time.

        Raises:
            NotCollected: a needed dataset was never collected, so a rule cannot be evaluated.
        """
        versions = _versions(connection, agreement.id, needed)
        lines = deliveries.delivered(connection, agreement.id)
        tokens = any(f.treatment == "token" for f in agreement.fields)
        epoch = tokeniser.key.epoch if tokeniser and tokens else ""
        head = holding.head(connection, agreement.id) if lines else None
        if head is None and any(line.token_epoch != epoch for line in lines):
            lines = []  # what a hub without a record has sent under other tokens is sent anew
        return cls(
            agreement,
            versions,
            {line.dataset: line.version for line in lines},
            head,
            epoch,
            deliveries.last_lapsed(connection, agreement.id, now),
        )

    @property
    def before(self) -> Before | None:
        """What a hub without a record knows of deliveries; None with a record, or without any."""
        if self.head is not None or not self.after or self.agreement.statistics:
            return None
        lapsed = self.lapse.versions if self.lapse else {}
        return Before(self.after, lapsed)

    def due(self, today: date, basis: str, key: str, shape: str) -> bool:
        """Whether the consumer may have to get or to drop anything.

        Args:
            today: the hub's day.
            basis: what decides which rows there should be.
            key: name of the key of references.
            shape: what makes of a row what leaves.
        """
        head = self.head
        if head is None or (head.basis, head.key, head.shape) != (basis, key, shape):
            return True
        if any(head.versions.get(d, 0) < v for d, v in self.versions.items()):
            return True
        return any(latest_birth(head.looked_on, n) < latest_birth(today, n) for n in self._ages())

    def _ages(self) -> list[int]:
        found = [f.min_age for f in self.agreement.tests if f.min_age is not None]
        aging = self.agreement.subject and (
            self.agreement.consent or not self.agreement.child_rules
        )
        return [*found, *([gate_inputs.CHILD_YEARS] if aging else [])]

    def prepare(self, connection: Connection, selection: Selection) -> None:
        """Keep old values of link fields from now on; make the indexes that are wanted, once."""
        wanted = [Index(table, (column,), only) for table, column, only in selection.indexes()]
        counted = dict.fromkeys(index.table for index in wanted)
        if not self.agreement.statistics:
            candidates = selection.candidates(None)
            former.require(connection, candidates.links())
            wanted += [
                Index(selection.contracts[dataset].table, (field_name,), born=True)
                for dataset, field_name in sorted(candidates.births())
            ]
        registry_indexes.make(connection, *wanted)
        registry_indexes.analyse(connection, counted)

    def nothing_sent(self) -> DeliveryState:
        """As before the first delivery."""
        return replace(self, after={}, head=None)

    def overdue_erasures(self, connection: Connection, now: datetime) -> int:
        """Copies that should be erased since a day, and of whose erasure nothing is known."""
        limit = now - self.agreement.retention.span - timedelta(days=1)
        return receipts.overdue_erasures(connection, self.agreement.id, limit)

    def auditable(self, connection: Connection, folder: Path) -> bool:
        """Whether the audit log, anchored in `folder`, is sound and takes an entry."""
        found = audit_health.problem(connection, folder)
        if found:
            log.error("%s: %s", self.agreement.id, found)
        return not found


def _versions(connection: Connection, agreement: str, needed: Sequence[str]) -> dict[str, int]:
    found = datasets.versions(connection, needed)
    missing = [d for d in needed if d not in found]
    if missing:
        msg = f"{agreement}: not collected yet: {', '.join(missing)}"
        raise NotCollected(msg)
    return found
