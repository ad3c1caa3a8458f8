"""A small city under the live lane: events reported at the counter, and what four consumers got.

Each reported event has a number of its own, which is its `event_seq` and, in milliseconds, its time
of effect: so a row is known again in every inbox, whatever of it the agreement shares.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from demo.http_api import moment
from demo.rehearsal import Rehearsal
from demo.verify_inboxes import verify_inboxes
from onecard.live.pace import Pace
from onecard.store import agreement_lives, database, leases
from schemas.models import catalogue
from tests.faults.arrivals import Arrivals
from tests.faults.harness import Harness
from tests.faults.lane_process import PACE, LaneProcess
from tests.waiting import until

EVENTS = "hrss/card_status_event"
DATASETS = ("hrss/card_master", EVENTS, "health/death_notice", "housing_fund/hf_account")
FOLDER = "f01-hrss-transport-card-status"
HTTP = "f02-hrss-medical_insurance-card-status"
TABLE = "f06-hrss-housing_fund-card-status"
TOKENS = "f07-hrss-operator-card-status"
AGREEMENTS = (FOLDER, HTTP, TABLE, TOKENS)
CARDS = 5
USUAL, TEN_MINUTES = 900_000, 600_000
"""The first number of events whose source tells the time, five minutes ago; numbers in ten minutes."""
THEIRS = (
    "SELECT c.card_no FROM registry.hrss__card_master c"
    " JOIN registry.housing_fund__hf_account h USING (person_id18)"
    " WHERE c.transit_account_no IS NOT NULL AND h.grzhzt IN ('01', '02', '06')"
    " AND substr(person_id18, 7, 4) BETWEEN '1960' AND '2000' ORDER BY 1 LIMIT %s"
)
"""Cards of adults that all four consumers have."""
FORM = (
    "SELECT event_id FROM registry.hrss__card_status_event"
    " WHERE event_type = '08' ORDER BY 1 LIMIT 1"
)
"""A loss that was reported at the counter."""
LOCKS = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())"
)
WORKING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
)
UNDER_WAY = "SELECT count(*) FROM ledger.transfer WHERE finished_at IS NULL"
NEWEST = "SELECT max(id) FROM ledger.transfer"


@dataclass
class LaneTown:
    """A city whose registry and inboxes are settled, before the lane begins.

    Attributes:
        stage: the city and its hub.
        bodies: one event of each card, as its agency has it.
        cards: card of each reported event, by the event's number.
        odd: numbers that the source itself has told out of order.
        more: added to the environment of the lane's processes.
        checked: the newest transfer that was looked at.
    """

    stage: Rehearsal
    bodies: tuple[dict[str, Any], ...]
    cards: dict[int, int] = field(default_factory=dict)
    odd: set[int] = field(default_factory=set)
    more: dict[str, str] = field(default_factory=dict)
    checked: int = 0

    def __post_init__(self) -> None:
        self.since = self.stage.city.now(0) - timedelta(minutes=5, milliseconds=USUAL)
        self.arrivals = Arrivals(self.stage.city.home, self.since)
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        """Of the hub's database."""
        return self.stage.environment["ONECARD_DATABASE_URL"]

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the hub's database."""
        with database.connect(self.address, autocommit=True) as connection:
            found: list[tuple[Any, ...]] = connection.execute(statement.encode(), values).fetchall()
        return found

    def number(self, statement: str, *values: object) -> int:
        """One number of the hub's database."""
        return int(self.ask(statement, *values)[0][0])

    def event(self, card: int, off: int = 0) -> dict[str, Any]:
        """The next event of a card; it is not at the source yet.

        Args:
            card: whose.
            off: milliseconds by which the source's clock is ahead.
        """
        with self.lock:
            number = USUAL + len(self.cards) + off
            self.cards[number] = card
        at = (self.since + timedelta(milliseconds=number)).isoformat()
        return {
            **self.bodies[card],
            "event_id": f"01939999-0000-7000-8000-{number:012x}",
            "event_seq": number,
            "occurred_at": at,
            "effective_at": at,
        }

    def store(self, *events: dict[str, Any]) -> None:
        """Put events into the agency's system, in this order."""
        with closing(sqlite3.connect(events_of(self.stage), timeout=60)) as source, source:
            for body in events:
                source.execute(
                    "INSERT INTO rows (moment, body) VALUES (?, ?)",
                    (moment(body["effective_at"]), json.dumps(body, ensure_ascii=False)),
                )

    def report(self, times: int = 1) -> None:
        """Something happens to each of the cards, so many times."""
        self.store(*(self.event(card) for _ in range(times) for card in range(len(self.bodies))))

    @contextmanager
    def load(self, pause_s: float = 0.05) -> Iterator[None]:
        """While the block lasts, events are reported one after the other; one is there at once.

        Args:
            pause_s: between two.
        """
        stop = threading.Event()

        def go_on() -> None:
            card = 0
            while not stop.wait(pause_s):
                card = (card + 1) % len(self.bodies)
                self.store(self.event(card))

        self.store(self.event(0))
        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def lane(self, *, door: bool = False, pace: Pace = PACE, **more: str) -> LaneProcess:
        """Start a process of the lane, perhaps with a door; `more` is of its environment."""
        temporary = self.stage.home / "tmp"
        temporary.mkdir(exist_ok=True)
        own = {**self.stage.at(0), "TMPDIR": str(temporary), **self.more, **more}
        return LaneProcess.start(own, self.stage.home / "lanes", door=door, pace=pace)

    def holders(self) -> set[str]:
        """Who has any work now."""
        with database.connect(self.address, autocommit=True) as connection:
            found = leases.standing(connection)
        return {x.holder for x in found if x.held and not x.name.startswith("process ")}

    def works(self, process: LaneProcess) -> bool:
        """Whether a process has any work now."""
        return any(process.holder in holder for holder in self.holders())

    def missing(self, agreement: str) -> set[int]:
        """Numbers of the reported events that a consumer has not got yet."""
        return set(self.cards) - self.arrivals.known(agreement)

    def arrived(self, *agreements: str) -> None:
        """Wait until all that was reported by now has come to these consumers, or to all."""
        wanted = set(self.cards)
        for agreement in agreements or AGREEMENTS:
            until(
                lambda a=agreement: wanted <= self.arrivals.known(a),
                f"{len(wanted)} events under {agreement}",
            )

    def arrived_but(self, number: int) -> None:
        """Wait until all has come but one event, which is not at the source yet."""
        for agreement in AGREEMENTS:
            until(lambda a=agreement: self.missing(a) == {number}, f"the others under {agreement}")

    def failures(self, agreement: str) -> int:
        """Deliveries of an agreement that have failed."""
        failed = "SELECT count(*) FROM ledger.transfer WHERE subject = %s AND status = 'failed'"
        return self.number(failed, agreement)

    def switch(self, consumer: str, *, stopped: bool) -> None:
        """Stop all deliveries to a consumer, or start them again."""
        with database.connect(self.address, autocommit=True) as connection:
            agreement_lives.set_stop(connection, consumer, "值班员", "演练", stopped=stopped)

    def sound(self) -> None:
        """Assert that all is as after a night, whatever the lane has gone through."""
        newest, problems = self._looked_over()
        assert problems == []
        self.checked = newest
        self._registry()
        for agreement in AGREEMENTS:
            self._in_order(agreement)
        held = verify_inboxes(self.stage.hub(0), self.stage.city)
        assert {name: verdict for name, verdict in held.items() if not verdict.same} == {}

    def _looked_over(self) -> tuple[int, list[str]]:
        """The newest transfer, and what is wrong when it has ended and no other has begun."""
        name = str(make_url(self.address).database)
        while True:  # a lane that goes on begins another now and then
            newest = self.number(NEWEST)
            until(lambda: not self.number(UNDER_WAY), "the transfers under way")
            until(lambda: not self.number(WORKING), "transactions of sessions that are gone")
            until(lambda: not self.number(LOCKS), "locks of sessions that have done their work")
            problems = Harness(self.stage, name, name).problems(self.checked)
            if not problems or self.number(NEWEST) == newest:
                return newest, problems

    def _registry(self) -> None:
        """Assert that each reported event is published once, with its own number."""
        found = self.ask(
            "SELECT event_id, event_seq::int FROM registry.hrss__card_status_event"
            " WHERE event_id LIKE '01939999-%%' AND _deleted_at IS NULL ORDER BY 2"
        )
        wanted = [(f"01939999-0000-7000-8000-{n:012x}", n) for n in sorted(self.cards)]
        assert found == wanted

    def _in_order(self, agreement: str) -> None:
        """Assert that of each card a consumer got every event, the earlier ones first."""
        assert self.missing(agreement) == set()
        firsts = [n for n in self.arrivals.first(agreement) if n not in self.odd]
        for card in range(len(self.bodies)):
            numbers = [n for n in firsts if self.cards.get(n) == card]
            assert numbers == sorted(numbers), f"card {card} under {agreement}"

    def no_lease_left(self) -> None:
        """Assert that nobody holds any work, when all processes have ended."""
        with database.connect(self.address, autocommit=True) as connection:
            assert [x.name for x in leases.standing(connection) if x.held] == []

    def night_finds_nothing(self) -> None:
        """Assert that a night publishes and delivers nothing that the lane has left."""
        hub = self.stage.hub(0)
        for dataset in DATASETS:
            assert hub.collect(dataset).run().counts.published == 0, dataset
        assert hub.collect(EVENTS).run(whole=True).counts.published == 0
        for agreement in AGREEMENTS:
            done = hub.deliver(agreement).run()
            assert (done.rows, done.deleted) == (0, 0), agreement


