"""Agreements approved, changed, suspended, expired and stopped in any order while transfers run.

Invariant: no row ever leaves outside an agreement in force, and only the approved text's columns.
The model below keeps its own account and does not use `onecard.store.agreement_lives`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from pydantic import BaseModel

from demo.rehearsal import Rehearsal
from onecard.base.settings import Settings
from onecard.deliver.context import DeliveryContext
from onecard.deliver.run import Deliver
from onecard.errors import OnecardError
from onecard.ports.sink import Parcel, Sent
from onecard.store import agreement_lives, database
from onecard.store.agreement_events import Act
from quality.privacy.gate import Gate
from schemas.models.agreement import Agreement
from tests.cities import Cities

ID = "f02-hrss-medical_insurance-card-status"


class Options(BaseModel):
    """None are needed."""


@dataclass
class Inbox:
    """A consumer in this process: it notes what arrives, batch by batch, and may interrupt."""

    kind: ClassVar[str] = "inbox"
    source_options: ClassVar[type[BaseModel]] = Options
    sink_options: ClassVar[type[BaseModel]] = Options
    received: list[tuple[tuple[str, ...], int]] = field(default_factory=list)
    outside: int = 0
    between: Callable[[], None] = lambda: None
    allowed: Callable[[tuple[str, ...]], bool] = lambda _columns: True

    def send(self, _connection: object, _options: object, parcel: Parcel) -> Sent:
        rows = 0
        for batch in parcel.batches:
            for first in range(0, batch.num_rows, 10):
                part = batch.slice(first, 10)
                parcel.leave()
                columns = tuple(part.schema.names)
                self.outside += not self.allowed(columns)
                self.received.append((columns, part.num_rows))
                rows += part.num_rows
                self.between()
        return Sent(rows, 1, 0, "digest")


@dataclass
class Account:
    """What the model knows: the text, its approvals, stops and the day."""

    text: Agreement
    day: Any
    approved: Agreement | None = None
    first: tuple[Agreement, str] | None = None
    versions: dict[str, Agreement] = field(default_factory=dict)
    suspended: bool = False
    stops: dict[str, bool] = field(default_factory=dict)
    key: bool = True

    def needed(self) -> int:
        """How many people must approve: a text alone cannot ask for fewer than the last one."""
        return max(self.text.approvers, self.approved.approvers if self.approved else 1)

    def open(self) -> bool:
        """Whether rows may leave."""
        text = self.text
        span = text.validity.first <= self.day <= text.validity.last
        stopped = self.stops.get("*", False) or self.stops.get(text.consumer, False)
        return self.approved == text and span and not self.suspended and not stopped and self.key


class Life(RuleBasedStateMachine):
    """Drives one agreement and its deliveries."""

    stage: ClassVar[Rehearsal]

    @initialize()
    def begin(self) -> None:
        hub = self.stage.hub(0)
        self.hub, self.inbox = hub, Inbox()
        self.keys = hub.settings.keys_file
        self.away = self.keys.with_suffix(".away")
        if self.away.exists():
            shutil.move(self.away, self.keys)
        self.today = hub.settings.now()
        text = hub.catalogue.agreement(ID)
        with database.connect(hub.address, autocommit=True) as connection:
            for table in ("agreement_event", "stop_event"):
                connection.execute(f"ALTER TABLE ledger.{table} DISABLE TRIGGER ALL".encode())
                connection.execute(f"DELETE FROM ledger.{table}".encode())
                connection.execute(f"ALTER TABLE ledger.{table} ENABLE TRIGGER ALL".encode())
            connection.execute("DELETE FROM ledger.delivered")
            connection.execute("DELETE FROM ledger.delivery_window")
        self.account = Account(text, self.today.date())
        self.inbox.allowed = self._allowed

    def _allowed(self, columns: tuple[str, ...]) -> bool:
        approved = self.account.approved
        return self.account.open() and approved is not None and columns == approved.names

    def _connected(self, act: Callable[[Any], None]) -> None:
        with database.connect(self.hub.address, autocommit=True) as connection:
            act(connection)

    @rule(who=st.sampled_from(["official", "colleague", " Official"]))
    def approve(self, who: str) -> None:
        account, person = self.account, who.strip().lower()
        text, first = account.text, account.first
        known = account.versions.get(text.version, text)
        waits = account.needed() == 2 and first is not None and first[0] == text
        try:
            self._connected(lambda c: agreement_lives.approve(c, text, who, "document"))
        except OnecardError:
            assert known != text or (waits and first == (text, person))
            return
        assert known == text
        if account.needed() == 2 and not waits:
            account.first = (text, person)
            return
        assert not waits or first != (text, person)
        account.versions[text.version] = account.approved = text
        account.suspended, account.first = False, None

    @rule()
    def withdraw(self) -> None:
        account, act = self.account, Act("official", "why")
        waits = account.first is not None and account.first[0] == account.text
        try:
            self._connected(lambda c: agreement_lives.withdraw(c, account.text, act))
        except OnecardError:
            assert not waits
            return
        assert waits
        account.first = None

    @rule(keep=st.integers(2, 4), raised=st.booleans(), people=st.sampled_from([1, 1, 2]))
    def change(self, keep: int, raised: bool, people: int) -> None:
        original = self.hub.catalogue.agreement(ID)
        major = int(self.account.text.version.split(".")[0]) + raised
        self.account.text = original.model_copy(
            update={
                "fields": original.fields[:keep],
                "key": (original.fields[0].name,),
                "version": f"{major}.0.0",
                "approvers": people,
            }
        )

    @rule()
    def suspend(self) -> None:
        self._connected(lambda c: agreement_lives.suspend(c, self.account.text, "official", "why"))
        self.account.suspended, self.account.first = True, None

    @rule(scope=st.sampled_from(["*", "medical_insurance", "bank"]), stopped=st.booleans())
    def switch(self, scope: str, stopped: bool) -> None:
        self._switch(scope, stopped)

    def _switch(self, scope: str, stopped: bool) -> None:
        def act(connection: Any) -> None:
            agreement_lives.set_stop(connection, scope, "official", "why", stopped=stopped)

        self._connected(act)
        self.account.stops[scope] = stopped

    @rule(years=st.sampled_from([-3, 0, 0, 0, 5]))
    def pass_time(self, years: int) -> None:
        self.account.day = (self.today + timedelta(days=366 * years)).date()

    @rule()
    def hide_or_return_the_keys(self) -> None:
        source, target = (self.keys, self.away) if self.account.key else (self.away, self.keys)
        shutil.move(source, target)
        self.account.key = not self.account.key

    @rule(interrupt=st.sampled_from([None, None, "stop", "suspend"]), again=st.booleans())
    def deliver(self, interrupt: str | None, again: bool) -> None:
        if again:
            self._connected(lambda c: c.execute("DELETE FROM ledger.delivered"))
        acts = {"stop": lambda: self._switch("medical_insurance", True), "suspend": self.suspend}
        self.inbox.between = acts.get(interrupt or "", lambda: None)
        before, was_open = len(self.inbox.received), self.account.open()
        done: OnecardError | None = None
        try:
            self._delivery().run()
        except OnecardError as error:
            done = error
        assert not self.inbox.outside, "a row left outside an agreement in force"
        assert was_open or len(self.inbox.received) == before
        assert was_open or done is not None
        if interrupt and len(self.inbox.received) > before:
            assert len(self.inbox.received) == before + 1

    def _delivery(self) -> Deliver:
        hub, account = self.hub, self.account
        people = hub.catalogue.registers.people
        now = self.today + (account.day - self.today.date())
        return Deliver(
            account.text,
            DeliveryContext(
                address=hub.address,
                settings=Settings(**{**hub.settings.model_dump(), "fixed_now": now}),
                connections=hub.connections,
                keys=hub.keys,
                connector=self.inbox,  # type: ignore[arg-type]
                contracts={
                    d: hub.catalogue.contract(d)
                    for d in (*account.text.datasets, people.cards, people.deaths)
                },
                agencies=hub.catalogue.agencies,
                registers=_lasting(hub.catalogue.registers),
                suite=hub.suite,
                signer=self.stage.hub(0).signer,
                gate=Gate,
            ),
        )


def _lasting(registers: Any) -> Any:
    """Registers whose assessments are always fresh: time is the agreement's matter here."""
    entries = {
        name: entry.model_copy(update={"reviewed": entry.reviewed.replace(year=2099)})
        for name, entry in registers.assessments.items()
    }
    return registers.model_copy(update={"assessments": entries})


@pytest.mark.fault("F35", "in any life of an agreement no row leaves outside it")
def test_no_row_leaves_outside_an_agreement_in_force(cities: Cities) -> None:
    home = Path(tempfile.mkdtemp())
    try:
        with cities.start(home / "stage", persons=2_000, seed=5) as stage:
            for dataset in ("hrss/card_master", "hrss/card_status_event"):
                stage.hub(0).collect(dataset).run()
            Life.stage = stage
            run_state_machine_as_test(
                Life,
                settings=settings(
                    max_examples=25,
                    stateful_step_count=25,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
    finally:
        shutil.rmtree(home, ignore_errors=True)
