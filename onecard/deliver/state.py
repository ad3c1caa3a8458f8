"""What is known of an agreement's earlier deliveries, and what the hub holds now."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from onecard.deliver.query import Selection
from onecard.errors import NotCollected
from onecard.store import audit_health, datasets, deliveries, receipts, registry
from onecard.store.database import Connection, make_once, query
from schemas.models.agreement import Agreement

if TYPE_CHECKING:
    from onecard.deliver.treatment import Tokeniser

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeliveryState:
    """Where deliveries of one agreement stand.

    Attributes:
        versions: published version of every dataset that is needed.
        after: per dataset, the version that the consumer has confirmed.
        confirmed_on: day of the last confirmed delivery.
        token_epoch: epoch of the tokens that will be sent.
    """

    agreement: Agreement
    versions: Mapping[str, int]
    after: Mapping[str, int] = field(default_factory=dict)
    confirmed_on: date | None = None
    token_epoch: str = ""

    @classmethod
    def load(
        cls,
        connection: Connection,
        agreement: Agreement,
        tokeniser: Tokeniser | None,
        needed: Sequence[str],
    ) -> DeliveryState:
        """Read it from the ledger.

        A flow with tokens starts anew when the token key's epoch has changed: the consumer
        then gets all its rows under the new tokens.

        Args:
            connection: of the hub's database.
            agreement: whose deliveries.
            tokeniser: the consumer's; None only for statistics.
            needed: datasets without which scope or gate cannot be evaluated.

        Raises:
            NotCollected: a needed dataset was never collected, so a rule cannot be evaluated.
        """
        versions = _versions(connection, agreement.id, needed)
        lines = deliveries.delivered(connection, agreement.id)
        tokens = any(f.treatment == "token" for f in agreement.fields)
        epoch = tokeniser.key.epoch if tokeniser and tokens else ""
        if any(line.token_epoch != epoch for line in lines):
            lines = []
        days = [line.confirmed_on for line in lines if line.confirmed_on is not None]
        return cls(
            agreement,
            {d: versions[d] for d in agreement.datasets},
            {line.dataset: line.version for line in lines},
            max(days, default=None),
            epoch,
        )

    def nothing_sent(self) -> DeliveryState:
        """As before the first delivery."""
        return replace(self, after={}, confirmed_on=None)

    def due(self, today: date) -> bool:
        """Whether anything can be due: newer rows, or somebody who came of age."""
        if any(self.after.get(d, 0) < v for d, v in self.versions.items()):
            return True
        ages = any(f.min_age is not None for f in self.agreement.scope.filters)
        aging = ages or (self.agreement.subject and not self.agreement.child_rules)
        return bool(aging and self.confirmed_on and self.confirmed_on < today)

    def make_indexes(self, connection: Connection, selection: Selection) -> None:
        """Make the indexes that this agreement's selection wants, once."""
        for table, column in selection.indexes():
            name = f"{table}_{column.lstrip('_')}"[:63]
            statement = query(
                "CREATE INDEX IF NOT EXISTS {n} ON {t} ({c})",
                n=sql.Identifier(name),
                t=sql.Identifier(registry.REGISTRY, table),
                c=sql.Identifier(column),
            )
            make_once(connection, f"{registry.REGISTRY}.{name}", statement)

    def lapsed(self, connection: Connection, now: datetime) -> dict[str, int]:
        """Versions up to which the consumer was to erase what it got, or says that it has.

        Rows that were sent anew under another token key since then are not among them.
        """
        receipt = json.loads(deliveries.last_lapsed(connection, self.agreement.id, now) or "{}")
        if receipt.get("tokenEpoch", "") != self.token_epoch:
            return {}
        return {str(d): int(v) for d, v in receipt["versions"].items()} if receipt else {}

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
