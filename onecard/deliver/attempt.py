"""One attempt to deliver: refuse what is unusual, open the window, gate, send, confirm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Any

from onecard.base import failpoints
from onecard.deliver.context import Delivered, DeliveryContext, Replay
from onecard.deliver.delivery_log import DeliveryLog, Progress
from onecard.deliver.outgoing import Outgoing, arrow_of, batches_of
from onecard.deliver.query import Selection
from onecard.deliver.tombstones import Tombstones
from onecard.errors import PolicyError, ProtocolError
from onecard.model.gate_inputs import GateInputs
from onecard.model.treated import TextShape, shape_of
from onecard.ports.privacy_gate import PrivacyGate, VolumeHold
from onecard.ports.sink import Parcel, Sent
from onecard.store import agreement_lives, database, deliveries, receipts, releases
from onecard.store.disclosures import Recorder
from onecard.store.sealing import Sealer

if TYPE_CHECKING:
    import pyarrow as pa

    from onecard.deliver.treatment import Tokeniser

USUAL_DELIVERIES = 3
"""So many confirmed deliveries make a history that volume is compared with."""

FEW_ROWS = 1_000
"""A delivery of at most so many rows is never unusual."""

FEW_DELETES = 100
"""So many deletes are never unusual; more are when a usual delivery has fewer rows."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which rows an attempt is about.

    Attributes:
        tokeniser: the consumer's; None only for statistics.
        replay: of rows that are sent again, else None.
    """

    selection: Selection
    tokeniser: Tokeniser | None
    replay: Replay | None

    @property
    def due_only(self) -> bool:
        """Whether only what is due leaves."""
        return self.replay is None


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
    _outgoing: Outgoing | None = field(default=None, init=False)
    _delivery: str = field(default="", init=False)
    _left: bool = field(default=False, init=False)

    def progress(self) -> Progress:
        """How far it has come."""
        results = self._gate.results if self._gate else ()
        found = Progress(self._delivery, self._left, results=results)
        return replace(found, tally=self._outgoing.tally) if self._outgoing else found

    def carry_out(self) -> Delivered:
        """Send what was chosen, and confirm it; raises as `Deliver.run`."""
        agreement, removing = self.log.agreement, self._removing
        self._refuse_unusual()
        if removing:
            self._refuse_deletes()
        gate = self._gate = self.make_gate()
        gate.open()
        self._delivery = self.log.open_window()
        failpoints.reach("deliver.window")
        outgoing = self._outgoing = self._rows(gate)
        gone = Tombstones.beside(outgoing) if removing else None
        sent = self._send(outgoing, gone)
        failpoints.reach("send.after")
        gate.close(sent, outgoing.tally.passed)
        if sent.deleted != (gone.passed if gone else 0):
            msg = f"{agreement.id}: {sent.deleted} deletes were confirmed, not all that left"
            raise ProtocolError(msg)
        sealer = Sealer(self.tools.keys.quarantine(), self.tools.suite)
        self.log.confirmed(sent, self.progress(), sealer)
        return Delivered(
            agreement.id,
            self.log.transfer,
            sent.rows,
            sent.parts,
            sent.already,
            len(outgoing.tally.quarantined),
            outgoing.tally.withheld,
            sent.deleted,
            sent.remarks,
        )

    @property
    def _removing(self) -> bool:
        """Whether the consumer is told of deleted rows."""
        return self.log.agreement.tells_deletes and self.chosen.replay is None

    def _rows(self, gate: PrivacyGate) -> Outgoing:
        chosen, today = self.chosen, self.tools.settings.now().date()
        return Outgoing(
            self.tools.address,
            chosen.selection,
            gate,
            chosen.tokeniser,
            Recorder(self.log.connection, self.log.transfer, today),
            chosen.replay.vouched if chosen.replay else frozenset(),
        )

    def _send(self, outgoing: Outgoing, gone: Tombstones | None) -> Sent:
        frames = outgoing.frames(due_only=self.chosen.due_only)
        first = next(frames, None)
        # Only now, when the rows' snapshot is taken: a later delete is told again next time.
        leaving = gone.frames() if gone else iter(())
        last = next(leaving, None)
        example = first if first is not None else last
        if example is None:
            return Sent(0, 0, 0, "")
        block = self.log.agreement.delivery
        if block is None:
            msg = f"{self.log.agreement.id} says nowhere where to deliver: nothing leaves"
            raise PolicyError(msg)
        deletes = batches_of(last, leaving, list(self.log.agreement.key)) if gone else None
        schema = arrow_of(example).schema
        parcel = self._parcel(_Contents(schema, batches_of(first, frames), deletes))
        connector = self.tools.connector
        options = connector.sink_options.model_validate(dict(block.options))
        return connector.send(self.tools.connections.get(block.connection), options, parcel)

    def _parcel(self, contents: _Contents) -> Parcel:
        agreement = self.log.agreement
        return Parcel(
            delivery_id=self._delivery,
            agreement=agreement.id,
            key=agreement.key,
            batches=contents.rows,
            schema=contents.schema,
            manifest=self._manifest(),
            leave=self._leave,
            sign=self._signed,
            deletes=contents.deletes,
            texts=self._texts(),
            again=self.log.tried_before(self._delivery),
        )

    def _texts(self) -> dict[str, TextShape]:
        """What is known of the texts that leave, by column."""
        agreement = self.log.agreement
        behind = GateInputs(agreement, self.chosen.selection.contracts).fields
        return {f.name: shape_of(f, behind.get(f.name)) for f in agreement.fields}

    def _leave(self) -> None:
        """Right before anything leaves: still permitted, and on record."""
        today = self.tools.settings.now().date()
        agreement_lives.permit(self.log.connection, self.log.agreement, today)
        if self._outgoing is not None and self._outgoing.recorder is not None:
            self._outgoing.recorder.flush()
        self._left = True
        failpoints.reach("send.leaving")

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
        }

    def _refuse_unusual(self) -> None:
        """Hold a delivery that is far larger than usual, unless a person has released it."""
        agreement, connection = self.log.agreement, self.log.connection
        chosen = self.chosen.selection
        if self.chosen.replay is not None and not self.chosen.replay.chosen:
            return
        usual = deliveries.usual_rows(connection, agreement.id)
        if len(usual) < USUAL_DELIVERIES or agreement.statistics:
            return
        due = database.one_scalar(connection, int, chosen.count(due_only=not chosen.chosen))
        limit = max(FEW_ROWS, agreement.unusual_factor * round(median(usual)))
        if due <= limit or self._released():
            return
        found = f"{due} rows are due, usually {round(median(usual))}"
        raise self._hold(found)

    def _refuse_deletes(self) -> None:
        """Hold a delivery that would take far more away than usual ones bring."""
        agreement, connection = self.log.agreement, self.log.connection
        departed = replace(self.chosen.selection, departed=True)
        due = database.one_scalar(connection, int, departed.count())
        usual = deliveries.usual_rows(connection, agreement.id)
        limit = max(FEW_DELETES, round(median(usual)) if usual else 0)
        if due <= limit or self._released():
            return
        found = f"the consumer would be told to drop {due} rows"
        raise self._hold(found)

    def _released(self) -> bool:
        log = self.log
        return releases.delivery_before(log.connection, log.agreement.id, log.transfer)

    def _hold(self, what: str) -> VolumeHold:
        agreement, transfer = self.log.agreement, self.log.transfer
        return VolumeHold(
            f"{agreement.id}: {what}; transfer {transfer} is held."
            f" {agreement.responsible} may release it:"
            f" `onecard release {transfer} --by … --reason …`"
        )


@dataclass(frozen=True, slots=True)
class _Contents:
    """Rows and deletes on their way to the connector, in the agreement's columns."""

    schema: pa.Schema
    rows: Iterator[pa.RecordBatch]
    deletes: Iterator[pa.RecordBatch] | None
