"""Quarantined rows whose record came right at its source, or left it.

A reading of the whole source says it by what it has not rejected any more. Any other reading says
it of the records that it has read: their keys are compared by keyed references, and only while
rows of the dataset stand in quarantine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from onecard.crypto.keys import KeyStore
from onecard.ports.row_gate import Rejected
from onecard.store import live_keys, quarantine, quarantine_ends
from onecard.store.database import Connection
from onecard.store.referrer import Referrer, key_of
from schemas.models.contract import Contract

if TYPE_CHECKING:
    import polars as pl

ReadIds = Callable[[Sequence[bytes] | None], Mapping[bytes, list[int]]]

DEAR = 4
"""To look one reference up costs as much as to read so many rows that wait."""


class Waiting:
    """Quarantined rows that have not ended, whose references were made under one key.

    A few references are looked up, so that the live lane, which reads a row a second, does not read
    each time all that an agency has once sent wrong; for many all of them are read, once.

    Attributes:
        referrer: makes such references.
    """

    def __init__(self, referrer: Referrer, rows: int, read: ReadIds) -> None:
        """Nothing is read yet.

        Args:
            referrer: makes such references.
            rows: how many there are.
            read: their ids by some references, or by all (None).
        """
        self.referrer, self._rows, self._read = referrer, rows, read
        self._asked = 0
        self._all: Mapping[bytes, list[int]] | None = None

    def ids(self, refs: Sequence[bytes]) -> Mapping[bytes, list[int]]:
        """Their ids by references; of these ones, if not of more."""
        self._asked += len(refs)
        if self._all is None and self._asked * DEAR < self._rows:
            return self._read(refs) if refs else {}
        if self._all is None:
            self._all = self._read(None)
        return self._all


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
        waiting: Sequence[Waiting],
        sequences_of: Callable[[Collection[int]], dict[int, int]],
    ) -> None:
        """Nothing is found yet.

        Args:
            contract: of the dataset.
            waiting: quarantined rows that have not ended, by the key of their references.
            sequences_of: quarantined rows' sequences, as far as somebody knows them.
        """
        self._contract, self._waiting, self._sequences_of = contract, waiting, sequences_of
        self.found: set[int] = set()
        self.again: set[int] = set()
        self._own: dict[int, int | None] = {}

    @classmethod
    def of(cls, connection: Connection, contract: Contract, keys: KeyStore) -> Watch:
        """That of a dataset's rows in quarantine now.

        Args:
            connection: to the hub's database.
            contract: of the dataset.
            keys: hold the quarantine keys.
        """

        def sequences_of(records: Collection[int]) -> dict[int, int]:
            return _sequences(connection, contract, keys, records)

        waiting = [
            Waiting(
                Referrer(contract, keys.quarantine_of(which.key_epoch), which.suite),
                which.rows,
                partial(quarantine_ends.open_ids, connection, contract.id, which),
            )
            for which in quarantine_ends.open_rows(connection, contract.id)
        ]
        return cls(contract, waiting, sequences_of)

    def look(self, good: pl.DataFrame) -> None:
        """Note which records stand among some good rows.

        Args:
            good: as the gate types them: a column for each field of the contract.
        """
        if not self._waiting or not len(good):
            return
        keys, sequence = _texts(self._contract, good), self._contract.sequence
        numbers: list[int | None] = good[sequence].to_list() if sequence else [None] * len(good)
        newest: dict[int, int | None] = {}
        for waiting in self._waiting:
            refs = waiting.referrer.refs(keys)
            ids = waiting.ids(refs)
            for ref, number in zip(refs, numbers, strict=True):
                for record in ids.get(ref, ()):
                    newest[record] = _higher(number, newest.get(record, number))
        self.found.update(self._not_older(newest))

    def look_at_rejected(self, rows: Sequence[Rejected]) -> None:
        """Note which records stand among some rejected rows.

        Args:
            rows: as they were read.
        """
        for waiting in self._waiting if rows else ():
            found = [waiting.referrer.of_row(row.values) for row in rows]
            refs = [ref for ref in found if ref is not None]
            ids = waiting.ids(refs)
            self.again.update(record for ref in refs for record in ids.get(ref, ()))

    def _not_older(self, newest: Mapping[int, int | None]) -> Iterator[int]:
        """The quarantined rows whose record's good row is not an older version.

        Args:
            newest: the good row's sequence by the quarantined row's id; None where it has none.
        """
        unknown = [i for i, number in newest.items() if number is not None and i not in self._own]
        if unknown:
            self._own.update(dict.fromkeys(unknown) | self._sequences_of(unknown))
        for record, number in newest.items():
            own = None if number is None else self._own[record]
            if number is None or own is None or number >= own:
                yield record


def _higher(one: int | None, other: int | None) -> int | None:
    """The higher of two sequences of good rows of one record; None, where one has none, counts."""
    return None if one is None or other is None else max(one, other)


def _sequences(
    connection: Connection, contract: Contract, keys: KeyStore, records: Collection[int]
) -> dict[int, int]:
    """Quarantined rows' sequences; without rows whose values are gone, or are no number."""
    found = {}
    opened = quarantine.revealed_under(connection, list(records), keys.quarantines())
    for record, values in opened:
        with suppress(ValueError):
            found[record.id] = int(values.get(contract.sequence or "") or "")
    return found


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
    unseen = quarantine_ends.unseen(connection, contract, transfer)
    known = keys.quarantines() if unseen else {}
    for record, values in quarantine.revealed_under(connection, unseen, known):
        key = key_of(contract, values)
        if key is not None:
            wanted[record.id] = key
    published = live_keys.live(connection, contract, wanted)
    quarantine_ends.settle_whole(connection, contract, transfer, published)
