"""One card is reported lost while the live lane runs: when each consumer confirmed, what it holds.

Seconds are those of the machine's clock, from the moment when the loss stood in the bureau's own
system to the moment at which the ledger says that the consumer has confirmed. What a consumer holds
is read out of its own inbox, and compared with what its agreement says of this card.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from demo import card_holders, lane
from demo.counter import EVENTS, TAKEN, Counter
from demo.lane import LaneProcess
from demo.rehearsal import Rehearsal
from demo.verify_inboxes import EVERYTHING, alike
from onecard.app.wiring import Hub
from onecard.base.times import ZONE
from onecard.deliver.treatment import mask
from onecard.errors import FatalError
from onecard.model.transfers import Transfer
from onecard.store import database, transfer_history, transfer_lookup
from schemas.models import codes
from schemas.models.agreement import Agreement

WITHIN_S = 120.0
"""A consumer that has not confirmed by then is told of as missing."""
LOOK_S, ASK_S = 0.05, 0.5
"""Between two looks at the ledger; between two questions whether anything is due."""
WOKEN, ENDED = "a card is reported lost, the lane is woken", "the lane has ended"
READY, PUBLISHED = "the lane is ready", "the loss is in the registry"
_PUBLISHED = (
    "SELECT t.id, t.finished_at FROM registry.hrss__card_status_event e"
    " JOIN ledger.transfer t ON t.id = e._transfer_id WHERE e.effective_at = %s"
)


@dataclass(frozen=True, slots=True)
class Told:
    """One consumer, and the card that was reported lost.

    Attributes:
        agreement: under which it is told.
        consumer: its short name.
        way: kind of its inbox.
        seconds: from the counter to its confirmation; None: it has confirmed nothing.
        granted: whether its agreement grants the event; else it does not serve the holder.
        holds: the card and its status as they stand in its inbox, the card masked; empty: nothing.
    """

    agreement: str
    consumer: str
    way: str
    seconds: float | None
    granted: bool
    holds: str

    @property
    def right(self) -> bool:
        """Whether it was told exactly if it should be, and holds what it should."""
        return (self.seconds is not None) is self.granted is bool(self.holds)


@dataclass(frozen=True, slots=True)
class Reported:
    """What came of the loss.

    Attributes:
        answer: of the lane, to the wake-up.
        published: seconds until the registry had it.
        told: a line for each agreement of mode event on card events.
        exit_code: of the lane, which was told to end.
        log: what the lane said.
        seconds: all of it, with the start and the end of the lane.
    """

    answer: str
    published: float
    told: tuple[Told, ...]
    exit_code: int
    log: Path
    seconds: float

    @property
    def well(self) -> bool:
        """Whether every consumer that is to know knows, and the lane has ended in order."""
        confirmed = any(t.granted for t in self.told) and all(t.right for t in self.told)
        return confirmed and self.answer in TAKEN and not self.exit_code


@dataclass(slots=True)
class _Wait:
    """Follows the loss through the ledger, from its collect to the consumers' confirmations."""

    hub: Hub
    agreements: Sequence[Agreement]
    before: int
    at: datetime
    ended: Callable[[str], None]
    published: datetime | None = None
    confirmed: dict[str, datetime] = field(default_factory=dict)
    idle: set[str] = field(default_factory=set)

    @property
    def over(self) -> bool:
        """Whether each consumer has confirmed, or has nothing to get."""
        return len(self.confirmed) + len(self.idle) == len(self.agreements)

    def look(self) -> None:
        """What the ledger has by now."""
        with database.connect(self.hub.address, autocommit=True) as connection:
            if self.published is None:
                found = connection.execute(_PUBLISHED, (self.at,)).fetchone()
                if found is None or not isinstance(found[1], datetime):
                    return
                self.published = found[1]
                self.ended(PUBLISHED)
            for transfer in transfer_history.since(connection, self.before):
                self._note(transfer)

    def ask(self) -> None:
        """Whom the loss does not concern: nothing is due there, and nothing has left."""
        if self.published is None:
            return
        known = {*self.confirmed, *self.idle}
        waiting = [a.id for a in self.agreements if a.id not in known]
        quiet = [name for name in waiting if not self.hub.deliver(name).due()]
        self.look()  # what was confirmed before it was asked is in the ledger by now
        for name in quiet:
            if name not in self.confirmed:
                self.idle.add(name)
                self.ended(f"{name}: not concerned")

    def _note(self, transfer: Transfer) -> None:
        """A delivery that was confirmed after the loss was published."""
        name, at = transfer.subject, transfer.finished_at
        known = {a.id for a in self.agreements}
        confirmed = transfer.direction == "deliver" and transfer.status == "confirmed"
        if not confirmed or not transfer.sent_rows or name not in known or at is None:
            return
        if self.published and at >= self.published and name not in self.confirmed:
            self.confirmed[name] = at
            self.ended(name)