@contextmanager
def settled(stage: Rehearsal, home: Path) -> Iterator[LaneTown]:
    """A city of four datasets and four consumers, all of which was delivered once.

    Args:
        stage: before its first night.
        home: for the contracts and agreements that are left.
    """
    schemas = home / "schemas"
    shutil.copytree(catalogue.ROOT, schemas, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for file in schemas.glob("contracts/*/*"):
        if f"{file.parent.name}/{file.name.split('.')[0]}" not in DATASETS:
            file.unlink()
    for file in schemas.glob("agreements/*"):
        if file.stem not in AGREEMENTS:
            file.unlink()
    small = replace(stage, environment=stage.environment | {"ONECARD_SCHEMAS": str(schemas)})
    hub = small.hub(0)
    for dataset in DATASETS:
        hub.collect(dataset).run()
    for agreement in AGREEMENTS:
        hub.deliver(agreement).run()
    yield LaneTown(small, reports(small, CARDS))


def reports(stage: Rehearsal, number: int) -> tuple[dict[str, Any], ...]:
    """A reported loss of each of so many cards, as the agency has such events.

    Args:
        stage: after its first night.
        number: of cards.
    """
    hub = stage.hub(0)
    with database.connect(hub.address, autocommit=True) as connection:
        cards = [str(row[0]) for row in connection.execute(THEIRS, (number,)).fetchall()]
        ((form,),) = connection.execute(FORM).fetchall()
    assert len(cards) == number
    with closing(sqlite3.connect(events_of(stage))) as source:
        ((text,),) = source.execute(
            "SELECT body FROM rows WHERE json_extract(body, '$.event_id') = ? LIMIT 1", (form,)
        ).fetchall()
    name = hub.catalogue.contract(EVENTS).field("card_no").native
    return tuple({**json.loads(text), name: card} for card in cards)


def events_of(stage: Rehearsal) -> Path:
    """Where the agency keeps its events."""
    return stage.city.home / "http" / "card_status_event.sqlite"
