"""What a consumer holds: after each delivery its inbox is what its agreement says now."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from sqlalchemy import MetaData, Table, create_engine, select
from sqlalchemy.engine import make_url

from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.base.sql_text import names, query
from onecard.base.times import ZONE
from onecard.deliver.context import Delivered, Replay
from onecard.errors import OnecardError
from onecard.reconcile.inbox import reconcile_inbox
from onecard.store import agreement_lives, database, datasets, registry, staging
from schemas.models import catalogue
from tests.cities import Cities
from tests.faults.harness import Harness

CARDS, EVENTS = "hrss/card_master", "hrss/card_status_event"
PAYMENTS, CONSENTS = "hrss/subsidy_payment", "hrss/consent_record"
DEATHS, ACCOUNTS = "health/death_notice", "housing_fund/hf_account"
PUPILS, CONCESSIONS = "education/edu_enrolment", "transport/transit_concession"
F06, F14 = "f06-hrss-housing_fund-card-status", "f14-transport-transport-concession"
F15, F16 = "f15-education-hrss-graduates", "f16-hrss-bank-subsidy-payment"
F17 = "f17-hrss-hrss-subsidy-failure"
F02 = "f02-hrss-medical_insurance-card-status"
ANSWER = "{name: returned, when: {filters: [{field: pay_status, in: ['2']}], answers: [是, 否]}}"
Changes = tuple[tuple[str, str], ...]
CHANGED: dict[str, Changes] = {
    F06: (("first_by: [-occurred_at, -event_seq]\n", ""),),
    F14: (("  connection: transport_files\n", "  connection: transport_files\n  deletes: rows\n"),),
    F15: (("    - {field: person_id18, min_age: 16}\n", ""),),
    F16: (("  connection: bank_api\n", "  connection: bank_api\n  deletes: rows\n"),),
    F17: (
        ("  - {name: pay_status, treatment: as_is}\n", ""),
        ("{name: fail_reason, treatment: as_is}", ANSWER),
        ("in: ['2']}\norder", "in: ['1', '2']}\norder"),
        ("  connection: hrss_db\n", "  connection: hrss_db\n  deletes: rows\n"),
    ),
}


@contextmanager
def city_with(home: Path, cities: Cities, changed: Mapping[str, Changes]) -> Iterator[Harness]:
    """A city whose datasets are collected, with agreements changed and approved so."""
    schemas = home / "schemas"
    shutil.copytree(catalogue.ROOT, schemas)
    for name, changes in changed.items():
        edit(schemas, name, *changes)
    with cities.start(home / "stage", persons=400, seed=23) as stage:
        stage.environment["ONECARD_SCHEMAS"] = str(schemas)
        hub = stage.hub(0)
        for dataset in hub.catalogue.contracts:
            hub.collect(dataset).run()
        with database.connect(hub.address, autocommit=True) as connection:
            for name in changed:
                agreement = hub.catalogue.agreement(name)
                agreement_lives.approve(connection, agreement, "演练", "批复1号")
        with Harness.of(stage) as made:
            yield made


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Harness]:
    """A city whose datasets are collected; nothing is delivered yet."""
    with city_with(tmp_path_factory.mktemp("holding"), cities, CHANGED) as made:
        yield made


def edit(root: Path, agreement: str, *changes: tuple[str, str], version: str = "2.0.0") -> None:
    """Change the text of an agreement."""
    file = root / "agreements" / f"{agreement}.yaml"
    text = file.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, (agreement, old)
        text = text.replace(old, new)
    text = re.sub(r"(?m)^version: .*$", f"version: {version}", text)
    file.write_text(text, encoding="utf-8")


@dataclass
class Side:
    """A hub and what its consumers hold."""

    harness: Harness
    hub: Hub

    def deliver(self, agreement: str, how: Replay | None = None) -> Delivered:
        return self.hub.deliver(agreement).run(how)

    def told(self, agreement: str, how: Replay | None = None) -> tuple[int, int]:
        """Rows and withdrawals of the next delivery."""
        done = self.deliver(agreement, how)
        return done.rows, done.deleted

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with database.connect(self.hub.address, autocommit=True) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def publish(self, dataset: str, where: str, **values: str) -> int:
        """Publish changed rows as a collect does: `values` are SQL expressions on row `t`."""
        contract = self.hub.catalogue.contract(dataset)
        with database.connect(self.hub.address) as connection:
            version = datasets.lock(connection, dataset).version + 1
            transfer = 900_000 + version
            staging.create(connection, contract, transfer, first=False)
            listed = [
                sql.SQL(values[n]) if n in values else sql.Identifier("t", n)  # type: ignore[arg-type]
                for n in contract.names
            ]
            rows = connection.execute(
                query(
                    "INSERT INTO {s} ({columns}, _row_hash) SELECT {listed}, {version} * 7919"
                    " FROM {t} t WHERE " + where,  # type: ignore[arg-type]
                    s=staging.table(contract, transfer),
                    columns=names(contract.names),
                    listed=sql.SQL(", ").join(listed),
                    version=sql.Literal(version),
                    t=registry.published(contract),
                )
            ).rowcount
            registry.Merging(connection, contract, transfer, accepted=True).merge(version)
            datasets.raise_version(connection, dataset, version)
            staging.drop(connection, contract, older_than=transfer + 1, mine=transfer)
        return rows

    def delete(self, dataset: str, where: str = "true") -> int:
        """Publish rows as deleted, as a reconciliation with the source does."""
        table = self.hub.catalogue.contract(dataset).table
        with database.connect(self.hub.address) as connection:
            version = datasets.lock(connection, dataset).version + 1
            done = connection.execute(
                f"UPDATE registry.{table} t SET _deleted_at = now(), _version = {version}"
                f" WHERE {where}".encode()
            ).rowcount
            datasets.raise_version(connection, dataset, version)
        return done

    def at(self, moment: datetime, **more: str) -> Side:
        """The same hub at another time."""
        environment = {**self.harness.environment, "ONECARD_NOW": moment.isoformat(), **more}
        hub = Hub(Settings.load(environment), EnvironmentConnections(environment))
        return Side(self.harness, hub)

    def expected(self, agreement: str) -> list[dict[str, Any]]:
        """What the agreement's query gives now."""
        return self.hub.deliver(agreement).preview(1_000_000).to_dicts()

    def batches(self, agreement: str, system: str) -> list[dict[str, Any]]:
        """Requests that an HTTP inbox took, the first first."""
        folder = self.harness.stage.city.home / "inbox" / system
        lines = [
            json.loads(line)
            for file in folder.glob("*.batches.jsonl")
            for line in file.read_text(encoding="utf-8").splitlines()
        ]
        return [line for line in lines if line["agreement"] == agreement]

    def by_http(self, agreement: str, system: str, key: tuple[str, ...]) -> dict[Any, Any]:
        """What an HTTP inbox holds by now: an upsert by key, and withdrawals."""
        held: dict[Any, Any] = {}
        for request in self.batches(agreement, system):
            for gone in request.get("deleted", ()):
                held.pop(tuple(gone[k] for k in key), None)
            for row in request["rows"]:
                held[tuple(row[k] for k in key)] = row
        return held

    def table(self, name: str) -> list[dict[str, Any]]:
        """Rows of the housing fund's inbox, or of one in the human resources' database."""
        home = self.harness.stage.city
        url = f"sqlite:///{home.home / 'housing_fund.sqlite'}"
        schema, _, plain = name.rpartition(".")
        if schema:
            url = str(
                make_url(home.postgres_url)
                .set(drivername="postgresql+psycopg")
                .render_as_string(hide_password=False)
            )
        engine = create_engine(url)
        table = Table(plain, MetaData(), schema=schema or None, autoload_with=engine)
        with engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(select(table)).mappings()]
        engine.dispose()
        return rows


