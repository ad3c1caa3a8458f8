"""The disclosure ledger: which person's data went out in which delivery.

A person is an 8-byte keyed reference: bytes 24 to 32 of the digest whose first 130 bits make the
token, under the consumer's key and epoch. So the ledger names nobody, and two consumers' entries
cannot be joined without the keys. References of one delivery are packed by bucket (the first
16 bits): a large delivery writes at most 65,536 rows, in order and behind all others, and a look-up
reads one bucket of each delivery to the consumer (ADR 0065). Those of a day's folded deliveries of
the live lane stand together, by their first 8 bits (`onecard.store.folding`).

Written before the rows leave: a delivery that was cut off is listed with its state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import LiteralString

import numpy as np
import numpy.typing as npt
from psycopg.rows import class_row

from onecard.base import failpoints
from onecard.base.times import ZONE
from onecard.store import months
from onecard.store.database import Connection, fetch_all, scalars
from onecard.store.packed_copy import Groups, copy_groups

BUCKET_BITS = 16
REFERENCE_BYTES = 8
PACKED = np.dtype([("person", ">u8"), ("transfer", ">u8")])
"""An entry of `ledger.lane_disclosure`."""
DIGEST_BYTES = 32
TABLE, QUESTIONS = "disclosure", "question"
"""Tables by the month: of deliveries, and of calls about one person (`store.questions`)."""

PENDING = 4_000_000
"""References held in memory before they are written: 32 MB."""

_BUCKETS = 65_536
"""Buckets read before their references are sorted in."""


def references(digests: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """The references of digests, given as rows of 32 bytes."""
    last = np.ascontiguousarray(digests[:, -REFERENCE_BYTES:])
    return last.view(">u8").ravel().astype(np.uint64)


_FOUND: LiteralString = (
    "SELECT * FROM (SELECT t.id AS transfer, t.subject AS agreement, t.status, t.sent_rows AS rows,"
    " coalesce(t.finished_at, t.started_at) AS at, r.body AS receipt"
    " FROM ledger.transfer t LEFT JOIN ledger.receipt r ON r.transfer = t.id"
    " WHERE t.id = ANY(%(ids)s) UNION ALL SELECT p.transfers[i], p.subject, 'confirmed',"
    " p.sent_rows[i], p.finished_at[i], p.bodies[i] FROM unnest(%(ids)s::bigint[]) w (id)"
    " JOIN ledger.lane_pack p ON p.first <= w.id AND p.last >= w.id"
    " CROSS JOIN LATERAL array_position(p.transfers, w.id) AS i WHERE i IS NOT NULL) d"
    " WHERE agreement = ANY(%(of)s) ORDER BY transfer"
)


class Recorder:
    """Collects the references of one delivery and writes them before its rows leave."""

    def __init__(self, connection: Connection, transfer: int, on: date) -> None:
        self._connection, self._transfer = connection, transfer
        self._month = on.replace(day=1)
        self._pending: list[npt.NDArray[np.uint64]] = []
        self._waiting = 0
        self._part = 0

    def add(self, found: npt.NDArray[np.uint64]) -> None:
        """Take the references of one batch."""
        self._pending.append(found)
        self._waiting += len(found)
        if self._waiting > PENDING:
            self.flush()

    def flush(self) -> None:
        """Write what is pending."""
        if not self._waiting:
            return
        import polars as pl  # noqa: PLC0415 - only where rows flow

        failpoints.reach("disclose.before")
        if self._part == 0:
            make_partition(self._connection, self._month)
        # Polars sorts numbers in a fourth of NumPy's time, and this thread has others beside it.
        ordered = pl.Series(np.concatenate(self._pending)).sort(multithreaded=False).to_numpy()
        unique = ordered[np.append(True, ordered[1:] != ordered[:-1])]
        self._pending, self._waiting = [], 0
        self._part += 1
        copy = (
            "COPY ledger.disclosure (month, bucket, transfer, part, refs)"
            " FROM STDIN (FORMAT BINARY)"
        )
        fields = (
            ("date", self._month),
            ("int4", None),
            ("int8", self._transfer),
            ("int4", self._part),
        )
        copy_groups(self._connection, copy, fields, [_grouped(unique)])
        failpoints.reach("disclose.after")


def _grouped(unique: npt.NDArray[np.uint64]) -> Groups:
    """References by bucket, of a sorted array."""
    buckets = (unique >> np.uint64(64 - BUCKET_BITS)).astype(np.int32)
    starts = np.flatnonzero(np.diff(buckets, prepend=np.int32(-1)))
    places = np.append(starts, len(unique)) * REFERENCE_BYTES
    return Groups(buckets[starts], places, unique.astype(">u8").view(np.uint8))


def make_partition(connection: Connection, month: date) -> None:
    """Make the table of a month, if it is not there."""
    months.make(connection, TABLE, month)


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One delivery that held a person's data.

    Attributes:
        status: of the transfer; `failed` means that the receiver may have got it.
        receipt: the transfer's signed receipt as text, when there is one.
    """

    transfer: int
    agreement: str
    at: datetime
    status: str
    rows: int
    receipt: str | None


