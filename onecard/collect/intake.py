"""Intake: a source's chunks through the gate into staging; read, check and load overlap."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from onecard.base import failpoints
from onecard.base.prefetch import prefetch
from onecard.collect import counties
from onecard.collect.context import CollectContext
from onecard.collect.mended import Watch
from onecard.crypto.keys import Key
from onecard.errors import FatalError
from onecard.model.checkpoints import Checkpoint
from onecard.model.transfers import Counts
from onecard.ports.row_gate import Reason, Rejected
from onecard.ports.source import Chunk, Counted, Reading, ReadRequest, Remarking
from onecard.store import (
    quarantine_ends,
    quarantine_intake,
    registry,
    row_order,
    rule_results,
    staged_repeats,
    staging,
)
from onecard.store.database import Connection
from onecard.store.loader import Loader
from onecard.store.sealing import Sealed, Sealer
from schemas.models.contract import Contract
from schemas.models.rules import Unique

if TYPE_CHECKING:
    import polars as pl

    from onecard.store.known_hashes import KnownHashes


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """What an intake found.

    Attributes:
        digest: SHA-256 over the Arrow buffers as they were read.
        there: rows that the source holds; None where neither a whole reading nor it says so.
        counties: rows read and rows quarantined by county.
    """

    counts: Counts
    checkpoint: Checkpoint
    digest: str
    rules: Mapping[Reason, int]
    warnings: Mapping[Reason, int]
    remarks: tuple[str, ...] = ()
    there: int | None = None
    counties: tuple[Mapping[str, int], Mapping[str, int]] = ({}, {})

    def with_more(self, more: IntakeResult) -> IntakeResult:
        """The same with rows that were read beside: watermark and size of the source stay.

        Args:
            more: what the intake of those rows found.
        """
        digest = hashlib.sha256(f"{self.digest} {more.digest}".encode()).hexdigest()
        (read, quarantined), (also_read, also_quarantined) = self.counties, more.counties
        return replace(
            self,
            counts=self.counts + more.counts,
            digest=digest,
            rules=Counter(self.rules) + Counter(more.rules),
            warnings=Counter(self.warnings) + Counter(more.warnings),
            remarks=(*self.remarks, *more.remarks),
            counties=(
                Counter(read) + Counter(also_read),
                Counter(quarantined) + Counter(also_quarantined),
            ),
        )


@dataclass(slots=True)
class _Tally:
    """Running sums of one intake.

    Attributes:
        place: of the next row in the reading.
    """

    read: int = 0
    unchanged: int = 0
    quarantined: int = 0
    place: int = 1
    cursor: object = None
    rules: Counter[Reason] = field(default_factory=Counter)
    warnings: Counter[Reason] = field(default_factory=Counter)


class Intake:
    """Takes one source's rows for one transfer."""

    def __init__(
        self, tools: CollectContext, contract: Contract, connection: Connection, transfer: int
    ) -> None:
        self._tools = tools
        self._contract = contract
        self._connection = connection
        self._transfer = transfer
        self._counties = counties.Tally(contract)

    def take(
        self, request: ReadRequest, known: KnownHashes | None, watch: Watch | None = None
    ) -> IntakeResult:
        """Read to the end: good rows to staging, rejected rows to the transfer's own table.

        Args:
            request: what to read.
            known: row hashes that are published; None: every good row is staged.
            watch: looks for records of quarantined rows; None: nobody asks.
        """
        system = self._tools.connections.get(self._contract.source.connection)
        return self.take_from(self._tools.connector.read(system, request), request, known, watch)

    def take_from(
        self,
        reading: Reading,
        request: ReadRequest,
        known: KnownHashes | None,
        watch: Watch | None = None,
    ) -> IntakeResult:
        """As `take`, of a reading that has begun.

        Args:
            reading: of the source.
            request: by which it was begun.
            known: as of `take`.
            watch: as of `take`.
        """
        tools, contract = self._tools, self._contract
        tally, digest = _Tally(), hashlib.sha256()
        key = tools.keys.quarantine()
        now = tools.settings.now()
        table = staging.table_name(contract, self._transfer)
        with Loader(tools.address, table) as loader:
            for chunk in prefetch(_digested(reading, digest), f"the source of {contract.id}", 1):
                good, rejected = self._check(chunk, now, tally, key)
                if watch is not None:
                    watch.look(good)
                    watch.look_at_rejected(rejected)
                good = self._only_new(self._placed(good, chunk, rejected, tally), known, tally)
                if len(good):
                    loader.put(good)
        if watch is not None:
            self._note(watch)
        checkpoint = self._checkpoint(request, reading, tally, now)
        there = reading.rows_there if isinstance(reading, Counted) else None
        if request.since is None and "source" not in checkpoint:
            there = tally.read
        repeats = known.repeats if known else 0
        return IntakeResult(
            counts=Counts(
                rows_read=tally.read,
                unchanged=tally.unchanged - repeats,
                quarantined=tally.quarantined,
                deduplicated=repeats,
            ),
            checkpoint=checkpoint,
            digest=digest.hexdigest(),
            rules=tally.rules,
            warnings=tally.warnings,
            remarks=remarks(reading),
            there=there,
            counties=(self._counties.read, self._counties.quarantined),
        )

    def repeated(self, *, first: bool) -> dict[Reason, int]:
        """Move staged rows that break a `unique` rule to the rejected ones; count them."""
        found: dict[Reason, int] = {}
        for rule in self._contract.rules:
            if isinstance(rule.check, Unique):
                reason = Reason(rule.check.columns[-1], rule.name)
                number = self._move(rule.check, reason, first=first)
                if number:
                    found[reason] = number
        tallies = (self._counties.read, self._counties.quarantined)
        rule_results.record_counties(self._connection, self._transfer, *tallies)
        return found

    def _move(self, rule: Unique, reason: Reason, *, first: bool) -> int:
        contract = self._contract
        rows = staged_repeats.take_repeated(
            self._connection, contract, self._transfer, rule, against_registry=not first
        )
        sealer = Sealer(self._tools.keys.quarantine(), self._tools.suite, contract)
        rejected = [Rejected(n, row, (reason,)) for n, row in enumerate(rows, start=1)]
        self._counties.add_quarantined(row.values for row in rejected)
        self._keep(sealer.seal(contract.id, "staging", row) for row in rejected)
        return len(rows)

    def _keep(self, rows: Iterable[Sealed]) -> None:
        table = staging.rejected(self._contract, self._transfer)
        quarantine_intake.append(self._connection, table, rows)

    def _note(self, watch: Watch) -> None:
        """Write down whose wait in quarantine the reading ends."""
        connection, contract, transfer = self._connection, self._contract, self._transfer
        quarantine_ends.note(connection, contract, transfer, watch.again, "superseded")
        quarantine_ends.note(connection, contract, transfer, watch.found, "mended")

    def _check(
        self, chunk: Chunk, now: datetime, tally: _Tally, key: Key
    ) -> tuple[pl.DataFrame, Sequence[Rejected]]:
        checked = self._tools.gate.check(chunk, now)
        tally.read += chunk.batch.num_rows
        if len(checked.good) + len(checked.rejected) != chunk.batch.num_rows:
            msg = f"{self._contract.id}: the gate lost rows of {chunk.origin}"
            raise FatalError(msg)
        tally.quarantined += len(checked.rejected)
        for row in checked.rejected:
            tally.rules.update(row.reasons)
        tally.warnings.update(checked.warnings)
        self._counties.add_read(chunk.batch)
        self._counties.add_quarantined(row.values for row in checked.rejected)
        if checked.rejected:
            sealer = Sealer(key, self._tools.suite, self._contract)
            self._keep(self._sealed(sealer, chunk, checked.rejected, tally))
            failpoints.reach("stage.rejected")
        failpoints.reach("stage.checked")
        return checked.good, checked.rejected

    def _sealed(
        self, sealer: Sealer, chunk: Chunk, rows: Sequence[Rejected], tally: _Tally
    ) -> Iterator[Sealed]:
        """Rejected rows with their places in the reading, where these mean something."""
        dataset, first = self._contract.id, None
        if self._tools.in_order:
            first = self._first(chunk, tally) - chunk.first_row
        for row in rows:
            place = None if first is None else first + row.number
            yield sealer.seal(dataset, chunk.origin, row, place)

    @staticmethod
    def _first(chunk: Chunk, tally: _Tally) -> int:
        """Place of a chunk's first row, good or rejected, among all rows of the reading."""
        return row_order.begin(row_order.across(chunk.place, tally.place), late=chunk.late)

    def _only_new(
        self, good: pl.DataFrame, known: KnownHashes | None, tally: _Tally
    ) -> pl.DataFrame:
        cursor = self._contract.source.cursor
        if cursor and len(good):
            found = (tally.cursor, good[cursor].max())
            tally.cursor = max((c for c in found if c is not None), default=None)  # type: ignore[type-var]
        if known is None or not len(good):
            return good
        places = good[row_order.POSITION].to_numpy() if self._tools.in_order else None
        mask = known.contains(good[registry.HASH].to_numpy(), places)
        fresh = good.filter(~mask)
        tally.unchanged += len(good) - len(fresh)
        return fresh

    def _placed(
        self, good: pl.DataFrame, chunk: Chunk, rejected: Sequence[Rejected], tally: _Tally
    ) -> pl.DataFrame:
        """The good rows with their places in the reading, where these mean something."""
        if not self._tools.in_order:
            return good
        first = self._first(chunk, tally)
        tally.place += chunk.batch.num_rows
        return row_order.placed(good, first, [row.number - chunk.first_row for row in rejected])

    def _checkpoint(
        self, request: ReadRequest, reading: Reading, tally: _Tally, now: datetime
    ) -> Checkpoint:
        """The next checkpoint: never past now minus lag (F19), never behind the last one."""
        latest = now - self._contract.source.lag.span
        moments = [m for m in (tally.cursor,) if isinstance(m, datetime)]
        if request.since is not None:
            overlap = self._contract.source.overlap.span
            moments.append(datetime.fromisoformat(request.since) + overlap)
        found: Checkpoint = {}
        if moments:
            found["cursor"] = min(max(moments), latest).astimezone(now.tzinfo).isoformat()
        source = reading.checkpoint
        if source:
            found["source"] = source
        return found


def _digested(reading: Reading, digest: hashlib._Hash) -> Iterator[Chunk]:
    """The chunks, each added to the digest."""
    for chunk in reading:
        _digest(chunk, digest)
        yield chunk


def _digest(chunk: Chunk, digest: hashlib._Hash) -> None:
    """Add a batch's Arrow buffers to the digest."""
    for column in chunk.batch.columns:
        texts = column.dictionary.buffers() if hasattr(column, "dictionary") else ()
        for buffer in filter(None, (*column.buffers(), *texts)):
            digest.update(buffer)


def remarks(reading: Reading) -> tuple[str, ...]:
    """What a reading says of itself at its end: files refused or waiting, and its own remarks."""
    refused = [f"refused {r.origin}: {r.rule}" for r in reading.refused]
    said = reading.remarks if isinstance(reading, Remarking) else ()
    return (*refused, *(f"waiting for {name}" for name in reading.waiting), *said)