def report(stage: Rehearsal, day: int, *, ended: Callable[[str], None]) -> Reported:
    """Report a card lost with the lane running beside, and see who comes to know.

    Args:
        stage: a running rehearsal whose nights have run.
        day: the last of them; its clock is the lane's.
        ended: is told of each step.

    Raises:
        FatalError: the lane does not start, or ends by itself.
    """
    started = time.monotonic()
    hub = stage.hub(day)
    agreements = concerned(hub)
    card = card_holders.widely_known(hub)
    if card is None:
        msg = "nobody in this city has a card in normal use that was never reported lost"
        raise FatalError(msg)
    with database.connect(hub.address, autocommit=True) as connection:
        before = transfer_lookup.newest(connection)
    counter = Counter(stage.city, day)
    with lane.running(stage.at(day), stage.home / "live.log") as process:
        ended(READY)
        at = counter.report_lost(card)
        written = datetime.now(ZONE)
        answer = counter.wake(process.door)
        ended(WOKEN)
        wait = _Wait(hub, agreements, before, at, ended)
        _follow(wait, process)
    ended(ENDED)
    seconds = {name: _since(written, when) for name, when in wait.confirmed.items()}
    told = tuple(_told(stage, hub, a, at, seconds) for a in agreements)
    return Reported(
        answer,
        _since(written, wait.published) if wait.published else 0.0,
        told,
        process.process.returncode,
        process.log,
        time.monotonic() - started,
    )


def steps(hub: Hub) -> int:
    """How many steps `report` tells of."""
    return len((READY, WOKEN, PUBLISHED, ENDED)) + len(concerned(hub))


def concerned(hub: Hub) -> list[Agreement]:
    """Agreements under which the lane tells consumers of events of cards."""
    known = hub.catalogue.agreements.values()
    return [a for a in known if a.served and a.mode == "event" and a.dataset == EVENTS]


def _follow(wait: _Wait, process: LaneProcess) -> None:
    """Until everybody has confirmed, or the time is over."""
    end = time.monotonic() + WITHIN_S
    ask_at = time.monotonic() + ASK_S
    while not wait.over and time.monotonic() < end:
        process.require_running()
        time.sleep(LOOK_S)
        wait.look()
        if time.monotonic() >= ask_at and not wait.over:
            wait.ask()
            ask_at = time.monotonic() + ASK_S


def _since(written: datetime, at: datetime) -> float:
    return (at - written).total_seconds()


def _told(
    stage: Rehearsal, hub: Hub, agreement: Agreement, at: datetime, seconds: Mapping[str, float]
) -> Told:
    """One consumer's line: the time out of the ledger, the rest out of its own inbox."""
    granted = hub.deliver(agreement.id).preview(EVERYTHING)
    wanted = _at(alike(granted, granted.schema), at)
    held = stage.city.held(agreement)
    holds = ""
    if len(wanted) and len(held):
        there = alike(held.select(agreement.names), granted.schema)
        found = there.join(wanted, on=list(agreement.names), how="semi", nulls_equal=True)
        holds = _shown(found, agreement) if len(found) == len(wanted) else ""
    way = hub.connections.get(agreement.delivery.connection) if agreement.delivery else None
    return Told(
        agreement.id,
        hub.catalogue.agencies[agreement.consumer].short,
        way.conn_type if way else "",
        seconds.get(agreement.id),
        len(wanted) > 0,
        holds,
    )


def _at(rows: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """The row of the event: no other has its time."""
    moment = pl.Series("effective_at", [at.astimezone(UTC)], pl.Datetime("us", "UTC")).to_frame()
    return rows.join(alike(moment, moment.schema), on="effective_at", how="semi")


def _shown(rows: pl.DataFrame, agreement: Agreement) -> str:
    """Whom the row is about, masked as a card's number is, and what it says of the card."""
    who = rows.select(mask("LAST3", pl.col(agreement.key[0]))).to_series()[0]
    status = rows["to_status"][0]
    return f"{who} {status} {codes.labels('card_status')[status]}"
