"""One attempt to deliver: refuse what is unusual, open the window, gate, send, confirm."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from onecard.base import failpoints
from onecard.base.prefetch import beside
from onecard.crypto.envelope import Envelope
from onecard.deliver.context import Delivered, DeliveryContext, Replay
from onecard.deliver.delivery_log import Confirmation, DeliveryLog, Progress
from onecard.deliver.outgoing import Outgoing, arrow_of, batches_of
from onecard.deliver.query import Selection
from onecard.deliver.replacement import NOTHING, Order
from onecard.deliver.volumes import Volumes
from onecard.deliver.wanted import Wanted
from onecard.errors import PolicyError, ProtocolError
from onecard.model.gate_inputs import GateInputs
from onecard.model.treated import TextShape, shape_of
from onecard.ports.privacy_gate import PrivacyGate
from onecard.ports.sink import Parcel, Sent
from onecard.store import agreement_lives, database, deliveries, receipts
from onecard.store.disclosures import Recorder
from onecard.store.sealing import Sealer
from onecard.store.snapshots import Snapshot

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from onecard.crypto.receiver_keys import ReceiverKey
    from onecard.deliver.difference import Difference
    from onecard.deliver.earlier import Earlier
    from onecard.deliver.measuring import Measuring
    from onecard.deliver.record import Change, Pending, Record
    from onecard.deliver.replacement import Replacements
    from onecard.deliver.treatment import Tokeniser
    from onecard.store.database import Connection

logger = logging.getLogger(__name__)

MANY_ROWS = 100_000
"""Writing down more rows than this takes longer than opening another connection."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which rows an attempt is about.

    Attributes:
        tokeniser: the consumer's; None only for statistics.
        replay: of rows that are sent again, else None.
        record: of what the consumer holds; None for statistics.
        old_tokens: of the tokens in the keys that it has, where they are of an earlier key.
        replacements: keeps the order on replacement; None where the rows tell of no carriers.
        measuring: of how long events take; None: nothing is measured.
        receiver: key of the consumer that all is sealed for; None: nothing is.
    """

    selection: Selection
    tokeniser: Tokeniser | None
    replay: Replay | None
    record: Record | None
    old_tokens: Tokeniser | None = None
    measuring: Measuring | None = None
    replacements: Replacements | None = None
    receiver: ReceiverKey | None = None

    def in_order(self, snapshot: Snapshot) -> tuple[Selection, Order]:
        """The rows that may leave by now; whoever chooses rows has the last word on these."""
        if self.replacements is None or self.alone:
            return self.selection, NOTHING
        head = self.record.head if self.record is not None else None
        return self.replacements.look(snapshot, self.selection, head)

    @property
    def alone(self) -> bool:
        """Whether rows are sent beside what is due, and nothing is withdrawn."""
        return self.replay is not None and self.replay.alone


@dataclass(slots=True)
class Attempt:
    """Carries out one attempt, and knows how far it has come.

    Attributes:
        log: where it is recorded.
        make_gate: the privacy gate of this delivery.
    """

    log: DeliveryLog
    tools: DeliveryContext
    chosen: Chosen
    make_gate: Callable[[], PrivacyGate]
    _gate: PrivacyGate | None = field(default=None, init=False)
    _work: Difference | None = field(default=None, init=False)
    _recorder: Recorder | None = field(default=None, init=False)
    _pending: Pending | None = field(default=None, init=False)
    _change: Future[Change] | None = field(default=None, init=False)
    _delivery: str = field(default="", init=False)
    _left: bool = field(default=False, init=False)
    _left_rows: int = field(default=0, init=False)

    def progress(self) -> Progress:
        """How far it has come."""
        results = self._gate.results if self._gate else ()
        found = Progress(self._delivery, self._left, self._left_rows, results=results)
        return replace(found, tally=self._work.tally) if self._work else found

    def carry_out(self) -> Delivered:
        """Send what was chosen, and confirm it; raises as `Deliver.run`."""
        agreement, log = self.log.agreement, self.log
        today = self.tools.settings.now().date()
        self._recorder = Recorder(log.connection, log.transfer, today)
        gate = self._opened_gate()
        with Snapshot(self.tools.address) as snapshot:
            selection, order = self.chosen.in_order(snapshot)
            outgoing = Outgoing(snapshot, selection, gate, self.chosen.tokeniser)
            work = self._work = self._difference(outgoing)
            work.survey()
            if self._beyond is not None:
                work.gone = self._beyond
            self._refuse_unusual(work)
            self._delivery = log.open_window()
            failpoints.reach("deliver.window")
            sent = self._send(work)
            failpoints.reach("send.after")
        assert self._gate is not None  # noqa: S101 - opened above
        self._gate.close(sent, work.tally.passed)
        if sent.deleted != len(work.gone):
            msg = f"{agreement.id}: {sent.deleted} deletes were confirmed, not all that left"
            raise ProtocolError(msg)
        sealer = Sealer(self.tools.keys.quarantine(), self.tools.suite)
        if work.tally.unexplained:
            logger.warning(
                "%s: %d rows that the consumer has are in scope no more, and nothing tells their"
                " keys: reconcile its inbox, or deliver --whole and let it start anew",
                agreement.id,
                work.tally.unexplained,
            )
        if work.tally.assumed and work.record is not None and not work.record.read_back:
            logger.warning(
                "%s: %d rows count as delivered by their versions alone, as no disclosure tells"
                " whether they left: deliver --whole after an agreement with the consumer",
                agreement.id,
                work.tally.assumed,
            )
        sent = replace(sent, remarks=(*sent.remarks, *order.remarks))
        outcome = replace(self._outcome(work, snapshot), order=order)
        log.confirmed(sent, self.progress(), sealer, outcome)
        return Delivered(
            agreement.id,
            log.transfer,
            sent.rows,
            sent.parts,
            sent.already,
            len(work.tally.quarantined),
            work.tally.withheld,
            sent.deleted,
            sent.remarks,
            not self.chosen.alone and work.record is not None and work.record.to_reconcile,
            len(order.waiting),
        )

    @property
    def _beyond(self) -> pl.DataFrame | None:
        """Keys that a reconciliation withdraws."""
        replay = self.chosen.replay
        return replay.gone if replay and self.log.agreement.tells_deletes else None

    def _opened_gate(self) -> PrivacyGate:
        gate = self._gate = self.make_gate()
        gate.open()
        return gate

    def _difference(self, outgoing: Outgoing) -> Difference:
        from onecard.deliver.difference import Difference  # noqa: PLC0415 - Polars only here
        from onecard.deliver.record import Pending  # noqa: PLC0415

        chosen, log, replay = self.chosen, self.log, self.chosen.replay
        lapse = log.state.lapse
        wanted = Wanted(
            removing=log.agreement.tells_deletes and not chosen.alone,
            every=replay is not None,
            alone=chosen.alone,
            released=replay.vouched if replay else frozenset(),
            old_tokens=chosen.old_tokens,
            lapsed=lapse.transfer if lapse else 0,
            last=deliveries.last_confirmed(log.connection, log.agreement.id),
            earlier=self._earlier(),
            measuring=chosen.measuring,
        )
        record = chosen.record
        if record is not None and chosen.alone:
            record = record.under_own_key()
        self._pending = Pending(record, log.transfer) if record else None
        return Difference(
            outgoing,
            record,
            wanted,
            self._opened_gate,
            lambda cells: deliveries.cells(log.connection, log.agreement.id, cells),
            log.transfer,
        )

    def _earlier(self) -> Earlier | None:
        """Whose rows left before there was a record."""
        from onecard.deliver.earlier import Earlier  # noqa: PLC0415 - Polars only here

        if self.chosen.selection.before is None:
            return None
        keys, suite = self.tools.keys, self.tools.suite
        return Earlier.load(self.log.connection, self.log.agreement, keys, suite)

    def _outcome(self, work: Difference, snapshot: Snapshot) -> Confirmation:
        """What the record of the consumer is to be."""
        needed = self.log.state.versions
        versions = {d: snapshot.versions[d] for d in needed}
        change = self._change.result() if self._change is not None else None
        if change is None and work.record is not None:
            change = work.change()  # the connector has not asked for the end of the rows
        if change is not None and self._pending is not None:
            change = replace(change, staged=self._pending.staged)
        noting, alone = self._noting(work), self.chosen.alone
        return Confirmation(work.record, change, versions, alone, noting=noting)

    def _noting(self, work: Difference) -> Callable[[], None] | None:
        """Counts how long the events that left have taken."""
        measuring, log = self.chosen.measuring, self.log
        if measuring is None or not work.events:
            return None
        return lambda: measuring.note(log.connection, log.transfer, work.events)

    def _send(self, work: Difference) -> Sent:
        with closing(self._noted(work)) as frames:
            return self._send_rows(work, frames)

    def _send_rows(self, work: Difference, frames: Iterator[pl.DataFrame]) -> Sent:
        first = next(frames, None)
        if first is None and not len(work.gone):
            return Sent(0, 0, 0, "")
        block = self.log.agreement.delivery
        if block is None:
            msg = f"{self.log.agreement.id} says nowhere where to deliver: nothing leaves"
            raise PolicyError(msg)
        schema = arrow_of(first if first is not None else work.schema_frame).schema
        deletes = None
        if self.log.agreement.tells_deletes and (not self.chosen.alone or len(work.gone)):
            deletes = batches_of(work.gone if len(work.gone) else None, iter(()))
            if self._recorder is not None:
                for persons in work.gone_persons:
                    self._recorder.add(persons)
        parcel = self._parcel(_Contents(schema, batches_of(first, frames), deletes))
        connector = self.tools.connector
        options = connector.sink_options.model_validate(dict(block.options))
        return connector.send(self.tools.connections.get(block.connection), options, parcel)

    def _noted(self, work: Difference) -> Generator[pl.DataFrame]:
        """Rows to be sent; whom they are about and which they are is noted before they leave."""
        for leaving in work.frames():
            if leaving.persons is not None and self._recorder is not None:
                self._recorder.add(leaving.persons)
            if leaving.entries is not None and self._pending is not None:
                self._pending.add(leaving.entries)
            yield leaving.frame
        if work.record is not None:  # while the connector ends its work, and waits for its server
            self._change = beside(work.change)

    def _parcel(self, contents: _Contents) -> Parcel:
        agreement, manifest = self.log.agreement, self._manifest()
        return Parcel(
            delivery_id=self._delivery,
            agreement=agreement.id,
            key=agreement.key,
            batches=contents.rows,
            schema=contents.schema,
            manifest=manifest,
            leave=self._leave,
            sign=self._signed,
            deletes=contents.deletes,
            texts=self._texts(),
            again=self.log.tried_before(self._delivery),
            sealer=self._sealer({**manifest, "deliveryId": self._delivery}),
        )

    def _sealer(self, terms: Mapping[str, Any]) -> Envelope | None:
        """The envelope of this delivery, with a key of its own, where the agreement says sealed."""
        if not self.log.agreement.sealed:
            return None
        if self.chosen.receiver is None:
            msg = f"{self.log.agreement.id} is sealed, and there is no key for it: nothing leaves"
            raise PolicyError(msg)
        return Envelope(self.tools.suite, self.chosen.receiver, terms)

    def _texts(self) -> dict[str, TextShape]:
        """What is known of the texts that leave, by column."""
        agreement = self.log.agreement
        behind = GateInputs(agreement, self.chosen.selection.contracts).fields
        return {f.name: shape_of(f, behind.get(f.name)) for f in agreement.fields}

    def _leave(self, rows: int = 0) -> None:
        """Right before anything leaves: still permitted, and on record."""
        today = self.tools.settings.now().date()
        agreement_lives.permit(self.log.connection, self.log.agreement, today)
        self.log.guard(self.log.connection)
        self._note()
        self._left = True
        self._left_rows += rows
        failpoints.reach("send.leaving")

    def _note(self) -> None:
        """Write whom the rows are about and which they are; of many both at the same time."""
        recorder, pending = self._recorder, self._pending
        if recorder is not None and pending is not None and pending.waiting > MANY_ROWS:
            with (
                database.connect(self.tools.address, autocommit=True) as other,
                ThreadPoolExecutor(1) as thread,
            ):
                written = thread.submit(self._note_rows, pending, other)
                recorder.flush()
                written.result()
            return
        if recorder is not None:
            recorder.flush()
        if pending is not None:
            self._note_rows(pending)

    def _note_rows(self, pending: Pending, connection: Connection | None = None) -> None:
        """Write which rows leave; when all are known, as the record that they make."""
        change = self._change.result() if self._change is not None else None
        pending.flush(connection, change.packed if change is not None else None)

    def _refuse_unusual(self, work: Difference) -> None:
        """Hold a delivery that sends or takes away far more than usual."""
        volumes, replay = Volumes(self.log, self.tools.settings), self.chosen.replay
        if replay is None or replay.chosen or replay.whole:
            volumes.refuse_rows(lambda: work.tally.passed if work.surveyed else work.counted())
        volumes.refuse_deletes(len(work.gone))

    def _signed(self, manifest: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """The manifest with the hub's signature."""
        failpoints.reach("send.sealing")
        return receipts.signed_manifest(manifest, self.log.signer)

    def _manifest(self) -> dict[str, Any]:
        """What accompanies the rows."""
        agreement, tokeniser = self.log.agreement, self.chosen.tokeniser
        now = self.tools.settings.now()
        return {
            "agreement": agreement.id,
            "agreementVersion": agreement.version,
            "consumer": agreement.consumer,
            "dataset": agreement.dataset,
            "purpose": agreement.purpose,
            "basis": f"{agreement.basis.statute} {agreement.basis.article}",
            "retention": agreement.retention,
            "expiresAt": (now + agreement.retention.span).isoformat(),
            "columns": list(agreement.names),
            "tokenEpoch": tokeniser.key.epoch if tokeniser else "",
            "attempt": self.log.transfer,
        }


@dataclass(frozen=True, slots=True)
class _Contents:
    """Rows and deletes on their way to the connector, in the agreement's columns."""

    schema: pa.Schema
    rows: Iterator[pa.RecordBatch]
    deletes: Iterator[pa.RecordBatch] | None
