"""Quarantined rows whose record came right at its source, or left it.

A reading of the whole source says it by what it has not rejected any more. Any other reading says
it of the records that it has read: their keys are compared by keyed references, and only while
rows of the dataset stand in quarantine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from onecard.crypto.keys import KeyStore
from onecard.errors import ConfigError, PolicyError
from onecard.ports.row_gate import Rejected
from onecard.store import live_keys, quarantine, quarantine_ends
from onecard.store.database import Connection
from onecard.store.quarantine_ends import OpenRecord
from onecard.store.referrer import Referrer, key_of
from schemas.models.contract import Contract

if TYPE_CHECKING:
    import polars as pl


class Watch:
    """Looks for records of quarantined rows among the good rows of one reading.

    Where the contract names a sequence, a good row with a lower one than the rejected row's is an
    older version, and mends nothing.

    Attributes:
        found: ids of the quarantined rows whose record was read as a good row.
        again: ids of those whose record was rejected again; under one key that shows by itself.
    """

    def __init__(
        self,
        contract: Contract,
        keys: KeyStore,
        waiting: list[OpenRecord],
        sequence_of: Callable[[int], int | None],
    ) -> None:
        """Group them by the key under which their references were made.

        Args:
            contract: of the dataset.
            keys: hold the quarantine keys.
            waiting: quarantined rows that have not ended.
            sequence_of: a quarantined row's sequence; None where nobody knows.
        """
        self._contract, self._sequence_of = contract, cache(sequence_of)
        self.found: set[int] = set()
        self.again: set[int] = set()
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

        def sequence_of(record: int) -> int | None:
            return _sequence(connection, contract, keys, record)

        waiting = quarantine_ends.open_records(connection, contract.id)
        return cls(contract, keys, waiting, sequence_of)

    def look(self, good: pl.DataFrame) -> None:
        """Note which records stand among some good rows.

        Args:
            good: as the gate types them: a column for each field of the contract.
        """
        if not self._groups or not len(good):
            return
        keys, sequence = _texts(self._contract, good), self._contract.sequence
        numbers: list[int | None] = good[sequence].to_list() if sequence else [None] * len(good)
        for referrer, ids in self._groups:
            for ref, number in zip(referrer.refs(keys), numbers, strict=True):
                self.found.update(i for i in ids.get(ref, ()) if not self._older(i, number))

    def look_at_rejected(self, rows: Sequence[Rejected]) -> None:
        """Note which records stand among some rejected rows.

        Args:
            rows: as they were read.
        """
        for referrer, ids in self._groups if rows else ():
            for row in rows:
                ref = referrer.of_row(row.values)
                self.again.update(ids.get(ref, ()) if ref is not None else ())

    def _older(self, record: int, number: int | None) -> bool:
        """Whether a good row with this sequence is older than a quarantined row."""
        mine = None if number is None else self._sequence_of(record)
        return mine is not None and number is not None and number < mine


def _sequence(
    connection: Connection, contract: Contract, keys: KeyStore, record: int
) -> int | None:
    """A quarantined row's sequence; None where its values are gone or are no number."""
    try:
        _, values = quarantine.reveal(connection, record, keys)
        return int(values.get(contract.sequence or "") or "")
    except (ConfigError, PolicyError, ValueError):
        return None


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
