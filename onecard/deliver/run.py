"""Deliver: hub → consumer. `select → scope → treat → gate → send → confirm`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Any

from onecard.base import failpoints
from onecard.base.connections import Connections
from onecard.base.settings import Settings
from onecard.crypto.keys import KeyStore
from onecard.crypto.signing import Signer
from onecard.crypto.suites import Suite
from onecard.deliver.delivery_log import Attempt, Recorded
from onecard.deliver.expected_inbox import ExpectedInbox
from onecard.deliver.outgoing import Outgoing, arrow_of, batches_of
from onecard.deliver.query import Selection
from onecard.deliver.state import DeliveryState
from onecard.deliver.tombstones import Tombstones
from onecard.errors import ConfigError, PolicyError, ProtocolError
from onecard.model.agreements import Life
from onecard.model.gate_inputs import GateInputs
from onecard.ports.connector import Connector
from onecard.ports.privacy_gate import Plan, PrivacyGate, VolumeHold
from onecard.ports.sink import Parcel, Sent
from onecard.store import agreement_lives, database, ledger, quarantine, releases
from onecard.store.disclosures import Recorder
from onecard.store.refusals import as_hub_error
from schemas.models.agreement import Agreement
from schemas.models.catalogue import Agency
from schemas.models.contract import Contract
from schemas.models.registers import Registers

if TYPE_CHECKING:
    import polars as pl

    from onecard.deliver.treatment import Tokeniser

log = logging.getLogger(__name__)

USUAL_DELIVERIES = 3
"""So many confirmed deliveries make a history that volume is compared with."""

FEW_ROWS = 1_000
"""A delivery of at most so many rows is never unusual."""

FEW_DELETES = 100
"""So many deletes are never unusual; more are when a usual delivery has fewer rows."""


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """What a delivery needs from outside the core; `onecard.app.wiring` fills it."""

    address: str
    settings: Settings
    connections: Connections
    keys: KeyStore
    connector: Connector
    contracts: Mapping[str, Contract]
    agencies: Mapping[str, Agency]
    registers: Registers
    suite: Suite
    signer: Signer
    gate: Callable[[Plan], PrivacyGate]


@dataclass(frozen=True, slots=True)
class Delivered:
    """How one delivery ended; `transfer` is None when nothing was due."""

    agreement: str
    transfer: int | None
    rows: int = 0
    parts: int = 0
    already: int = 0
    quarantined: int = 0
    withheld: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class Replay:
    """Rows that are delivered again, whether or not they are due.

    Attributes:
        keys: values of one row's dataset key.
        vouched: dataset keys for which a person vouches, so that the gate lets them pass.
        chosen: staging table of the dataset keys; statistics are then sent whole.
    """

    keys: tuple[str, ...] = field(default=(), repr=False)
    vouched: frozenset[str] = field(default=frozenset(), repr=False)
    chosen: str = ""


class Deliver:
    """The transfer of one agreement's rows to its consumer."""

    def __init__(self, agreement: Agreement, tools: DeliveryContext) -> None:
        self._agreement = agreement
        self._tools = tools

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
        with database.connect(self._tools.address, autocommit=True) as connection:
            self._lock(connection)
            life = agreement_lives.permit(connection, self._agreement, self._today)
            tokeniser = self._tokeniser()
            state = DeliveryState.load(connection, self._agreement, tokeniser, self._needed)
            due = replay is not None or state.due(self._today)
            if not due and not ledger.cut_off(connection, "deliver", self._agreement.id):
                return Delivered(self._agreement.id, None)
            selection = self._selection(state, replay)
            state.make_indexes(connection, selection)
            transfer = ledger.open_transfer(
                connection,
                "deliver",
                self._agreement.id,
                self._agreement.version,
                self._tools.settings.now(),
            )
            failpoints.reach("deliver.opened")
            attempt = Attempt(connection, self._agreement, transfer, self._tools.signer)
            if replay is not None:
                ledger.update(connection, transfer, {"replay": True})
            recorded = Recorded(attempt, life, self._tools.settings, replay is not None)
            try:
                recorded.failed_abandoned()
                return self._carry_out(recorded, state, (selection, tokeniser, replay))
            except Exception as caught:  # noqa: BLE001 - recorded, then raised as one of ours
                error = as_hub_error(caught)
                recorded.failed(error)
                raise error from None

    def _lock(self, connection: database.Connection) -> None:
        """One delivery of an agreement at a time; the second finds nothing due.

        It waits as long as for any lock (`onecard.base.timeouts`); then it is tried again later.
        """
        connection.execute(
            "SELECT pg_advisory_lock(hashtextextended(%s, 0))", (self._agreement.id,)
        )
        failpoints.reach("deliver.locked")

    def preview(self, rows: int, *, due_only: bool = False) -> pl.DataFrame:
        """What would leave now, after scope, treatment and gate; nothing is sent."""
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        with database.connect(self._tools.address, autocommit=True) as connection:
            life = agreement_lives.permit(connection, self._agreement, self._today)
            tokeniser = self._tokeniser()
            state = DeliveryState.load(connection, self._agreement, tokeniser, self._needed)
            selection = self._selection(state if due_only else state.nothing_sent(), None)
            gate = self._tools.gate(self._plan(connection, life, state))
            gate.open()
            outgoing = Outgoing(self._tools.address, selection, gate, tokeniser)
            frames = list(outgoing.frames(rows, due_only=due_only))
        return pl.concat(frames) if frames else pl.DataFrame(schema=list(self._agreement.names))

    @contextmanager
    def standing(self) -> Iterator[ExpectedInbox]:
        """What the consumer should hold by now; its deliveries wait until the block ends.

        Raises:
            ConfigError: nothing was delivered yet (under the present token key).
            PolicyError: not in force, stopped, no key, or a rule of the privacy gate blocks.
        """
        now, agreement = self._tools.settings.now(), self._agreement
        with database.connect(self._tools.address, autocommit=True) as connection:
            self._lock(connection)
            life = agreement_lives.permit(connection, agreement, self._today)
            tokeniser = self._tokeniser()
            state = DeliveryState.load(connection, agreement, tokeniser, self._needed)
            if not state.after:
                msg = f"{agreement.id}: nothing was delivered yet; run `onecard deliver` first"
                raise ConfigError(msg)
            lapsed = state.lapsed(connection, now)
            gate = self._tools.gate(self._plan(connection, life, state))
            gate.open()
            key = self._tools.keys.quarantine()
            selection = replace(self._selection(state, None), lapsed=lapsed)
            outgoing = Outgoing(self._tools.address, selection, gate, tokeniser)
            gone = Tombstones.beside(outgoing) if agreement.tells_deletes else None
            yield ExpectedInbox(
                outgoing,
                ledger.sendings(connection, agreement.id, now),
                lambda keys: quarantine.released(connection, agreement, keys, key),
                lambda cells: state.previous(connection, cells),
                gone,
            )

    def _carry_out(
        self,
        recorded: Recorded,
        state: DeliveryState,
        how: tuple[Selection, Tokeniser | None, Replay | None],
    ) -> Delivered:
        selection, tokeniser, replay = how
        attempt, connection = recorded.attempt, recorded.attempt.connection
        if replay is None or replay.chosen:
            self._refuse_unusual(connection, attempt.transfer, selection)
        removing = self._agreement.tells_deletes and replay is None
        if removing:
            self._refuse_deletes(connection, attempt.transfer, selection)
        gate = self._tools.gate(self._plan(connection, recorded.life, state))
        recorded.gate = gate
        gate.open()
        recorded.opened(state)
        failpoints.reach("deliver.window")
        outgoing = Outgoing(
            self._tools.address,
            selection,
            gate,
            tokeniser,
            Recorder(connection, attempt.transfer, self._today),
            replay.vouched if replay else frozenset(),
        )
        recorded.tally = outgoing.tally
        gone = Tombstones.beside(outgoing) if removing else None
        sent = self._send(recorded, outgoing, gone, due_only=replay is None)
        failpoints.reach("send.after")
        gate.close(sent, outgoing.tally.passed)
        if sent.deleted != (gone.passed if gone else 0):
            msg = f"{self._agreement.id}: {sent.deleted} deletes were confirmed, not all that left"
            raise ProtocolError(msg)
        recorded.confirmed(sent, self._tools.keys.quarantine(), self._tools.suite)
        tally = outgoing.tally
        return Delivered(
            self._agreement.id,
            attempt.transfer,
            sent.rows,
            sent.parts,
            sent.already,
            len(tally.quarantined),
            tally.withheld,
            sent.deleted,
        )

    def _send(
        self, recorded: Recorded, outgoing: Outgoing, gone: Tombstones | None, *, due_only: bool
    ) -> Sent:
        frames = outgoing.frames(due_only=due_only)
        first = next(frames, None)
        # Only now, when the rows' snapshot is taken: a later delete is told again next time.
        leaving = gone.frames() if gone else iter(())
        last = next(leaving, None)
        if first is None and last is None:
            return Sent(0, 0, 0, "")
        example = first if first is not None else last
        assert example is not None  # noqa: S101 - one of them is there
        agreement, connection = self._agreement, recorded.attempt.connection
        block = agreement.delivery
        if block is None:
            msg = f"{agreement.id} says nowhere where to deliver: nothing leaves"
            raise PolicyError(msg)

        def leave() -> None:
            """Right before anything leaves: still permitted, and on record."""
            agreement_lives.permit(connection, agreement, self._today)
            if outgoing.recorder is not None:
                outgoing.recorder.flush()
            recorded.left = True
            failpoints.reach("send.leaving")

        parcel = Parcel(
            delivery_id=recorded.delivery,
            agreement=agreement.id,
            key=agreement.key,
            batches=batches_of(first, frames),
            schema=arrow_of(example).schema,
            manifest=recorded.manifest(outgoing.tokeniser),
            leave=leave,
            sign=recorded.attempt.signed,
            deletes=batches_of(last, leaving, list(agreement.key)) if gone else None,
        )
        connector = self._tools.connector
        options = connector.sink_options.model_validate(dict(block.options))
        return connector.send(self._tools.connections.get(block.connection), options, parcel)

    def _refuse_unusual(
        self, connection: database.Connection, transfer: int, selection: Selection
    ) -> None:
        """Hold a delivery that is far larger than usual, unless a person has released it."""
        usual = ledger.delivered_rows(connection, self._agreement.id)
        if len(usual) < USUAL_DELIVERIES or self._agreement.statistics:
            return
        counted = selection.count(due_only=not selection.chosen)
        row = connection.execute(counted).fetchone()
        due = int(str(row[0])) if row else 0
        limit = max(FEW_ROWS, self._agreement.unusual_factor * round(median(usual)))
        if due <= limit or releases.delivery_before(connection, self._agreement.id, transfer):
            return
        raise self._hold(transfer, f"{due} rows are due, usually {round(median(usual))}")

    def _refuse_deletes(
        self, connection: database.Connection, transfer: int, selection: Selection
    ) -> None:
        """Hold a delivery that would take far more away than usual ones bring."""
        row = connection.execute(replace(selection, departed=True).count()).fetchone()
        due = int(str(row[0])) if row else 0
        usual = ledger.delivered_rows(connection, self._agreement.id)
        limit = max(FEW_DELETES, round(median(usual)) if usual else 0)
        if due <= limit or releases.delivery_before(connection, self._agreement.id, transfer):
            return
        raise self._hold(transfer, f"the consumer would be told to drop {due} rows")

    def _hold(self, transfer: int, what: str) -> VolumeHold:
        return VolumeHold(
            f"{self._agreement.id}: {what}; transfer {transfer} is held."
            f" {self._agreement.responsible} may release it:"
            f" `onecard release {transfer} --by … --reason …`"
        )

    def _plan(self, connection: database.Connection, life: Life, state: DeliveryState) -> Plan:
        """What the gate's rules decide by."""
        tools, block = self._tools, self._agreement.delivery
        found = ((c, tools.keys.token_if_there(c)) for c in tools.agencies)
        keys = {consumer: key for consumer, key in found if key is not None}
        return Plan(
            agreement=self._agreement,
            contracts=tools.contracts,
            agencies=tools.agencies,
            registers=tools.registers,
            now=tools.settings.now(),
            life=life,
            destination=tools.connections.get(block.connection) if block else None,
            token_keys=keys,
            digests=lambda key, values: tools.suite.digests(key.secret, values),
            previous=lambda cells: state.previous(connection, cells),
            overdue_erasures=state.overdue_erasures(connection, tools.settings.now()),
            delivered_rows=sum(ledger.delivered_rows(connection, self._agreement.id)),
            auditable=state.auditable(connection, tools.settings.home / "audit"),
            signable=bool(tools.signer.epoch),
            accesses=state.accesses(connection),
        )

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
    def _today(self) -> Any:  # noqa: ANN401 - datetime.date
        return self._tools.settings.now().date()

    @property
    def _needed(self) -> tuple[str, ...]:
        """Datasets without which scope or gate cannot be evaluated."""
        controls = GateInputs(self._agreement, self._tools.contracts)
        more = controls.looked_up(self._tools.registers.people)
        return tuple(dict.fromkeys([*self._agreement.datasets, *more]))
