"""Deliver: hub → consumer. `select → scope → treat → gate → send → confirm`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from onecard.base import failpoints, interrupts
from onecard.crypto import suites
from onecard.crypto.receiver_keys import ReceiverKey
from onecard.deliver.attempt import Attempt, Chosen
from onecard.deliver.context import Delivered, DeliveryContext, Extent, Replay
from onecard.deliver.delivery_log import DeliveryLog
from onecard.deliver.expected_inbox import ExpectedInbox
from onecard.deliver.outgoing import Outgoing
from onecard.deliver.query import Selection
from onecard.deliver.ready import Ready
from onecard.deliver.replacement import Replacements
from onecard.deliver.state import DeliveryState
from onecard.errors import Interrupted, NotCollected
from onecard.model.gate_inputs import GateInputs
from onecard.ports.connector import Sealing
from onecard.ports.inbox import Readable
from onecard.ports.listener import Step, Telling, TransferListener
from onecard.ports.privacy_gate import Plan, PrivacyGate
from onecard.store import (
    agreement_lives,
    audit_queries,
    database,
    deliveries,
    locks,
    quarantine,
    transfers,
)
from onecard.store.refusals import as_hub_error
from onecard.store.snapshots import Snapshot
from schemas.models.agreement import Agreement

if TYPE_CHECKING:
    import polars as pl

    from onecard.deliver.measuring import Measuring
    from onecard.deliver.record import Record
    from onecard.deliver.treatment import Tokeniser


class Deliver:
    """The transfer of one agreement's rows to its consumer.

    Args:
        agreement: whose rows.
        tools: what it needs from outside the core.
        listeners: are told of every delivery.
    """

    def __init__(
        self,
        agreement: Agreement,
        tools: DeliveryContext,
        listeners: Iterable[TransferListener] = (),
    ) -> None:
        self._agreement = agreement
        self._tools = tools
        self._listeners = tuple(listeners)

    def run(self, replay: Replay | None = None) -> Delivered:
        """Send what is due and confirm it.

        Args:
            replay: send only these rows, or all, whether or not they are due.

        Raises:
            PolicyError: not in force, stopped, no key, or a rule of the privacy gate blocks.
            VolumeHold: far more rows than usual are due; a person must release the transfer.
            SourceUnavailable, ProtocolError: as the connector raises them; the window stays open
                and the next run sends the same delivery again under the same id.
        """
        step = Step("deliver", self._agreement.id, self._tools.settings.actor)
        with Telling(step, self._listeners).running() as telling:
            done = self._run(replay, telling)
            names = ("rows", "parts", "already", "quarantined", "withheld")
            telling.counted({name: getattr(done, name) for name in names})
        return done

    def _run(self, how: Replay | None, telling: Telling) -> Delivered:
        agreement = self._agreement
        with self._ready(locked=True) as ready:
            due = how is not None or ready.due(self._today)
            if not due and not transfers.cut_off(ready.connection, "deliver", agreement.id):
                waits = ready.record is not None and ready.record.to_reconcile
                return Delivered(agreement.id, None, to_reconcile=waits, waiting=ready.waiting)
            selection, measuring = self._selection(ready.state, how), self._measuring(ready.state)
            if ready.replacements is not None and ready.waits:
                selection = replace(selection, left_out=ready.replacements.carriers)
            if measuring is not None:
                selection = replace(selection, events=measuring.expectation.events)
            ready.state.prepare(ready.connection, selection)
            chosen = Chosen(
                selection,
                ready.tokeniser,
                how,
                ready.record,
                ready.old_tokens,
                measuring=measuring,
                replacements=ready.replacements,
                receiver=ready.receiver,
            )
            return self._carry_out(ready, chosen, telling)

    def _carry_out(self, ready: Ready, chosen: Chosen, telling: Telling) -> Delivered:
        """One attempt, on record from its first line to how it ended."""
        with interrupts.deferred() as known:
            log = self._open(ready, chosen.replay)
            attempt = Attempt(log, self._tools, chosen, lambda: self._gate(ready))
            try:
                with interrupts.closing(lambda: self._interrupted(log, attempt)):
                    known()
                    telling.opened(log.transfer)
                    failpoints.reach("deliver.opened")
                    log.end_abandoned()
                    return attempt.carry_out()
            except Exception as caught:  # noqa: BLE001 - recorded, then raised as one of ours
                error = as_hub_error(caught)
                log.failed(error, attempt.progress())
                raise error from None

    def _interrupted(self, log: DeliveryLog, attempt: Attempt) -> None:
        """Close an attempt whose process ends; by a session of its own, which waits for nobody."""
        with database.connect(self._tools.address, autocommit=True) as connection:
            database.hurry(connection)
            stopped = Interrupted(interrupts.number_of())
            replace(log, connection=connection).failed(stopped, attempt.progress())

    def due(self) -> bool:
        """Whether a run now may send or withdraw anything, as far as the ledger tells.

        Nothing is written, and no listener is told.

        Raises:
            PolicyError: not in force, stopped, or no key: nothing leaves.
            NotCollected: a needed dataset was never collected.
        """
        with self._ready(locked=False) as ready:
            cut_off = transfers.cut_off(ready.connection, "deliver", self._agreement.id)
            return ready.due(self._today) or cut_off

    def preview(self, rows: int) -> pl.DataFrame:
        """What may leave now, after scope, treatment and gate, held or not; nothing is sent.

        Returns:
            At most so many rows, in the agreement's columns.
        """
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        with self._ready(locked=False) as ready, Snapshot(self._tools.address) as snapshot:
            gate = self._gate(ready)
            gate.open()
            selection = self._selection(ready.state.nothing_sent(), None)
            frames = list(Outgoing(snapshot, selection, gate, ready.tokeniser).frames(rows))
        return pl.concat(frames) if frames else pl.DataFrame(schema=list(self._agreement.names))

    def extent(self) -> Extent | None:
        """What the text as it stands, approved or not, would send and withdraw, before the gate.

        Returns:
            None of statistics, whose cells depend on the gate.

        Raises:
            NotCollected: a needed dataset was never collected.
        """
        if self._agreement.statistics:
            return None
        from onecard.deliver.extent import extent  # noqa: PLC0415 - Polars only where rows flow

        with self._ready(locked=False, permitted=False) as ready:
            assert ready.record is not None  # noqa: S101 - only statistics have none
            selection = replace(self._selection(ready.state.nothing_sent(), None), people=None)
            with Snapshot(self._tools.address) as snapshot:
                outgoing = Outgoing(snapshot, selection, None, ready.tokeniser)
                return extent(outgoing, ready.record.under_own_key())

    @contextmanager
    def expected_inbox(self) -> Iterator[ExpectedInbox]:
        """What the consumer should hold by now; its deliveries wait until the block ends.

        Raises:
            NotCollected: nothing was delivered yet (under the present token key).
            PolicyError: not in force, stopped, no key, or a rule of the privacy gate blocks.
        """
        now, agreement = self._tools.settings.now(), self._agreement
        with self._ready(locked=True) as ready:
            connection, state = ready.connection, ready.state
            if state.head is None:
                msg = f"{agreement.id}: nothing was delivered yet; run `onecard deliver` first"
                raise NotCollected(msg)
            gate = self._gate(ready)
            gate.open()
            key = self._tools.keys.quarantine()
            selection = replace(self._selection(state, None), keyed=not agreement.statistics)
            with Snapshot(self._tools.address) as snapshot:
                yield ExpectedInbox(
                    Outgoing(snapshot, selection, gate, ready.tokeniser),
                    ready.record and ready.record.under_own_key(),
                    lambda there: deliveries.sendings(connection, agreement.id, now, there),
                    lambda keys: quarantine.released(connection, agreement, keys, key),
                    lambda cells: deliveries.cells(connection, agreement.id, cells),
                    state.lapse.transfer if state.lapse else 0,
                )

    @contextmanager
    def _ready(self, *, locked: bool, permitted: bool = True) -> Iterator[Ready]:
        """The agreement, permitted.

        Args:
            locked: one delivery of an agreement at a time; the second finds nothing due.
            permitted: raises where it is not; else nothing leaves.
        """
        agreement = self._agreement
        with database.connect(self._tools.address, autocommit=True) as connection:
            if locked:
                locks.hold(connection, locks.Kind.DELIVERY, agreement.id)
                failpoints.reach("deliver.locked")
            asked = agreement_lives.permit if permitted else agreement_lives.life
            life = asked(connection, agreement, self._today)
            tokeniser = self._tokeniser()
            now = self._tools.settings.now()
            state = DeliveryState.load(connection, agreement, tokeniser, self._needed, now)
            record = None if agreement.statistics else self._record(connection, state)
            order = Replacements.of(connection, agreement, self._tools, self._today)
            yield Ready(
                connection,
                life,
                tokeniser,
                state,
                self._basis,
                record,
                self._old(state),
                order,
                tuple(order.noted()) if order else (),
                self._receiver(),
            )

    def _open(self, ready: Ready, replay: Replay | None) -> DeliveryLog:
        """Write the first line of the attempt."""
        agreement, settings = self._agreement, self._tools.settings
        transfer = transfers.open_transfer(
            ready.connection, "deliver", agreement.id, agreement.version, settings.now()
        )
        alone = replay is not None and replay.alone
        if alone:
            transfers.mark_replay(ready.connection, transfer)
        return DeliveryLog(
            ready.connection,
            agreement,
            ready.life,
            ready.state,
            settings,
            self._tools.signer,
            transfer,
            alone,
            ready.basis,
            self._tools.guard,
            ready.replacements is not None,
            ready.sealed_for,
            self._tools.sign_log,
        )

    def _gate(self, ready: Ready) -> PrivacyGate:
        """The privacy gate, with what its rules decide by."""
        tools, block, connection = self._tools, self._agreement.delivery, ready.connection
        now, agreement = tools.settings.now(), self._agreement.id
        plan = Plan(
            agreement=self._agreement,
            contracts=tools.contracts,
            agencies=tools.agencies,
            registers=tools.registers,
            now=now,
            life=ready.life,
            destination=tools.connections.get(block.connection) if block else None,
            token_keys=tools.keys.tokens(tools.agencies),
            digests=lambda key, values: tools.suite.digests(key.secret, values),
            previous=lambda cells: deliveries.cells(connection, agreement, cells),
            overdue_erasures=ready.state.overdue_erasures(connection, now),
            delivered_rows=sum(deliveries.usual_rows(connection, agreement)),
            auditable=ready.state.auditable(connection, tools.settings.home / "audit"),
            signable=bool(tools.signer.epoch),
            sealed_for=ready.sealed_for,
            accesses=audit_queries.accesses(connection),
        )
        return tools.gate(plan)

    def _receiver(self) -> ReceiverKey | None:
        """Key of the consumer that the delivery is sealed for; None: it cannot, or need not, be."""
        tools = self._tools
        if not self._agreement.sealed or not isinstance(tools.connector, Sealing):
            return None
        found = tools.keys.receiver(self._agreement.consumer)
        return found if found is not None and found.suite == tools.suite.name else None

    def _selection(self, state: DeliveryState, how: Replay | None) -> Selection:
        agreement = self._agreement
        found = Selection(
            agreement,
            self._tools.contracts,
            self._today,
            None if agreement.statistics else self._tools.registers.people,
            (how.keys or None) if how else None,
            how.chosen if how else None,
            state.before if how is None or how.whole else None,
        )
        if agreement.statistics:
            return found
        return replace(found, keyed=not found.candidates(None).alone())

    def _measuring(self, state: DeliveryState) -> Measuring | None:
        """How long events take; None of the first delivery, which brings a history."""
        expectation, after = self._tools.expectation, state.after.get(self._agreement.dataset)
        if expectation is None or after is None:
            return None
        from onecard.deliver.measuring import Measuring  # noqa: PLC0415 - Polars only where rows flow

        return Measuring(self._agreement, expectation, after)

    @property
    def _basis(self) -> str:
        """What decides which rows there should be: the text, and where the gate looks."""
        from onecard.deliver import row_refs  # noqa: PLC0415 - Polars only where rows flow

        return row_refs.basis(self._agreement, list(self._needed))

    def _record(self, connection: database.Connection, state: DeliveryState) -> Record:
        """The record of what the consumer holds."""
        from onecard.deliver import row_refs  # noqa: PLC0415 - Polars only where rows flow
        from onecard.deliver.record import Record  # noqa: PLC0415

        tools, agreement, head = self._tools, self._agreement, state.head
        shape = row_refs.shape(agreement, tools.contracts, state.token_epoch)
        refs = row_refs.RowRefs(agreement, tools.suite, tools.keys.quarantine(), shape)
        old = None
        if head is not None and head.key != refs.name:
            name, _, epoch = head.key.partition("/")
            key = tools.keys.quarantine_of(epoch)
            old = row_refs.RowRefs(agreement, suites.suite(name), key, head.shape)
        return Record(
            connection,
            refs,
            old,
            head,
            self._basis,
            state.token_epoch,
            state.before,
            isinstance(tools.connector, Readable) and not agreement.sealed,
        )

    def _old(self, state: DeliveryState) -> Tokeniser | None:
        """Of the tokens in the keys that the consumer has, where they are of an earlier key."""
        agreement, head = self._agreement, state.head
        tokens = {f.name for f in agreement.fields if f.treatment == "token"}
        if head is None or head.token_epoch in ("", state.token_epoch):
            return None
        if not tokens & set(agreement.key):
            return None
        from onecard.deliver.treatment import Tokeniser  # noqa: PLC0415 - Polars only where rows flow

        known = self._tools.keys.token_epochs(agreement.consumer)
        found = [k for k in known if k.epoch == head.token_epoch]
        return Tokeniser(self._tools.suite, found[0]) if found else None

    def _tokeniser(self) -> Tokeniser | None:
        """Of every delivery about persons: the disclosure ledger needs the digests as well."""
        if self._agreement.statistics:
            return None
        from onecard.deliver.treatment import Tokeniser  # noqa: PLC0415 - Polars only where rows flow

        key = self._tools.keys.token(self._agreement.consumer)
        return Tokeniser(self._tools.suite, key)

    @property
    def _today(self) -> date:
        return self._tools.settings.now().date()

    @property
    def _needed(self) -> tuple[str, ...]:
        """Datasets without which scope or gate cannot be evaluated."""
        controls = GateInputs(self._agreement, self._tools.contracts)
        more = controls.looked_up(self._tools.registers.people)
        return tuple(dict.fromkeys([*self._agreement.datasets, *more]))
