"""Ends rejected rows that a later row of their own reading has overtaken.

Such a row would wait in quarantine as if it were the newest of its record, and a person who
replays it would put it over a newer one: both came by one transfer, and the registry keeps no
places. What a later reading overtakes is found by `onecard.collect.mended`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onecard.collect.context import CollectContext
from onecard.errors import PolicyError
from onecard.store import overtaken, registry, staging
from onecard.store.database import Connection
from onecard.store.known_hashes import KnownHashes
from onecard.store.overtaken import Waiting, Wanted
from onecard.store.referrer import key_of
from schemas.models.contract import Contract


@dataclass(frozen=True, slots=True)
class OvertakenStep:
    """The rejected rows of one transfer, all of whose rows are staged and settled."""

    contract: Contract
    tools: CollectContext
    connection: Connection
    transfer: int

    def run(self, known: KnownHashes | None) -> None:
        """Compare their places with those of the other rows of their records.

        Between two rejected rows the place decides only where no field orders them.

        Args:
            known: the published rows that the reading met; None where all rows were staged.
        """
        where = (self.connection, self.contract, self.transfer)
        if not staging.positioned(*where):
            return
        with self.connection.transaction():
            if not self.contract.ordering:
                overtaken.supersede(*where)
            for rows in overtaken.waiting(*where):
                wanted = [found for found in map(self._wanted, rows) if found is not None]
                if wanted:
                    numbers = {*self._staged(wanted), *self._published(wanted, known)}
                    overtaken.mend(*where, [wanted[n - 1].row for n in sorted(numbers)])

    def _wanted(self, row: Waiting) -> Wanted | None:
        """The record of a rejected row; None where nobody can tell which it is."""
        try:
            values = row.opened(self.contract.id, self.tools.keys.quarantine_of(row.key_epoch))
        except PolicyError:  # its key is gone: another process has read it under an older one
            return None
        key = key_of(self.contract, values)
        if key is None:
            return None
        return Wanted(row, key, _number(values.get(self.contract.sequence or "")))

    def _staged(self, wanted: Sequence[Wanted]) -> list[int]:
        return overtaken.staged_behind(self.connection, self.contract, self.transfer, wanted)

    def _published(self, wanted: Sequence[Wanted], known: KnownHashes | None) -> list[int]:
        """Those whose published row stood behind them, or is newer as they came late."""
        if not registry.exists(self.connection, self.contract):
            return []
        import numpy as np  # noqa: PLC0415 - only where rows are rejected

        found = overtaken.published(self.connection, self.contract, wanted)
        live = np.array([line.row_hash for line in found if not line.deleted], np.int64)
        last = known.last_places(live) if known is not None else {}
        numbers = []
        for line in found:
            place = wanted[line.number - 1].row.place
            met = not line.deleted and last.get(line.row_hash, place) > place
            if met or place < 0:
                numbers.append(line.number)
        return numbers


def _number(text: str | None) -> int | None:
    """A sequence; None where there is none, or it is no number."""
    try:
        return int(text or "")
    except ValueError:
        return None
