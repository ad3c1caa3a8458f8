"""One card is reported lost while the live lane runs: when each consumer confirmed, what it holds.

Seconds are those of the machine's clock, from the moment when the loss stood in the bureau's own
system to the moment at which the ledger says that the consumer has confirmed. What a consumer holds
is read out of its own inbox, and compared with what its agreement says of this card.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from demo import card_holders, lane
from demo.confirmations import PUBLISHED, Confirmations
from demo.counter import EVENTS, TAKEN, Counter
from demo.rehearsal import Rehearsal
from demo.verify_inboxes import EVERYTHING, alike
from onecard.app.wiring import Hub
from onecard.base.times import ZONE
from onecard.deliver.treatment import mask
from onecard.errors import FatalError
from onecard.store import database, transfer_lookup
from schemas.models import codes
from schemas.models.agreement import Agreement

WOKEN, ENDED = "a card is reported lost, the lane is woken", "the lane has ended"
READY = "the lane is ready"


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
        published: seconds until the registry had it; None: it never did.
        told: a line for each agreement of mode event on card events.
        exit_code: of the lane, which was told to end.
        log: what the lane said.
        seconds: all of it, with the start and the end of the lane.
    """

    answer: str
    published: float | None
    told: tuple[Told, ...]
    exit_code: int
    log: Path
    seconds: float

    @property
    def well(self) -> bool:
        """Whether every consumer that is to know knows, and the lane has ended in order."""
        confirmed = any(t.granted for t in self.told) and all(t.right for t in self.told)
        return confirmed and self.answer in TAKEN and not self.exit_code


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
        confirmations = Confirmations(hub, agreements, before, at, ended)
        confirmations.follow(process)
    ended(ENDED)
    published = confirmations.published
    seconds = {name: _since(written, when) for name, when in confirmations.confirmed.items()}
    told = tuple(_told(stage, hub, a, at, seconds) for a in agreements)
    return Reported(
        answer,
        _since(written, published) if published else None,
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
