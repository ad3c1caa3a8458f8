"""Reconciliation of an inbox: what a consumer should hold by its agreement, and what it holds.

What should be there is selected, treated and gated as for a delivery with nothing sent before, and
marked: rows that the next delivery sends anyway wait. What is there is read back by the connector.
Both are compared as canonical texts in staging tables. Missing and differing rows are delivered
again in one delivery of their own: gate, receipt and disclosures as always.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from onecard.crypto import suites
from onecard.deliver.context import Replay
from onecard.deliver.expected_inbox import LAPSED, QUARANTINED, WAITING
from onecard.deliver.outgoing import arrow_of
from onecard.errors import ConfigError, HoldError, InboxTaken
from onecard.model.reconciliations import ReconciliationResult
from onecard.ports.inbox import Arrivals, Dropped, Held, Readable, Sendings
from onecard.ports.source import Chunk, Column, ReadRequest
from onecard.reconcile.inbox_rows import AGREEING, DIFFERING, EXTRA, GONE_FLAG, MISSING, InboxRows
from onecard.reconcile.noting import noted
from onecard.reconcile.services import TransferDesk
from onecard.store import database, deliveries, holding_heads, locks, reconciliations
from onecard.store.holding import KEY
from onecard.store.reconciliations import SHOWN
from schemas.models.agreement import Agreement

if TYPE_CHECKING:
    import polars as pl


def readable(hub: TransferDesk) -> list[str]:
    """Agreements whose inboxes can be read back."""
    return sorted(a.id for a in hub.catalogue.agreements.values() if _reads_back(hub, a))


def reconcile_inbox(
    hub: TransferDesk, agreement_id: str, *, heal: bool = True
) -> ReconciliationResult:
    """Compare one agreement's inbox with what the consumer should hold, and heal it.

    The result's `check` raises when a person must decide.

    Args:
        hub: the hub.
        agreement_id: whose inbox.
        heal: deliver what is missing or differs again.

    Raises:
        NotCollected: nothing was delivered yet.
        ConfigError: unknown agreement, or an inbox that cannot be read back.
        OnecardError: as connector, gate and delivery raise it; the ledger then says `failed`.
    """
    agreement = hub.catalogue.agreement(agreement_id)
    if not _reads_back(hub, agreement):
        kind = agreement.delivery.connector if agreement.delivery else "none"
        kind = f"{kind}, sealed" if agreement.sealed else kind
        msg = (
            f"{agreement.id}: its inbox ({kind}) cannot be read back, so nobody can tell from here"
            f" what the consumer holds; that can be told of: {', '.join(readable(hub))}"
        )
        raise ConfigError(msg)
    with database.connect(hub.address, autocommit=True) as connection:
        locks.hold(connection, locks.Kind.RECONCILIATION, agreement.id)
        now, actor = hub.settings.now(), hub.settings.actor

        def start() -> int:
            return reconciliations.start(connection, "agreement", agreement.id, now, None)

        with noted(hub, connection, agreement.id, start) as number:
            done = _Reconciliation(hub, agreement, connection, number).run(heal=heal)
            reconciliations.finish(connection, done, actor)
        if heal and done.outcome != "held":
            holding_heads.reconciled(connection, agreement.id)
    return done


def _reads_back(hub: TransferDesk, agreement: Agreement) -> bool:
    """Whether the hub can read its rows: what is sealed opens for the consumer alone."""
    block = agreement.delivery
    return block is not None and block.connector in hub.read_back and not block.sealed


@dataclass(frozen=True)
class _Reconciliation:
    """One run over one inbox."""

    hub: TransferDesk
    agreement: Agreement
    connection: database.Connection
    number: int

    def run(self, *, heal: bool) -> ReconciliationResult:
        rows = InboxRows(self.hub.address, self.connection, self.agreement)
        with rows.opened():
            try:
                done, vouched, schema = self._compared(rows, settle=heal)
            except InboxTaken:
                return replace(self._nothing(), outcome="unjudged")
            wrong = done.missing + done.differing
            if not wrong + done.extra:
                return done
            gone = self._gone(rows, schema) if done.extra else None
            told = wrong + (len(gone) if gone is not None else 0)
            if not told or not heal:
                return replace(done, outcome="open")
            how = Replay(vouched=vouched, chosen=rows.chosen, gone=gone)
            try:
                self.hub.deliver(self.agreement.id).run(how)
            except HoldError:
                return replace(done, outcome="held", held=told)
        with rows.opened():
            after, _, _ = self._compared(rows, settle=True)
        left = after.missing + after.differing + after.extra
        healed = max(wrong + done.extra - left, 0)
        mended = not after.missing + after.differing + after.extra
        return replace(done, healed=healed, outcome="healed" if mended else "open")

    def _gone(self, rows: InboxRows, schema: pa.Schema) -> pl.DataFrame | None:
        """Keys that the inbox holds beyond its agreement, where the consumer is told of deletes."""
        if not self.agreement.tells_deletes:
            return None
        return rows.keys_typed(EXTRA, schema)

    def _compared(
        self, rows: InboxRows, *, settle: bool
    ) -> tuple[ReconciliationResult, frozenset[str], pa.Schema]:
        """What both sides hold, the keys for which a person vouches, and the types that leave.

        Args:
            rows: empty staging tables.
            settle: where nothing is missing or differs, make the record of what the inbox holds.
        """
        with self.hub.deliver(self.agreement.id).expected_inbox() as expected:
            schema = arrow_of(expected.schema_frame).schema
            rows.load(rows.expected, _batches(expected.frames()), schema)
            held = self._held(expected.sendings)
            rows.load(rows.present, map(_found, held.chunks), schema)
            found = rows.judge(blank_is_null=held.blank_is_null)
            if settle and expected.record and not found[MISSING] + found[DIFFERING]:
                kept = rows.entries(LAPSED, QUARANTINED, WAITING).select(KEY)
                last = deliveries.last_confirmed(self.connection, self.agreement.id)
                expected.record.rebuild(rows.entries(AGREEING), kept, last)
        both = found[AGREEING] + found[DIFFERING]
        done = replace(
            self._nothing(),
            rows_hub=both + found[MISSING],
            rows_other=both + found[EXTRA],
            agreeing=found[AGREEING],
            missing=found[MISSING],
            differing=found[DIFFERING],
            extra=found[EXTRA],
            waiting=found[WAITING],
            lapsed=found[LAPSED],
            quarantined=found[QUARANTINED],
            refs=self._references(rows),
        )
        return done, frozenset(expected.vouched), schema

    def _held(self, sendings: Sendings) -> Held:
        block = self.agreement.delivery
        assert block is not None  # noqa: S101 - asked by the caller
        connector = self.hub.connector(block.connector)
        assert isinstance(connector, Readable)  # noqa: S101 - asked by the caller
        request = ReadRequest(
            dataset=self.agreement.id,
            columns=tuple(Column(n, n) for n in self.agreement.names),
            options=connector.sink_options.model_validate(dict(block.options)),
        )
        arrivals = Arrivals(self.agreement.key, sendings)
        return connector.held(self.hub.connections.get(block.connection), request, arrivals)

    def _nothing(self) -> ReconciliationResult:
        return ReconciliationResult(id=self.number, subject=self.agreement.id, method="stream")

    def _references(self, rows: InboxRows) -> dict[str, list[str]]:
        """The first keys of each kind, keyed: digests of agreement and the key that left."""
        found = {}
        key, suite = self.hub.keys.quarantine(), suites.suite(self.hub.suite.name)
        for kind in (MISSING, EXTRA, DIFFERING):
            texts = [
                "inbox|" + json.dumps([self.agreement.id, *k], ensure_ascii=False)
                for k in rows.keys(kind, SHOWN)
            ]
            if texts:
                found[kind] = [r.hex() for r in suite.digests(key.secret, texts)]
        return found


def _found(chunk: Chunk | Dropped) -> pa.RecordBatch:
    """The rows of an inbox; keys that it was told to drop are marked."""
    if isinstance(chunk, Chunk):
        return chunk.batch
    batch = chunk.keys
    return batch.append_column(GONE_FLAG, pa.array(["true"] * batch.num_rows, pa.string()))


def _batches(frames: Iterator[pl.DataFrame]) -> Iterator[pa.RecordBatch]:
    import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

    for frame in frames:
        yield from frame.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches()