@pytest.fixture
def side(city: Harness) -> Iterator[Side]:
    city.fresh()
    yield Side(city, city.hub())
    city.drop()


def paid(side: Side) -> set[str]:
    """Payments that the bank holds, none of them sent in two states."""
    return {key[0] for key in side.by_http(F16, "bank_api", ("pay_id",))}


def of_card(side: Side, payment: str) -> str:
    """Condition: a card of that payment's account."""
    return (
        "(t.person_id18, t.bank_account) IN (SELECT person_id18, bank_account FROM"
        f" registry.hrss__subsidy_payment WHERE pay_id = '{payment}')"
    )


def a_payment(side: Side) -> str:
    return str(side.expected(F16)[0]["pay_id"])


@pytest.mark.case("holding-1", "a payment leaves the night after its account is activated")
def test_a_row_that_enters_scope_by_a_joined_row_is_sent(side: Side) -> None:
    payment = a_payment(side)
    assert side.publish(CARDS, of_card(side, payment), fin_status="'3'") == 1
    assert side.deliver(F16).rows == len(side.expected(F16)) > 0
    assert payment not in paid(side)
    side.publish(CARDS, of_card(side, payment), fin_status="'2'")
    assert side.told(F16) == (1, 0)
    assert payment in paid(side)
    for _ in range(2):
        assert side.deliver(F16).transfer is None


