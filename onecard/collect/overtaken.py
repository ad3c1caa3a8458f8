"""Ends rejected rows that a later row of their own reading has overtaken.

Such a row would wait in quarantine as if it were the newest of its record, and a person who
replays it would put it over a newer one: both came by one transfer, and the registry keeps no
places. What a later reading overtakes is found by `onecard.collect.mended`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onecard.collect.context import CollectContext
from onecard.crypto.keys import Key
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

        Between two rejected rows the place decides only where no field orders them; where others
        than the sequence order rows, it decides nothing, and all of them wait.

        Args:
            known: the published rows that the reading met; None where all rows were staged.

        Raises:
            PolicyError: the keys cannot be read, or a rejected row cannot be opened.
        """
        where = (self.connection, self.contract, self.transfer)
        others = set(self.contract.ordering) - {self.contract.sequence}
        if others or not staging.positioned(*where):
            return
        with self.connection.transaction():
            if not self.contract.ordering:
                overtaken.supersede(*where)
            keys: Mapping[str, Key] | None = None
            for rows in overtaken.waiting(*where):
                keys = self.tools.keys.quarantines() if keys is None else keys
                wanted = [found for row in rows if (found := self._wanted(row, keys)) is not None]
                if wanted:
                    numbers = {*self._staged(wanted), *self._published(wanted, known)}
                    overtaken.mend(*where, [wanted[n - 1].row for n in sorted(numbers)])

    def _wanted(self, row: Waiting, keys: Mapping[str, Key]) -> Wanted | None:
        """The record of a rejected row; None where nobody can tell which it is."""
        sealing = keys.get(row.key_epoch)
        if sealing is None:  # it is gone: another process has read the row under an older one
            return None
        values = row.opened(self.contract.id, sealing)
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
    """A sequence, at most as PostgreSQL counts; None where there is none, or it is no number."""
    try:
        return max(-(1 << 63), min(int(text or ""), (1 << 63) - 1))
    except ValueError:
        return None
