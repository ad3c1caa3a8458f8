"""Quarantined rows whose record came right at its source, or left it.

A reading of the whole source says it by what it has not rejected any more. Any other reading says
it of the records that it has read: their keys are compared by keyed references, and only while
rows of the dataset stand in quarantine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onecard.crypto.keys import KeyStore
from onecard.errors import PolicyError
from onecard.store import live_keys, quarantine, quarantine_ends
from onecard.store.database import Connection
from onecard.store.quarantine_ends import OpenRecord
from onecard.store.referrer import Referrer, key_of
from schemas.models.contract import Contract

if TYPE_CHECKING:
    import polars as pl


class Watch:
    """Looks for records of quarantined rows among the good rows of one reading.

    Attributes:
        found: ids of the quarantined rows whose record was read as a good row.
    """

    def __init__(self, contract: Contract, keys: KeyStore, waiting: list[OpenRecord]) -> None:
        """Group them by the key under which their references were made.

        Args:
            contract: of the dataset.
            keys: hold the quarantine keys.
            waiting: quarantined rows that have not ended.
        """
        self._contract = contract
        self.found: set[int] = set()
        self._groups: list[tuple[Referrer, dict[bytes, list[int]]]] = []
        for epoch, suite in sorted({(r.key_epoch, r.suite) for r in waiting}):
            ids: dict[bytes, list[int]] = {}
            for record in waiting:
                if (record.key_epoch, record.suite) == (epoch, suite):
                    ids.setdefault(bytes(record.record_ref), []).append(record.id)
            self._groups.append((Referrer(contract, keys.quarantine_of(epoch), suite), ids))

    @classmethod
    def of(cls, connection: Connection, contract: Contract, keys: KeyStore) -> Watch:
        """That of a dataset's rows in quarantine now.

        Args:
            connection: to the hub's database.
            contract: of the dataset.
            keys: hold the quarantine keys.
        """
        return cls(contract, keys, quarantine_ends.open_records(connection, contract.id))

    def look(self, good: pl.DataFrame) -> None:
        """Note which records stand among some good rows.

        Args:
            good: as the gate types them: a column for each field of the contract.
        """
        if not self._groups or not len(good):
            return
        keys = _texts(self._contract, good)
        for referrer, ids in self._groups:
            for ref in ids.keys() & set(referrer.refs(keys)):
                self.found.update(ids[ref])


def _texts(contract: Contract, good: pl.DataFrame) -> list[tuple[str, ...]]:
    """The rows' keys as texts."""
    import polars as pl  # noqa: PLC0415 - only where rows flow

    return good.select(pl.col(name).cast(pl.String) for name in contract.key).rows()


def settle(
    connection: Connection, contract: Contract, transfer: int, keys: KeyStore, *, complete: bool
) -> None:
    """End the quarantined rows of which a transfer shows that they are over.

    Args:
        connection: in the transaction that publishes, after the rejected rows were absorbed.
        contract: of the dataset.
        transfer: that is published.
        keys: hold the quarantine keys.
        complete: it has read the whole of a source that holds all its rows.
    """
    quarantine_ends.settle(connection, contract, transfer)
    if not complete:
        return
    wanted: dict[int, tuple[str, ...]] = {}
    for record in quarantine_ends.unseen(connection, contract, transfer):
        try:
            _, values = quarantine.reveal(connection, record, keys)
        except PolicyError:  # its key is gone: nobody can tell which record it was
            continue
        key = key_of(contract, values)
        if key is not None:
            wanted[record] = key
    published = live_keys.live(connection, contract, wanted)
    quarantine_ends.settle_whole(connection, contract, transfer, published)