@pytest.mark.case("holding-2", "who leaves the scope by a changed value is withdrawn")
@pytest.mark.parametrize("how", ["own value", "joined value", "semi-join", "link", "key"])
def test_a_row_that_leaves_the_scope_is_withdrawn(side: Side, how: str) -> None:
    agreement = F06 if how in ("semi-join", "link") else F16
    rows = side.deliver(agreement).rows
    assert rows >= 2
    if agreement == F16:
        payment = a_payment(side)
        if how == "own value":
            side.publish(PAYMENTS, f"pay_id = '{payment}'", pay_status="'2'", fail_reason="'01'")
        elif how == "joined value":
            side.publish(CARDS, of_card(side, payment), fin_status="'3'")
        else:  # the joined row no longer meets it
            side.publish(CARDS, of_card(side, payment), bank_account="'6217000000000000000'")
        assert side.told(F16) == (0, 1)
        assert paid(side) == {str(r["pay_id"]) for r in side.expected(F16)}
        return
    if how == "semi-join":
        side.publish(ACCOUNTS, "grzhzt IN ('01', '02', '06')", grzhzt="'04'")
    else:  # the accounts are other persons' now: the old number is in no row any more
        side.publish(ACCOUNTS, "true", person_id18="'110101190001010000'")
    assert side.told(F06) == (0, rows)
    assert side.table("inbox_f06_hrss_housing_fund_card_status") == []


@pytest.mark.case("holding-2", "a key that a changed link gives is withdrawn by its old value")
def test_the_old_key_is_withdrawn_when_the_joined_key_changes(side: Side) -> None:
    """The token of the card's person is part of the key; the card changes hands."""
    rows = side.deliver(F06).rows
    (one, other) = side.ask(
        "SELECT DISTINCT c.person_id18 FROM registry.hrss__card_status_event e"
        " JOIN registry.hrss__card_master c USING (card_no) JOIN registry.housing_fund__hf_account a"
        " ON a.person_id18 = c.person_id18 WHERE a.grzhzt IN ('01', '02', '06') ORDER BY 1 LIMIT 2"
    )
    side.publish(CARDS, f"t.person_id18 = '{one[0]}'", person_id18=f"'{other[0]}'")
    done = side.deliver(F06)
    assert done.deleted >= 1
    found = side.table("inbox_f06_hrss_housing_fund_card_status")
    assert len(found) == len(side.expected(F06)) <= rows
    assert reconcile_inbox(side.hub, F06).outcome == "agreed"
    assert side.ask("SELECT count(*) FROM registry.former") == [(0,)]


@pytest.mark.case("holding-3", "what was withheld or out of scope that night is due later")
@pytest.mark.parametrize("how", ["cancelled", "death"])
def test_what_is_withheld_no_more_is_sent(side: Side, how: str) -> None:
    payment = a_payment(side)
    person = f"(SELECT person_id18 FROM registry.hrss__subsidy_payment WHERE pay_id = '{payment}')"
    if how == "cancelled":
        side.publish(CARDS, f"t.person_id18 = {person}", card_status="'9'")
    else:
        side.publish(DEATHS, "t.ctid = (SELECT min(ctid) FROM registry.health__death_notice)",
                     person_id18=person)  # fmt: skip
    before = side.deliver(F16)
    assert before.withheld >= 1
    assert payment not in paid(side)
    if how == "cancelled":
        side.publish(CARDS, f"t.person_id18 = {person}", card_status="'1'")
    else:
        side.delete(DEATHS, f"person_id18 = {person}")
    assert side.deliver(F16).rows >= 1
    assert payment in paid(side)
    if how == "cancelled":
        side.publish(CARDS, f"t.person_id18 = {person}", card_status="'9'")
        assert side.deliver(F16).deleted >= 1
        assert payment not in paid(side)


