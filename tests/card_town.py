"""A small city of card holders whose cards are lost and replaced, and consumers that hear of it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import psycopg

from demo.http_api import moment
from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.store import agreement_lives, database
from schemas.models import catalogue
from tests.cities import Cities

EVENTS, CARDS = "hrss/card_status_event", "hrss/card_master"
BUSES = "f01-hrss-transport-card-status"
INSURANCE = "f02-hrss-medical_insurance-card-status"
HOSPITALS = "f03-hrss-health-card-status"
BANK = "f05-hrss-bank-card-event"
OPERATOR = "f07-hrss-operator-card-status"
CONTRACTS = (CARDS, EVENTS, "health/death_notice")
INBOXES = {
    INSURANCE: "medical_insurance_api",
    HOSPITALS: "health_api",
    BANK: "bank_api",
    OPERATOR: "operator_api",
}
LOSS, CANCEL, ENABLE, REPORT, FOUND = "08", "14", "04", "20", "09"
STEPS = {
    LOSS: ("1", "2"),
    CANCEL: ("2", "9"),
    ENABLE: ("0", "1"),
    REPORT: ("1", "1"),
    FOUND: ("2", "1"),
}
"""Status before and after an event of each type."""


@dataclass
class CardTown:
    """The city, its hub, and what happens at the counter.

    Attributes:
        ticks: order the moments of events.
    """

    stage: Rehearsal
    ticks: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def hub(self) -> Hub:
        return self.stage.hub(0)

    @property
    def schemas(self) -> Path:
        return Path(self.stage.environment["ONECARD_SCHEMAS"])

    @property
    def source(self) -> Path:
        return self.stage.city.home / "http" / "card_status_event.sqlite"

    @property
    def opening(self) -> datetime:
        """When the counter opens: late enough that what happens there is read as news."""
        return self.stage.city.now(0) - timedelta(minutes=5)

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with database.connect(self.hub.address, autocommit=True) as connection:
            found: list[tuple[Any, ...]] = connection.execute(statement.encode(), values).fetchall()
        return found

    def cards(self, number: int, *, bank: bool = False) -> list[str]:
        """Cards in use, of people who go by bus, to which nothing has happened yet."""
        found = self.ask(
            "SELECT card_no FROM registry.hrss__card_master c WHERE transit_account_no IS NOT NULL"
            " AND (coalesce(bank_code, '') = '102') = %s AND card_status = '1' AND NOT EXISTS"
            " (SELECT FROM registry.hrss__card_status_event e WHERE e.card_no = c.card_no)"
            " ORDER BY card_no LIMIT %s",
            bank,
            number,
        )
        assert len(found) == number
        return [card for (card,) in found]

    def happen(
        self, card: str, event: str, sequence: int, successor: str | None = None
    ) -> dict[str, Any]:
        """Something happens to a card: an event of the source, in its own words; not yet there."""
        tick = next(self.ticks)
        at = self.opening + timedelta(milliseconds=tick)
        before, after = STEPS[event]
        return {
            "event_id": f"01938888-{tick:04d}-7000-8000-000000000000",
            "AAZ500": card,
            "event_seq": sequence,
            "event_type": event,
            "AAZ502_OLD": before,
            "AAZ502": after,
            "reason_code": "03" if event == CANCEL else None,
            "channel": "01",
            "occurred_at": at.isoformat(),
            "effective_at": at.isoformat(),
            "expires_at": None,
            "replaced_by_card_no": successor,
            "operator_org": "11410100MB1532375M",
        }

    def tell(self, *events: dict[str, Any]) -> None:
        """Put events into the source, in this order."""
        with closing(sqlite3.connect(self.source)) as source, source:
            source.executemany(
                "INSERT INTO rows (moment, body) VALUES (?, ?)",
                [(moment(e["effective_at"]), json.dumps(e, ensure_ascii=False)) for e in events],
            )

    def issue(self, old: str) -> str:
        """A new card with accounts of its own, which the hub knows of; nothing happened to it yet."""
        new = f"B{old[1:]}"
        given = {
            "AAZ500": new,
            "transit_account_no": f"4199{int(old[1:]):013d}",
            "source_updated_at": (self.stage.city.now(0) - timedelta(minutes=2)).isoformat(),
            "source_seq": 9,
        }
        with psycopg.connect(self.stage.city.postgres_url) as agency:
            agency.execute(
                "INSERT INTO hrss.ac01_card SELECT r.* FROM hrss.ac01_card c,"
                ' jsonb_populate_record(c, %s::jsonb) r WHERE c."AAZ500" = %s',
                (json.dumps(given), old),
            )
        self.hub.collect(CARDS).run()
        return new

    def replacement(self, old: str, new: str) -> tuple[dict[str, Any], ...]:
        """A card is lost, cancelled for a new one, and that is enabled."""
        return (
            self.happen(old, LOSS, 1),
            self.happen(old, CANCEL, 2, new),
            self.happen(new, ENABLE, 1),
        )

    def collect(self) -> Any:
        return self.hub.collect(EVENTS).run()

    def deliver(self, agreement: str) -> Any:
        return self.hub.deliver(agreement).run()

    def arrived(self, agreement: str) -> list[tuple[str, str, int]]:
        """Whom the rows are about that a consumer got from the counter, status and sequence.

        In the order in which they came; the first column of the agreement tells whom.
        """
        rows = self._files() if agreement == BUSES else self._batches(agreement)
        return [
            (next(iter(row.values())), row["to_status"], int(row.get("event_seq", 0)))
            for row in rows
            if _at(row["effective_at"]) >= self.opening
        ]

    def _files(self) -> Iterator[dict[str, Any]]:
        """Rows of all files that came whole."""
        folder = self.stage.city.home / "transport" / "inbox" / BUSES
        for file in sorted(folder.glob("*.parquet"), key=lambda f: f.stat().st_mtime_ns):
            if file.with_name(f"{file.name}.manifest.json").exists():
                yield from pl.read_parquet(file).to_dicts()

    def _batches(self, agreement: str) -> Iterator[dict[str, Any]]:
        """Rows of all batches that came whole."""
        folder = self.stage.city.home / "inbox" / INBOXES[agreement]
        file = folder / f"{agreement}.batches.jsonl"
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        for line in text.splitlines(keepends=True):
            if line.endswith("\n"):
                yield from json.loads(line)["rows"]

    def went_ahead(self) -> list[tuple[str, str, int]]:
        """Who enabled new cards, without whose confirmation, and how many."""
        return self.ask("SELECT agreement, lagging, carriers FROM ledger.went_ahead ORDER BY id")

    def waiting(self) -> int:
        return int(self.ask("SELECT count(*) FROM registry.waiting_carrier")[0][0])

    @contextmanager
    def without_buses(self) -> Iterator[None]:
        """The transport company's folder is away."""
        folder = self.stage.city.home / "transport"
        folder.rename(folder.with_name("gone"))
        try:
            yield
        finally:
            folder.with_name("gone").rename(folder)

    def suspend(self, agreement: str) -> None:
        with database.connect(self.hub.address, autocommit=True) as connection:
            text = self.hub.catalogue.agreement(agreement)
            agreement_lives.suspend(connection, text, "值班员", "演练")


