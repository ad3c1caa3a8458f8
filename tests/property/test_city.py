"""Whatever happens in a city: the registry is what its sources say, inboxes what agreements say.

Steps in any order: rows change, repeat, break rules and go; people consent, withdraw, die by
mistake; agreements are suspended, widened, approved; keys are renewed; time passes; the hub
collects, delivers, reconciles, replays, and is killed in the middle. After each collect the registry
is compared with `city_reference.Registry`, after each delivery the inbox with
`city_reference.Expected`, and nothing is sent that the consumer has as it is.

The steps of `make test` are the same each time; those of a night begin from a number that is drawn and
printed, and `CITY_SEED` takes it again. `CITY_SHRINK=1` looks for a shorter example when one fails.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, reject, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

import connectors
from onecard.errors import HoldError, PolicyError
from onecard.model.signoffs import SignOff
from onecard.operations.release import release as release_hold
from onecard.operations.replay import release, replay
from onecard.reconcile.dataset import ReconcileOptions, reconcile
from onecard.reconcile.inbox import reconcile_inbox
from onecard.store import database, quarantine
from schemas.lint import check
from tests.property import city_schemas
from tests.property.city import City, Held, accounts, numbers
from tests.property.city_reference import (
    AGREEMENT_KEYS,
    CONSENTED,
    IGNORED,
    KEYS,
    TELLS_DELETES,
    Expected,
    Key,
    Registry,
    Row,
)
from tests.sampling import how_often

PEOPLE = tuple(numbers())
ACCOUNTS = tuple(accounts(3))
CARDS = tuple(f"A0000000{n}" for n in range(1, 7))
PERSONS, EVENTS = "hrss/person", "transport/event"
F01, F03 = "f01-hrss-insurance-person", "f03-transport-hrss-event"
READABLE = tuple(a for a in AGREEMENT_KEYS if a[:3] in ("f01", "f03", "f04", "f05", "f07"))
PURPOSES = ("token/education", "token/transport", "quarantine")
OFFICIAL = SignOff("official", "checked")
MOBILE = "13812345678"
"""In a note it is a finding of the privacy gate, which keeps the row back until a person decides."""

COLLECT_POINTS = (
    *("collect.claimed", "stage.checked", "load.after_commit", "stage.settled", "stage.recorded"),
    *("audit.recorded", "publish.merged", "publish.before_commit", "publish.after_commit"),
)
DELIVER_POINTS = (
    *("deliver.opened", "deliver.window", "send.batch", "send.leaving", "send.sealing"),
    *("send.after", "confirm.advanced", "confirm.before_commit", "confirm.after_commit"),
)

STEPS, LENGTH, PARTS = how_often(400, 2_000), how_often(50, 100), 4
"""At night: all steps, those of one city, and parts that workers share."""


def step(**given: Any) -> Callable[[Any], Any]:
    """A rule that counts."""

    def decorate(function: Any) -> Any:
        def counted(self: Any, **drawn: Any) -> None:
            type(self).steps += self.living
            function(self, **drawn)

        counted.__name__ = function.__name__
        return rule(**given)(counted)

    return decorate


who = st.sampled_from(PEOPLE)
index = st.integers(0, 9)
seldom = st.integers(0, 4).map(lambda n: n == 4)


class Life(RuleBasedStateMachine):
    """Drives one city, and its reference beside it."""

    server: ClassVar[str]
    templates: ClassVar[Path]
    steps: ClassVar[int] = 0
    """Taken by all machines of this process, after their first nights."""
    living = False
    """Whether the first night is over."""

    @initialize(number=st.integers(0, 2**16))
    def begin(self, number: int = 1) -> None:
        """A city after its first night, in which every source holds something.

        Args:
            number: nought in the simplest example, whose steps are all the same: it is left out.
        """
        if not number:
            reject()
        home = Path(tempfile.mkdtemp(prefix="tiny-city-"))
        self.city = City(home, self.server, self.templates)
        self.registry = Registry()
        self.in_force, self.text = (1, False), (1, False)
        self.permitted = dict.fromkeys(AGREEMENT_KEYS, True)
        self.once: dict[str, set[tuple[Key, tuple[Any, ...]]]] = {a: set() for a in AGREEMENT_KEYS}
        self.vouched: set[Key] = set()
        self.unproven: dict[str, set[Key]] = {a: set() for a in AGREEMENT_KEYS}
        for number, person in enumerate(PEOPLE):
            self.person(who=person, status="1")
            self.card(number=number % 5, who=person, card="1", account=number, bad=False)
        self.payment(number=1, who=PEOPLE[0], account=0)
        self.consent(who=PEOPLE[2], kind="1", other=False)
        self.city.put("health/death", _death(PEOPLE[-1]))
        self.city.put_file([self._event(n, CARDS[n], "1", "", 0) for n in range(3)])
        for agreement in AGREEMENT_KEYS:
            self.city.approve(agreement)
        self.night()
        self.living = True

    def teardown(self) -> None:
        if hasattr(self, "city"):
            self.city.close()

    # The agencies' rows

    @step(who=who, status=st.sampled_from("1123"), again=seldom, bad=seldom)
    def person(self, who: str, status: str, again: bool = False, bad: bool = False) -> None:
        row = {"person_id18": who, "person_name": "张三丰", "status": "8" if bad else status}
        self.city.put(PERSONS, row, again=again)

    @step(
        number=st.integers(0, 5),
        who=who,
        card=st.sampled_from("1119"),
        fin=st.sampled_from("1223"),
        bank=st.sampled_from(["102", "102", "103"]),
        account=index,
        again=seldom,
        bad=seldom,
    )
    def card(
        self,
        number: int,
        who: str,
        card: str,
        account: int,
        fin: str = "2",
        bank: str = "102",
        again: bool = False,
        bad: bool = False,
    ) -> None:
        row = {
            "card_no": CARDS[number],
            "person_id18": who,
            "card_status": "7" if bad else card,
            "fin_status": fin,
            "bank_code": bank,
            "bank_account": ACCOUNTS[account % len(ACCOUNTS)],
        }
        self.city.put("hrss/card", row, again=again)

    @step(number=index, who=who, account=index, status=st.sampled_from("00128"), again=seldom)
    def payment(
        self, number: int, who: str, account: int, status: str = "0", again: bool = False
    ) -> None:
        """A payment; status 8 stands in no code list."""
        row = {
            "pay_id": f"pay-{number}",
            "person_id18": who,
            "bank_account": ACCOUNTS[account % len(ACCOUNTS)],
            "amount": f"{100 + number}.50",
            "pay_status": status,
        }
        self.city.put("hrss/payment", row, again=again)

    @step(which=index)
    def restore_a_payment(self, which: int) -> None:
        """The source has an earlier state of a row again."""
        known = list(self.registry.rows["hrss/payment"].values())
        if known:
            self.city.put_back("hrss/payment", known[which % len(known)])

    @step(who=who, kind=st.sampled_from("112"), other=seldom)
    def consent(self, who: str, kind: str, other: bool) -> None:
        row = {
            "consent_id": f"c-{self.city.numbers['order']}",
            "person_id18": who,
            "agreement": "f99-another" if other else CONSENTED,
            "consent_kind": kind,
            "given_at": self.city.tick(),
            "withdrawn_at": None,
        }
        self.city.put("hrss/consent", row)

    @step(which=index)
    def withdraw_a_consent(self, which: int) -> None:
        given = self.city.sources["hrss/consent"]
        if given:
            row = given[which % len(given)]
            self.city.put("hrss/consent", {**row, "withdrawn_at": self.city.tick()})

    @step(who=who, bad=seldom)
    def note_a_death(self, who: str, bad: bool) -> None:
        if not bad:
            self.city.put("health/death", _death(who))

    @step(dataset=st.sampled_from([d for d in KEYS if d != EVENTS]), which=index)
    def drop_a_row(self, dataset: str, which: int) -> None:
        found = self.city.sources[dataset]
        if len(found) > 1:
            self.city.drop(dataset, found[which % len(found)])

    @step(
        rows=st.lists(
            st.tuples(
                st.integers(0, 4),
                st.sampled_from(CARDS),
                st.sampled_from(["1", "1", "0", "7"]),
                st.sampled_from(["", "", "note", f"call {MOBILE}"]),
                st.sampled_from([0, 0, 0, 6]),
            ),
            min_size=1,
            max_size=4,
        )
    )
    def issue_a_file(self, rows: list[tuple[int, str, str, str, int]]) -> None:
        """Events, the same perhaps several times; some of the future, which the contract refuses."""
        self.city.put_file([self._event(*row) for row in rows])

    def _event(self, number: int, card: str, kind: str, note: str, days: int) -> Row:
        moment = self.city.now.replace(hour=1) + timedelta(days=days)
        return {
            "event_id": f"e-{number}",
            "card_no": card,
            "kind": kind,
            "note": note,
            "happened_at": moment,
        }

    # What people at the bureau decide

    @step(agreement=st.sampled_from(list(AGREEMENT_KEYS)))
    def suspend(self, agreement: str) -> None:
        self.city.suspend(agreement)
        self.permitted[agreement] = False

    @step()
    def approve(self) -> None:
        """Every text as it stands in its file."""
        for agreement, permitted in self.permitted.items():
            if not permitted:
                self._approve(agreement)

    def _approve(self, agreement: str) -> None:
        self.city.approve(agreement)
        self.permitted[agreement] = True
        if agreement == F01:
            self.in_force = self.text

    @step(statuses=st.sampled_from([1, 2]), told=st.booleans(), at_once=st.booleans())
    def rewrite(self, statuses: int, told: bool, at_once: bool) -> None:
        """Another scope, another column; in force when it is approved."""
        self.text = (statuses, told)
        self.city.rewrite(F01, self.text)
        self.permitted[F01] = False
        if at_once:
            self._approve(F01)

    @step(purpose=st.sampled_from(PURPOSES))
    def renew_a_key(self, purpose: str) -> None:
        self.city.rotate(purpose)

    @step(days=st.integers(1, 12))
    def pass_time(self, days: int) -> None:
        self._pass_time(days)

    def _pass_time(self, days: int) -> None:
        """Children and elders come of age; the city ends with its year."""
        if (self.city.now + timedelta(days=days + 30)).date() < city_schemas.LAST:
            self.city.now += timedelta(days=days)

    # What the hub does

    @step(dataset=st.sampled_from(list(KEYS)))
    def collect(self, dataset: str) -> None:
        self._collect(dataset)

    def _collect(self, dataset: str) -> None:
        hub = self.city.hub()
        try:
            hub.collect(dataset).run()
        except HoldError:
            release_hold(hub, dataset, OFFICIAL)
        self.registry.collect(dataset, self.city.read(dataset), self.city.now)
        self._compare(dataset)

    @step(agreement=st.sampled_from(list(AGREEMENT_KEYS)))
    def deliver(self, agreement: str) -> None:
        self._deliver(agreement)

    @step(days=st.integers(1, 12))
    def a_later_night(self, days: int) -> None:
        self._pass_time(days)
        self.night()

    @step()
    def night(self) -> None:
        for dataset in KEYS:
            self._collect(dataset)
        for agreement in AGREEMENT_KEYS:
            self._deliver(agreement)

    @step(dataset=st.sampled_from([d for d in KEYS if d != EVENTS]))
    def reconcile(self, dataset: str) -> None:
        """Twice, and an official lets many deletes pass: what is absent is deleted."""
        for _ in range(2):
            reconcile(self.city.hub(), dataset, ReconcileOptions(release=OFFICIAL))
        self.registry.reconcile(dataset, self.city.read(dataset), self.city.now)
        self._collect(dataset)  # what is newer than the watermark waits for it

    @step(agreement=st.sampled_from(READABLE), damaged=st.booleans())
    def reconcile_an_inbox(self, agreement: str, damaged: bool) -> None:
        if self.permitted[agreement]:
            if agreement == F01 and damaged:
                self.city.damage()
            reconcile_inbox(self.city.hub(), agreement)
            self._deliver(agreement, again=True)
            # Of a row beyond the agreement nobody can tell what it should be: off the record.
            self.unproven[agreement] |= self.city.held(agreement).keys() - self._expected(agreement)

    @step(which=index)
    def replay(self, which: int) -> None:
        """A rejected event is checked again; it never takes the place of a newer one.

        Which rows wait is known: of each event the last that was rejected, unless a good one came
        behind it, by whichever files and nights they came.
        """
        hub, held = self.city.hub(), self._quarantined(EVENTS, None)
        with database.connect(hub.address, autocommit=True) as connection:
            found = [quarantine.reveal(connection, r.id, hub.keys)[1] for r in held]
        there = [_content({**v, "happened_at": _moment(v)}) for v in found]
        wanted = {_content(row): row for row in self.registry.waiting(EVENTS)}
        assert sorted(there) == sorted(wanted), "other events wait"
        if there:
            at = which % len(there)
            assert replay(hub, held[at].id, "asked for").outcome != "refused"
            self.registry.collect(EVENTS, [wanted[there[at]]], self.city.now)
            self._compare(EVENTS)

    @step(which=index)
    def release(self, which: int) -> None:
        """A person vouches for a row that the privacy gate has kept back."""
        found = self._quarantined(EVENTS, F03)
        if not found or not self.permitted[F03]:
            return
        record = found[which % len(found)]
        with database.connect(self.city.hub().address, autocommit=True) as connection:
            values = quarantine.reveal(connection, record.id, self.city.hub().keys)[1]
        before = self.city.held(F03)
        release(self.city.hub(), record.id, "vouched for")
        self.vouched.add((str(values["event_id"]),))
        self._compare_inbox(F03, before, again=True, due=False)

    def _quarantined(self, dataset: str, agreement: str | None) -> list[quarantine.Record]:
        with database.connect(self.city.hub().address, autocommit=True) as connection:
            found = quarantine.records(connection, dataset)
        return [r for r in found if r.agreement == agreement]

    @step(dataset=st.sampled_from(list(KEYS)), point=st.sampled_from(COLLECT_POINTS))
    def kill_a_collect(self, dataset: str, point: str) -> None:
        """Killed, then run again."""
        self.city.killed("collect", dataset, point)
        self._collect(dataset)

    @step(agreement=st.sampled_from(list(AGREEMENT_KEYS)), point=st.sampled_from(DELIVER_POINTS))
    def kill_a_delivery(self, agreement: str, point: str) -> None:
        """Killed, then run again: what has left may come a second time."""
        if self.permitted[agreement]:
            self.city.killed("deliver", agreement, point)
            self._deliver(agreement, again=True)

    # What must hold

    def _compare(self, dataset: str) -> None:
        """The registry holds what the reference says."""
        names = city_schemas.FIELDS[dataset]
        found = {k: _shown(r, names) for k, r in self.city.published(dataset).items()}
        wanted = {
            tuple(r[n] for n in KEYS[dataset]): _shown(r, names)
            for r in self.registry.live(dataset)
        }
        assert found == wanted, dataset

    def _deliver(self, agreement: str, *, again: bool = False) -> None:
        """Deliver, and compare; `again`: rows may come that the consumer has."""
        before = self.city.held(agreement)
        if not self.permitted[agreement]:
            with pytest.raises(PolicyError):
                self.city.hub().deliver(agreement).run()
            assert self.city.held(agreement) == before
            return
        self.city.hub().deliver(agreement).run()
        self._compare_inbox(agreement, before, again=again)

    def _compare_inbox(
        self, agreement: str, before: Held, *, again: bool, due: bool = True
    ) -> None:
        """The inbox holds what the reference says.

        Args:
            before: what it held before the delivery.
            again: rows may have come that the consumer had.
            due: everything was due; else only what the gate keeps back is looked at.
        """
        expected, held = self._expected(agreement), self.city.held(agreement)
        columns = _columns(expected or {k: r for k, (r, _) in held.items()})
        shown = [n for n in columns if n not in IGNORED.get(agreement, ())]
        now = {k: _shown(r, shown) for k, r in expected.items()}
        there = {k: _shown(r, shown) for k, (r, _) in held.items()}
        for key in [k for k, r in expected.items() if MOBILE in r.get("note", "")]:
            kept = now.pop(key)  # kept back: an earlier state may be there
            assert there.pop(key, None) != kept or key in self.vouched, f"{agreement}: not scanned"
        if not due:
            return
        if agreement in TELLS_DELETES:
            assert there == now, agreement
        else:
            assert now.items() <= there.items(), agreement
            self.once[agreement] |= set(now.items())
            assert set(there.items()) <= self.once[agreement], f"{agreement}: never granted"
        if not again:
            same = [k for k, (row, _) in held.items() if k in before and before[k][0] == row]
            twice = {k for k in same if held[k][1] != before[k][1]}
            assert twice <= self.unproven[agreement], f"{agreement}: sent again, unchanged"
            self.unproven[agreement] -= twice

    def _expected(self, agreement: str) -> dict[Key, Row]:
        city = self.city
        wanted = Expected(self.registry, city.now.date(), city.token_key, self.in_force)
        return wanted.rows(agreement)


def _death(person: str) -> Row:
    return {"person_id18": person, "death_date": "2025-12-01"}


def _content(row: Row) -> tuple[str, ...]:
    """What an event says, without its place."""
    return _shown(row, city_schemas.FIELDS[EVENTS])


def _moment(values: Row) -> datetime:
    return datetime.fromisoformat(str(values["happened_at"]))


def _columns(rows: dict[Key, Row]) -> tuple[str, ...]:
    return next((tuple(r) for r in rows.values()), ())


def _shown(row: Row, names: Any) -> tuple[str, ...]:
    return tuple("" if row.get(n) is None else str(row[n]) for n in names)


def _live(server: str, templates: Path, examples: int, length: int, number: int) -> int:
    """Run so many cities, each for so many steps, others for each number; returns all steps."""
    before = Life.steps
    seed(number)(Life)
    Life.server, Life.templates = server, templates
    phases = [Phase.generate] + [Phase.shrink] * ("CITY_SHRINK" in os.environ)
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=examples,
            stateful_step_count=length,
            deadline=None,
            database=None,
            phases=phases,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Life.steps - before


def test_the_tiny_city_passes_lint(tmp_path: Path) -> None:
    city_schemas.write(tmp_path)
    kinds = {kind: connectors.connector(kind) for kind in connectors.KINDS}
    assert check.lint(tmp_path, connectors=kinds) == ()


@pytest.mark.timeout(900)
def test_a_city_in_any_order(quick_postgres: str, shared_folder: Path) -> None:
    assert _live(quick_postgres, shared_folder, 2, 50, 0) >= 90


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_city_in_any_order_for_long(quick_postgres: str, shared_folder: Path, part: int) -> None:
    first = int(os.environ.get("CITY_SEED") or secrets.randbelow(2**32))
    print(f"CITY_SEED={first}")
    steps = STEPS // PARTS
    done = _live(quick_postgres, shared_folder, steps // LENGTH, LENGTH, first + part)
    assert done >= 0.9 * steps
