"""The agency's counter for the bench of the live lane: events of cards, stored as its API gives them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from demo.http_api import moment
from demo.rehearsal import Rehearsal
from onecard.store import database

EVENTS = "hrss/card_status_event"
TICK_S = 0.1
"""Events that come at a rate are stored so often."""
LOST, FOUND = ("06", "1", "4"), ("09", "4", "1")
"""Event type, status before and after: a temporary loss and its end, again and again."""
LOSS_DAYS = 10
_CARDS = (
    "SELECT c.card_no FROM registry.hrss__card_master c WHERE c.card_status = '1' AND NOT EXISTS"
    " (SELECT FROM registry.hrss__card_status_event e WHERE e.card_no = c.card_no) ORDER BY 1"
)


@dataclass(slots=True)
class Counter:
    """Stores events, and remembers when.

    Attributes:
        file: of the agency's events.
        cards: in normal use, of which no event is known before.
        form: any event of the source, whose office and channel the others have too.
        stored: when each event was there to be read, in seconds since 1970, by its id.
    """

    file: Path
    cards: tuple[str, ...]
    form: Mapping[str, object]
    stored: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, stage: Rehearsal) -> Counter:
        """The counter of a city whose cards were collected.

        Raises:
            SystemExit: no card of the city is in normal use.
        """
        file = stage.city.home / "http" / "card_status_event.sqlite"
        with database.connect(stage.environment["ONECARD_DATABASE_URL"]) as connection:
            cards = tuple(str(card) for (card,) in connection.execute(_CARDS))
        with closing(sqlite3.connect(file)) as source:
            found = source.execute("SELECT body FROM rows LIMIT 1").fetchone()
        if not cards or found is None:
            msg = "the city has no card in normal use, or no event: give it more --residents"
            raise SystemExit(msg)
        return cls(file, cards, json.loads(found[0]))

    def store(self, count: int, at: datetime | None = None) -> list[str]:
        """Store so many events at once; returns their ids.

        Args:
            count: of events.
            at: when the last of them happens; None: now.
        """
        first, now = len(self.stored), at or datetime.now(UTC)
        events = [
            self.event(first + n, now + timedelta(microseconds=n - count)) for n in range(count)
        ]
        with closing(sqlite3.connect(self.file, timeout=60)) as source, source:
            source.executemany(
                "INSERT INTO rows (moment, body) VALUES (?, ?)",
                [(moment(str(e["effective_at"])), json.dumps(e)) for e in events],
            )
        ids, there = [str(e["event_id"]) for e in events], time.time()
        self.stored.update(dict.fromkeys(ids, there))
        return ids

    def steadily(self, rate: float, seconds: float) -> list[str]:
        """Store events at a rate for a while; returns their ids.

        Args:
            rate: events a second.
            seconds: how long.
        """
        ids: list[str] = []
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds:
            due = round(rate * passed) - len(ids)
            if due > 0:
                ids += self.store(due)
            time.sleep(TICK_S)
        return ids + (self.store(rest) if (rest := round(rate * seconds) - len(ids)) > 0 else [])

    def event(self, number: int, at: datetime) -> dict[str, object]:
        """One event; those of a card have numbers without a gap, and states that follow.

        Args:
            number: of all that were stored, from 0.
            at: when it happens.
        """
        turn, card = divmod(number, len(self.cards))
        kind, before, after = FOUND if turn % 2 else LOST
        expires = at + timedelta(days=LOSS_DAYS)
        return {
            **self.form,
            "event_id": f"0194{number // 10_000:04d}-{number % 10_000:04d}-7000-8000-{number:012d}",
            "AAZ500": self.cards[card],
            "event_seq": turn + 1,
            "event_type": kind,
            "AAZ502_OLD": before,
            "AAZ502": after,
            "reason_code": None,
            "occurred_at": at.isoformat(),
            "effective_at": at.isoformat(),
            "expires_at": expires.isoformat() if after == "4" else None,
            "replaced_by_card_no": None,
        }