@pytest.mark.case("holding-4", "a replaced card sends no payment a second time")
def test_one_row_of_each_key_whatever_the_joins_give(side: Side) -> None:
    payment = a_payment(side)
    rows = side.deliver(F16).rows
    contract = side.hub.catalogue.contract(CARDS)
    columns = ", ".join(n for n in contract.names if n != "card_no")
    with database.connect(side.hub.address, autocommit=True) as connection:
        added = connection.execute(
            f"INSERT INTO registry.{contract.table} (card_no, {columns}, _row_hash, _version,"
            f" _first_version, _transfer_id) SELECT 'N' || substr(card_no, 2), {columns}, 1,"
            f" _version + 1, _version + 1, _transfer_id FROM registry.{contract.table} t WHERE"
            f" {of_card(side, payment)}".encode()
        ).rowcount
        connection.execute(
            "UPDATE ledger.dataset SET version = version + 1 WHERE dataset = %s", (CARDS,)
        )
    assert added == 1
    assert side.told(F16) == (0, 0)
    side.publish(CARDS, f"card_no NOT LIKE 'N%' AND {of_card(side, payment)}", card_status="'9'")
    assert side.told(F16) == (0, 0)
    new = side.publish(PAYMENTS, f"pay_id = '{payment}'", pay_id="'NEW' || substr(t.pay_id, 4)")
    assert (new, side.told(F16)) == (1, (1, 0))
    sent = [r["pay_id"] for b in side.batches(F16, "bank_api") for r in b["rows"]]
    assert len(sent) == len(set(sent)) == rows + 1


@pytest.mark.case("holding-4", "rows of one key that differ are kept back and named")
def test_rows_of_one_key_that_differ_are_kept_back(side: Side) -> None:
    contract = side.hub.catalogue.contract(EVENTS)
    assert side.deliver(F06).rows >= 3
    columns = ", ".join(n for n in contract.names if n not in ("event_id", "to_status"))
    with database.connect(side.hub.address, autocommit=True) as connection:
        connection.execute(
            f"INSERT INTO registry.{contract.table} (event_id, to_status, {columns}, _row_hash,"
            f" _version, _first_version, _transfer_id) SELECT 'T' || event_id, '9', {columns}, 1,"
            f" _version + 1, _version + 1, _transfer_id FROM registry.{contract.table}"
            " WHERE to_status <> '9'".encode()
        )
        connection.execute(
            "UPDATE ledger.dataset SET version = version + 1 WHERE dataset = %s", (EVENTS,)
        )
    done = side.deliver(F06)
    assert (done.rows, done.deleted, done.quarantined > 0) == (0, 0, True)
    reasons = side.ask(
        "SELECT DISTINCT reasons::text FROM quarantine.record WHERE agreement = %s", F06
    )
    assert ["repeated_key" in r[0] for r in reasons] == [True]
    side.delete(EVENTS, "event_id LIKE 'T%'")
    assert side.told(F06) == (0, 0)
    assert reconcile_inbox(side.hub, F06).outcome == "agreed"


@pytest.mark.case("holding-5", "a widened scope sends the difference, a new field all rows")
def test_the_approved_text_decides_what_is_held(side: Side, tmp_path: Path) -> None:
    def in_force(version: str, *changes: tuple[str, str]) -> Side:
        root = tmp_path / version
        shutil.copytree(side.harness.environment["ONECARD_SCHEMAS"], root)
        edit(root, F17, *changes, version=version)
        made = side.at(side.hub.settings.now(), ONECARD_SCHEMAS=str(root))
        approve(made, F17)
        return made

    def held() -> list[dict[str, Any]]:
        return side.table("inbox.f17_hrss_hrss_subsidy_failure")

    narrow = ("in: ['1', '2']}\norder", "in: ['2']}\norder")
    few = in_force("2.1.0", narrow).deliver(F17).rows
    wide = in_force("2.2.0")
    everything = len(wide.expected(F17))
    assert wide.told(F17) == (everything - few, 0)
    assert len(held()) == everything > few > 0
    assert in_force("2.3.0", narrow).told(F17) == (0, everything - few)
    assert len(held()) == few
    more = (
        "  - {name: pay_id, treat",
        "  - {name: period, treatment: as_is}\n  - {name: pay_id, treat",
    )
    other = in_force("2.4.0", narrow, more)
    with pytest.raises(OnecardError):  # the consumer's table has no such column yet
        other.deliver(F17)


def approve(side: Side, agreement: str) -> None:
    with database.connect(side.hub.address, autocommit=True) as connection:
        agreement_lives.approve(
            connection, side.hub.catalogue.agreement(agreement), "演练", "批复2号"
        )


@pytest.mark.case("holding-6", "the newest consent decides, an older one does not revive it")
def test_the_newest_consent_decides(side: Side) -> None:
    rows = side.deliver(F14).rows
    assert rows > 0
    contract = side.hub.catalogue.contract(CONSENTS)
    columns = ", ".join(n for n in contract.names if n not in ("consent_id", "given_at"))
    with database.connect(side.hub.address, autocommit=True) as connection:
        connection.execute(
            f"INSERT INTO registry.{contract.table} (consent_id, given_at, {columns}, _row_hash,"
            f" _version, _first_version, _transfer_id) SELECT 'T' || substr(consent_id, 2),"
            f" given_at - interval '1 day', {columns}, 1, _version, _version, _transfer_id"
            f" FROM registry.{contract.table} WHERE agreement = %s".encode(),
            (F14,),
        )
    side.publish(
        CONSENTS,
        f"consent_id NOT LIKE 'T%' AND agreement = '{F14}' AND withdrawn_at IS NULL",
        withdrawn_at="t.given_at + interval '1 hour'",
    )
    assert side.expected(F14) == []
    assert side.told(F14) == (0, rows)


