"""The order on replacement: the old carrier is blocked everywhere before the new one is enabled.

An event that enables a new carrier leaves when everybody else who reads the dataset, holds the old
carrier and is in force has confirmed the event that blocks it, or when it has waited for as long as
the contract allows (`Carrier.wait`). Until then it is not in the delivery's scope: it stays due.
Events that block wait for nobody (ADR 0035).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from onecard.base.sql_text import query
from onecard.deliver.carrier_sql import HELD, CarrierSql
from onecard.deliver.context import DeliveryContext, Peer
from onecard.deliver.query import Selection
from onecard.deliver.replacement_sql import REPLACED, ReplacementSql
from onecard.deliver.scope_sql import ScopeSql
from onecard.store import agreement_lives, holding_heads, waiting_carriers
from onecard.store.database import Connection
from onecard.store.holding import Head
from onecard.store.snapshots import Snapshot
from onecard.store.waiting_carriers import Ahead, WaitingCarrier, Waits
from schemas.models.agreement import Agreement
from schemas.models.carrier import Carrier

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What a delivery leaves out for the sake of the order, and for whom it waits no longer.

    Attributes:
        wait: how long a carrier may wait, as the contract says.
        seen: version of each dataset up to which the consumer has what is in scope.
    """

    wait: str = ""
    seen: Mapping[str, int] = field(default_factory=dict)
    waiting: tuple[WaitingCarrier, ...] = field(default=(), repr=False)
    ahead: tuple[Ahead, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """The same as sentences of names and numbers."""
        found = [
            f"{a.carriers} new carrier(s) enabled after {self.wait}: {a.lagging} has not confirmed"
            " that the old ones are blocked"
            for a in self.ahead
        ]
        if self.waiting:
            lagging = sorted({a for w in self.waiting for a in w.lagging})
            found.append(
                f"{len(self.waiting)} new carrier(s) wait until {', '.join(lagging)} confirmed"
                " that the old ones are blocked"
            )
        return tuple(found)


NOTHING = Order()


@dataclass(frozen=True, slots=True)
class Replacements:
    """Keeps the order for the deliveries of one agreement.

    Attributes:
        connection: of the hub's database.
        carriers: of the agreement's dataset.
        peers: the other agreements that events are delivered under at once.
        today: the hub's day.
    """

    connection: Connection
    agreement: Agreement
    carriers: CarrierSql
    peers: Mapping[str, Peer]
    today: date

    @classmethod
    def of(
        cls, connection: Connection, agreement: Agreement, tools: DeliveryContext, today: date
    ) -> Replacements | None:
        """Of an agreement; None where its rows tell of no carriers.

        Args:
            connection: of the hub's database.
            agreement: whose deliveries.
            tools: name contracts and peers.
            today: the hub's day.
        """
        carriers = CarrierSql.of(tools.contracts[agreement.dataset])
        if carriers is None or agreement.statistics:
            return None
        return cls(connection, agreement, carriers, tools.peers, today)

    @property
    def carrier(self) -> Carrier:
        """As the contract says."""
        return self.carriers.carrier

    def noted(self) -> list[Waits]:
        """What was left out by the last delivery."""
        wait = self.carrier.wait.span
        return waiting_carriers.noted(self.connection, self.agreement.id, wait)

    def released(self, waits: Collection[Waits]) -> bool:
        """Whether anything of it may leave now."""
        if not waits:
            return False
        lagging = {a for w in waits for a in w.lagging}
        confirmed = self._confirmed(lagging)
        in_force = {a for a in lagging if self._in_force(a)}
        return any(w.released(confirmed, in_force) for w in waits)

    def look(
        self, snapshot: Snapshot, selection: Selection, head: Head | None
    ) -> tuple[Selection, Order]:
        """Leave out what may not leave yet.

        Args:
            snapshot: that the delivery reads.
            selection: of the delivery.
            head: of the record of what the consumer holds; None before the first delivery.

        Returns:
            The selection of the delivery as it is to be, and what is to be noted of it.
        """
        dataset = self.agreement.dataset
        confirmed = self._confirmed(self.peers)
        behind = {a: v for a, v in confirmed.items() if v < snapshot.versions[dataset]}
        if not behind:
            return selection, NOTHING
        before = selection.before.delivered if selection.before else {}
        seen = head.versions if head else before
        scope = ScopeSql(self.agreement, selection.contracts, self.today)
        asked = ReplacementSql(scope, self.carriers)
        replaced = asked.replaced(seen, min(behind.values()))
        if not snapshot.number(replaced, query("SELECT count(*) FROM {t}", t=REPLACED)):
            return selection, NOTHING
        peers = [(self._scope(a), version) for a, version in behind.items() if self._in_force(a)]
        if not peers:
            return selection, NOTHING
        snapshot.do(asked.lagging(peers))
        snapshot.do(asked.held())
        held = snapshot.frame(query("SELECT carrier, version, lagging FROM {t}", t=HELD))
        waiting = tuple(WaitingCarrier(c, v, tuple(a.split())) for c, v, a in held.iter_rows())
        ahead = tuple(Ahead(*line) for line in snapshot.frame(asked.ahead()).iter_rows())
        order = Order(self.carrier.wait, seen, waiting, ahead)
        for remark in order.remarks:
            level = logging.WARNING if order.ahead else logging.INFO
            logger.log(level, "%s: %s", self.agreement.id, remark)
        return replace(selection, held=asked.leaves(seen) if waiting else None), order

    def _confirmed(self, agreements: Collection[str]) -> dict[str, int]:
        """The version that each of them has confirmed, but for those that never got anything."""
        known = [a for a in agreements if a in self.peers]
        return holding_heads.confirmed_versions(self.connection, self.agreement.dataset, known)

    def _in_force(self, agreement: str) -> bool:
        """Whether rows leave under it: what is suspended, stopped or over is waited for no more."""
        peer = self.peers.get(agreement)
        if peer is None:
            return False
        return agreement_lives.life(self.connection, peer.agreement, self.today).open

    def _scope(self, agreement: str) -> ScopeSql:
        peer = self.peers[agreement]
        return ScopeSql(peer.agreement, peer.contracts, self.today)