@contextmanager
def card_town(
    cities: Cities, home: Path, agreements: Sequence[str], wait: str = "PT1H"
) -> Iterator[CardTown]:
    """A city of three datasets and these consumers, all of which was delivered once.

    Args:
        cities: makes them.
        home: a folder of the test's own.
        agreements: ids.
        wait: how long a new carrier waits, at most.
    """
    with cities.start(home / "stage", persons=300, seed=5) as stage:
        schemas = home / "schemas"
        ignored = shutil.ignore_patterns("*.py", "__pycache__")
        shutil.copytree(catalogue.ROOT, schemas, ignore=ignored)
        for file in schemas.glob("contracts/*/*"):
            if f"{file.parent.name}/{file.name.split('.')[0]}" not in CONTRACTS:
                file.unlink()
        for file in schemas.glob("agreements/*"):
            if file.stem not in agreements:
                file.unlink()
        contract = schemas / "contracts" / "hrss" / "card_status_event.odcs.yaml"
        text = contract.read_text(encoding="utf-8")
        assert "wait: PT4M" in text
        contract.write_text(text.replace("wait: PT4M", f"wait: {wait}"), encoding="utf-8")
        small = replace(stage, environment=stage.environment | {"ONECARD_SCHEMAS": str(schemas)})
        town = CardTown(small)
        for dataset in CONTRACTS:
            town.hub.collect(dataset).run()
        for agreement in agreements:
            town.deliver(agreement)
        yield town


def _at(moment: datetime | str) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)
