"""An agreement under which something may leave now, and where its deliveries stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from onecard.deliver.replacement import Replacements
from onecard.deliver.state import DeliveryState
from onecard.model.agreements import Life
from onecard.store import database
from onecard.store.waiting_carriers import Waits

if TYPE_CHECKING:
    from onecard.crypto.receiver_keys import ReceiverKey
    from onecard.deliver.record import Record
    from onecard.deliver.treatment import Tokeniser


@dataclass(frozen=True, slots=True)
class Ready:
    """An agreement that is locked and permitted, and where its deliveries stand.

    Attributes:
        basis: what decides which rows the consumer should hold now.
        record: of what it holds; None for statistics, of which the cells are known.
        old_tokens: of the tokens that the consumer has, where they are of an earlier key.
        replacements: keeps the order on replacement; None where the rows tell of no carriers.
        waits: of the carriers that the last delivery left out.
        receiver: key of the consumer that all is sealed for; None: nothing is.
    """

    connection: database.Connection
    life: Life
    tokeniser: Tokeniser | None
    state: DeliveryState
    basis: str
    record: Record | None
    old_tokens: Tokeniser | None
    replacements: Replacements | None
    waits: tuple[Waits, ...]
    receiver: ReceiverKey | None = None

    @property
    def sealed_for(self) -> str:
        """Id of that key; empty: nothing is sealed."""
        return self.receiver.epoch if self.receiver else ""

    @property
    def waiting(self) -> int:
        """How many new carriers wait."""
        return sum(w.carriers for w in self.waits)

    def due(self, today: date) -> bool:
        """Whether the consumer may have to get or to drop anything."""
        if self.replacements is not None and self.replacements.released(self.waits):
            return True
        if self.record is None:
            head = self.state.head
            return head is None or self.state.due(today, self.basis, head.key, head.shape)
        refs = self.record.refs
        due = self.state.due(today, self.basis, refs.name, refs.shape)
        return due or self.record.uncertain
