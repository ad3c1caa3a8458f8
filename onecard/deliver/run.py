"""Deliver: hub → consumer. `select → scope → treat → gate → send → confirm`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from onecard.base import failpoints, interrupts
from onecard.deliver.attempt import Attempt, Chosen
from onecard.deliver.context import Delivered, DeliveryContext, Replay
from onecard.deliver.delivery_log import DeliveryLog
from onecard.deliver.expected_inbox import ExpectedInbox
from onecard.deliver.outgoing import Outgoing
from onecard.deliver.query import Selection
from onecard.deliver.state import DeliveryState
from onecard.deliver.tombstones import Tombstones
from onecard.errors import Interrupted, NotCollected
from onecard.model.agreements import Life
from onecard.model.gate_inputs import GateInputs
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
from schemas.models.agreement import Agreement

if TYPE_CHECKING:
    import polars as pl

    from onecard.deliver.treatment import Tokeniser


@dataclass(frozen=True, slots=True)
class _Ready:
    """An agreement that is locked and permitted, and where its deliveries stand."""

    connection: database.Connection
    life: Life
    tokeniser: Tokeniser | None
    state: DeliveryState


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
            replay: send only these rows, whether or not they are due.

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

    def _run(self, replay: Replay | None, telling: Telling) -> Delivered:
        agreement = self._agreement
        with self._ready(locked=True) as ready:
            due = replay is not None or ready.state.due(self._today)
            if not due and not transfers.cut_off(ready.connection, "deliver", agreement.id):
                return Delivered(agreement.id, None)
            selection = self._selection(ready.state, replay)
            ready.state.make_indexes(ready.connection, selection)
            log = self._open(ready, replay, telling)
            chosen = Chosen(selection, ready.tokeniser, replay)
            attempt = Attempt(log, self._tools, chosen, lambda: self._gate(ready))
            try:
                with interrupts.closing(lambda: self._interrupted(log, attempt)):
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

    def preview(self, rows: int, *, due_only: bool = False) -> pl.DataFrame:
        """What would leave now, after scope, treatment and gate; nothing is sent.

        Returns:
            At most so many rows, in the agreement's columns.
        """
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        with self._ready(locked=False) as ready:
            state = ready.state if due_only else ready.state.nothing_sent()
            gate = self._gate(ready)
            gate.open()
            selection = self._selection(state, None)
            outgoing = Outgoing(self._tools.address, selection, gate, ready.tokeniser)
            frames = list(outgoing.frames(rows, due_only=due_only))
        return pl.concat(frames) if frames else pl.DataFrame(schema=list(self._agreement.names))

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
            if not state.after:
                msg = f"{agreement.id}: nothing was delivered yet; run `onecard deliver` first"
                raise NotCollected(msg)
            lapsed = state.lapsed(connection, now)
            gate = self._gate(ready)
            gate.open()
            key = self._tools.keys.quarantine()
            selection = replace(self._selection(state, None), lapsed=lapsed)
            outgoing = Outgoing(self._tools.address, selection, gate, ready.tokeniser)
            gone = Tombstones.beside(outgoing) if agreement.tells_deletes else None
            yield ExpectedInbox(
                outgoing,
                deliveries.sendings(connection, agreement.id, now),
                lambda keys: quarantine.released(connection, agreement, keys, key),
                lambda cells: deliveries.cells(connection, agreement.id, cells),
                gone,
            )

    @contextmanager
    def _ready(self, *, locked: bool) -> Iterator[_Ready]:
        """The agreement, permitted.

        Args:
            locked: one delivery of an agreement at a time; the second finds nothing due.
        """
        agreement = self._agreement
        with database.connect(self._tools.address, autocommit=True) as connection:
            if locked:
                locks.hold(connection, locks.Kind.DELIVERY, agreement.id)
                failpoints.reach("deliver.locked")
            life = agreement_lives.permit(connection, agreement, self._today)
            tokeniser = self._tokeniser()
            state = DeliveryState.load(connection, agreement, tokeniser, self._needed)
            yield _Ready(connection, life, tokeniser, state)

    def _open(self, ready: _Ready, replay: Replay | None, telling: Telling) -> DeliveryLog:
        """Write the first line of the attempt."""
        agreement, settings = self._agreement, self._tools.settings
        transfer = transfers.open_transfer(
            ready.connection, "deliver", agreement.id, agreement.version, settings.now()
        )
        telling.opened(transfer)
        failpoints.reach("deliver.opened")
        if replay is not None:
            transfers.mark_replay(ready.connection, transfer)
        return DeliveryLog(
            ready.connection,
            agreement,
            ready.life,
            ready.state,
            settings,
            self._tools.signer,
            transfer,
            replay is not None,
        )

    def _gate(self, ready: _Ready) -> PrivacyGate:
        """The privacy gate, with what its rules decide by."""
        tools, block, connection = self._tools, self._agreement.delivery, ready.connection
        found = ((c, tools.keys.token_if_there(c)) for c in tools.agencies)
        keys = {consumer: key for consumer, key in found if key is not None}
        now, agreement = tools.settings.now(), self._agreement.id
        plan = Plan(
            agreement=self._agreement,
            contracts=tools.contracts,
            agencies=tools.agencies,
            registers=tools.registers,
            now=now,
            life=ready.life,
            destination=tools.connections.get(block.connection) if block else None,
            token_keys=keys,
            digests=lambda key, values: tools.suite.digests(key.secret, values),
            previous=lambda cells: deliveries.cells(connection, agreement, cells),
            overdue_erasures=ready.state.overdue_erasures(connection, now),
            delivered_rows=sum(deliveries.usual_rows(connection, agreement)),
            auditable=ready.state.auditable(connection, tools.settings.home / "audit"),
            signable=bool(tools.signer.epoch),
            accesses=audit_queries.accesses(connection),
        )
        return tools.gate(plan)

    def _selection(self, state: DeliveryState, replay: Replay | None) -> Selection:
        return Selection(
            self._agreement,
            self._tools.contracts,
            state.after,
            self._today,
            None if self._agreement.statistics else self._tools.registers.people,
            state.confirmed_on,
            (replay.keys or None) if replay else None,
            replay.chosen if replay else None,
        )

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
