"""A hub whose systems, gates and auditor are fakes: only its database is real, and it is a clone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from onecard.base.settings import Settings
from onecard.collect.context import CollectContext
from onecard.collect.run import Collect
from onecard.crypto import keys, suites
from onecard.crypto.signing import Signer
from onecard.deliver.context import DeliveryContext
from onecard.deliver.run import Deliver
from onecard.ports.fakes import (
    FakeAuditor,
    FakeConnections,
    FakeListener,
    FakePrivacyGate,
    FakeReading,
    FakeRowGate,
    FakeSystem,
)
from onecard.ports.source import Chunk
from onecard.store import agreement_lives, database
from onecard.store.leases import Guard, unguarded
from schemas.models import catalogue
from schemas.models.agreement import Agreement
from schemas.models.contract import Contract
from schemas.models.reaction import Expectation

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
ECARDS, AGREEMENT = "hrss/ecard_binding", "f08-hrss-operator-ecard"
KNOWN = catalogue.load()


@dataclass
class FakeHub:
    """One hub; its parts may be set before each transfer."""

    address: str
    settings: Settings
    system: FakeSystem = field(default_factory=FakeSystem)
    rows: FakeRowGate = field(default_factory=FakeRowGate)
    auditor: FakeAuditor = field(default_factory=FakeAuditor)
    privacy: FakePrivacyGate = field(default_factory=FakePrivacyGate)
    listener: FakeListener = field(default_factory=FakeListener)
    guard: Guard = unguarded
    expectation: Expectation | None = None

    @classmethod
    def at(cls, address: str, home: Path) -> FakeHub:
        """A hub with keys and with the agreement approved."""
        settings = Settings(home=home, keys_file=home / "keys.json", profile="demo", fixed_now=NOW)
        keys.create(settings.keys_file, KNOWN.agencies, "2026")
        with database.connect(address, autocommit=True) as connection:
            agreement_lives.approve(connection, KNOWN.agreement(AGREEMENT), "批准人", "批〔1〕号")
        return cls(address, settings)

    @property
    def _common(self) -> dict[str, Any]:
        store = keys.configured(self.settings.keys_file)
        return {
            "address": self.address,
            "settings": self.settings,
            "connections": FakeConnections(),
            "keys": store,
            "connector": self.system,
            "suite": suites.suite(self.settings.suite),
            "signer": Signer(self.settings.suite, store),
            "guard": self.guard,
        }

    catalogue = KNOWN

    def collect(self, dataset: str = ECARDS) -> Collect:
        tools = CollectContext(gate=self.rows, auditor=self.auditor, **self._common)
        return Collect(KNOWN.contract(dataset), tools, (self.listener,))

    def deliver(self, agreement: Agreement = KNOWN.agreement(AGREEMENT)) -> Deliver:  # noqa: B008 - frozen
        people = KNOWN.registers.people
        tools = DeliveryContext(
            contracts={d: KNOWN.contract(d) for d in (ECARDS, people.cards, people.deaths)},
            agencies=KNOWN.agencies,
            registers=KNOWN.registers,
            gate=lambda _plan: self.privacy,
            expectation=self.expectation,
            **self._common,
        )
        return Deliver(agreement, tools, (self.listener,))

    def offers(self, frame: pl.DataFrame, fails: Exception | None = None) -> None:
        """What the source gives next, in one chunk."""
        batches = frame.to_arrow().combine_chunks().to_batches()
        chunks = tuple(Chunk(batch, "a table") for batch in batches)
        self.system.reading = FakeReading(chunks, fails=fails)

    def with_people(self) -> None:
        """Registers of cards and deaths in which nobody stands."""
        for dataset in (KNOWN.registers.people.cards, KNOWN.registers.people.deaths):
            self.offers(typed(KNOWN.contract(dataset), []))
            self.collect(dataset).run()

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with database.connect(self.address, autocommit=True) as connection:
            rows: list[tuple[Any, ...]] = connection.execute(statement.encode()).fetchall()
        return rows


def ecards(*numbers: int, status: str = "1", at: datetime = NOW) -> pl.DataFrame:
    """Rows of the dataset of e-cards, typed as its contract says."""
    rows = [
        {
            "ecard_sign_no": f"E{number:05}",
            "card_no": f"C{number:05}",
            "person_id18": "410199194901010014",
            "ecard_status": status,
            "sign_date": NOW,
            "channel_code": "1",
            "source_updated_at": at,
            "source_seq": number,
        }
        for number in numbers
    ]
    return typed(KNOWN.contract(ECARDS), rows)


def typed(contract: Contract, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows with a column for each field of a contract, as a row gate types them."""
    types: dict[str, Any] = {
        "string": pl.String,
        "date": pl.Date,
        "timestamp": pl.Datetime("us", "UTC"),
        "integer": pl.Int64,
        "number": pl.Decimal(18, 2),
    }
    return pl.DataFrame(rows, schema={f.name: types[f.type] for f in contract.fields})