@dataclass(frozen=True, slots=True)
class _Opened:
    id: int
    hub_time: datetime


@dataclass(frozen=True, slots=True)
class _Bucket:
    transfer: int
    refs: bytes


def of_person(
    connection: Connection, consumer_agreements: Iterable[str], digests: Iterable[bytes]
) -> list[Disclosure]:
    """Deliveries under these agreements that held the person, oldest first.

    Args:
        connection: of the hub's database.
        consumer_agreements: ids of one consumer's agreements.
        digests: the person's digest under each key epoch of that consumer.
    """
    joined = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES)
    wanted = references(joined)
    if not len(wanted):
        return []
    agreements, found = list(consumer_agreements), set[int]()
    deliveries = _by_month(connection, agreements)
    for reference in np.unique(wanted):
        found |= _delivered_with(connection, reference, deliveries)
        found |= _folded_with(connection, reference, agreements)
    return fetch_all(connection, Disclosure, _FOUND, {"ids": list(found), "of": agreements})


def _by_month(connection: Connection, agreements: list[str]) -> dict[date, list[int]]:
    """Deliveries by the months in which their disclosures may stand: midnight may have passed."""
    statement = (
        "SELECT id, hub_time FROM ledger.transfer"
        " WHERE subject = ANY(%s) AND direction = 'deliver' ORDER BY id"
    )
    found: dict[date, list[int]] = {}
    for delivery in fetch_all(connection, _Opened, statement, (agreements,)):
        opened = delivery.hub_time.astimezone(ZONE).date()
        for month in {months.first_of(opened), months.first_of(opened + timedelta(days=1))}:
            found.setdefault(month, []).append(delivery.id)
    return found


def _delivered_with(
    connection: Connection, person: np.uint64, deliveries: Mapping[date, list[int]]
) -> set[int]:
    """Deliveries that held a person, among those of each month."""
    needle, bucket = int(person).to_bytes(REFERENCE_BYTES, "big"), int(person) >> 64 - BUCKET_BITS
    statement = (
        "SELECT transfer, refs FROM ledger.disclosure"
        " WHERE month = %s AND bucket = %s AND transfer = ANY(%s)"
    )
    found = set[int]()
    for month, ids in deliveries.items():
        packs = fetch_all(connection, _Bucket, statement, (month, bucket, ids))
        found |= {pack.transfer for pack in packs if _holds(pack.refs, needle)}
    return found


def _folded_with(connection: Connection, person: np.uint64, agreements: list[str]) -> set[int]:
    """Folded deliveries that held a person; looked for after the others: rows only move there."""
    packs = scalars(
        connection,
        bytes,
        "SELECT entries FROM ledger.lane_disclosure WHERE bucket = %s AND agreement = ANY(%s)",
        (int(person) >> 56, agreements),
    )
    entries = np.frombuffer(b"".join(packs), PACKED)
    return set(entries["transfer"][entries["person"] == person].tolist())


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What left under one agreement.

    Attributes:
        persons: references, sorted, each once.
        transfers: deliveries of which the ledger still has the persons.
    """

    persons: npt.NDArray[np.uint64]
    transfers: frozenset[int]


def of_agreement(connection: Connection, agreement: str) -> Disclosed:
    """All persons whose data left, or may have left, under one agreement; reads the whole ledger.

    Args:
        connection: of the hub's database.
        agreement: its id.
    """
    statement = (
        "SELECT d.transfer, d.refs FROM ledger.disclosure d JOIN ledger.transfer t"
        " ON t.id = d.transfer WHERE t.subject = %s AND t.direction = 'deliver'"
    )
    persons, transfers = np.empty(0, np.uint64), set[int]()
    waiting: list[bytes] = []
    with (
        connection.transaction(),
        connection.cursor("disclosed", row_factory=class_row(_Bucket)) as cursor,
    ):
        for bucket in cursor.execute(statement, (agreement,)):
            transfers.add(bucket.transfer)
            waiting.append(bucket.refs)
            if len(waiting) >= _BUCKETS:
                persons, waiting = _with(persons, waiting), []
    packs = scalars(
        connection,
        bytes,
        "SELECT entries FROM ledger.lane_disclosure WHERE agreement = %s",
        (agreement,),
    )
    folded = np.frombuffer(b"".join(packs), PACKED)
    transfers |= set(np.unique(folded["transfer"]).tolist())
    persons = np.concatenate([_with(persons, waiting), folded["person"].astype(np.uint64)])
    return Disclosed(np.unique(persons), frozenset(transfers))


def _with(persons: npt.NDArray[np.uint64], buckets: list[bytes]) -> npt.NDArray[np.uint64]:
    """These references and more, sorted, each once."""
    more = np.frombuffer(b"".join(buckets), ">u8").astype(np.uint64)
    return np.unique(np.concatenate([persons, more]))


def _holds(refs: bytes, needle: bytes) -> bool:
    place = refs.find(needle)
    while place >= 0 and place % REFERENCE_BYTES:
        place = refs.find(needle, place + 1)
    return place >= 0