@pytest.mark.case("holding-7", "born on 29 February: due on 1 March of a common year")
def test_a_leap_day_child_is_due_on_the_day_that_the_gate_says(side: Side) -> None:
    number = "substr(t.person_id18, 1, 6) || '20120229' || substr(t.person_id18, 15)"
    one = "(SELECT min(ctid) FROM registry.education__edu_enrolment WHERE enrol_status = '07')"
    side.publish(PUPILS, f"t.ctid = {one}", person_id18=number)

    def on(month: int, day: int) -> Delivered:
        return side.at(datetime(2026, month, day, 2, tzinfo=ZONE)).deliver(F15)

    assert on(2, 27).withheld >= 1
    assert on(2, 28).rows == 0
    assert on(3, 1).rows == 1
    held = side.table("inbox.f15_education_hrss_graduates")
    assert [r for r in held if "20120229" in r["person_id18"]]


@pytest.mark.case("holding-8", "an inbox set back to yesterday is found and healed")
def test_a_table_that_was_set_back_is_healed(side: Side) -> None:
    rows = side.deliver(F06).rows
    engine = create_engine(f"sqlite:///{side.harness.stage.city.home / 'housing_fund.sqlite'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM inbox_f06_hrss_housing_fund_card_status")
    engine.dispose()
    done = reconcile_inbox(side.hub, F06)
    assert (done.outcome, done.missing, done.healed) == ("healed", rows, rows)
    assert len(side.table("inbox_f06_hrss_housing_fund_card_status")) == rows
    assert side.told(F06) == (0, 0)


@pytest.mark.case("holding-8", "an HTTP consumer that asks gets a whole delivery")
def test_a_whole_delivery_sends_what_the_consumer_has_as_well(side: Side) -> None:
    rows = side.deliver(F02).rows
    assert side.deliver(F02).transfer is None
    assert side.told(F02, Replay(whole=True)) == (rows, 0)
    assert side.deliver(F02).transfer is None
    deliveries = {b["deliveryId"] for b in side.batches(F02, "medical_insurance_api")}
    assert len(deliveries) == 2


@pytest.mark.case("older-7", "who left the scope is withdrawn by the inbox's reconciliation")
def test_rows_beyond_the_agreement_are_withdrawn(side: Side) -> None:
    rows = side.deliver(F06).rows
    with database.connect(side.hub.address, autocommit=True) as connection:
        connection.execute("DELETE FROM ledger.holding")  # as on a hub that never had a record
        connection.execute("UPDATE ledger.holding_head SET rows = 0, versions = '{}'")
    side.publish(ACCOUNTS, "grzhzt IN ('01', '02', '06')", grzhzt="'04'")
    assert side.told(F06) == (0, 0)
    done = reconcile_inbox(side.hub, F06)
    assert (done.outcome, done.extra, done.healed) == ("healed", rows, rows)
    assert side.table("inbox_f06_hrss_housing_fund_card_status") == []


@pytest.mark.case("people-24", "a condition answers yes or no for everybody in scope")
def test_a_condition_answers_for_everybody_in_scope(side: Side) -> None:
    place = "inbox.f17_hrss_hrss_subsidy_failure"
    rows = side.deliver(F17).rows
    found = {r["pay_id"]: r["returned"] for r in side.table(place)}
    wanted = dict(
        side.ask(
            "SELECT pay_id, CASE WHEN pay_status = '2' THEN '是' ELSE '否' END"
            " FROM registry.hrss__subsidy_payment WHERE pay_status IN ('1', '2')"
        )
    )
    assert (found, rows) == (wanted, len(wanted))
    assert set(found.values()) == {"是", "否"}
    some = next(p for p, answer in found.items() if answer == "是")
    side.publish(PAYMENTS, f"pay_id = '{some}'", pay_status="'1'", fail_reason="NULL")
    assert side.told(F17) == (1, 0)
    assert {r["pay_id"]: r["returned"] for r in side.table(place)} == {**found, some: "否"}
    side.publish(PAYMENTS, f"pay_id = '{some}'", pay_status="'0'")
    assert side.told(F17) == (0, 1)
