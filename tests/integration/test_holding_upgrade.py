"""The first deliveries of a hub that knew only versions: what was missed is sent, nothing twice."""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from typer.testing import CliRunner

from onecard.cli.app import app
from onecard.crypto import keys
from onecard.errors import HoldError, SourceUnavailable
from onecard.model.signoffs import SignOff
from onecard.operations import night
from onecard.operations.delivery import deliver
from onecard.operations.release import release
from onecard.reconcile.inbox import reconcile_inbox
from onecard.store import database
from tests.cities import Cities
from tests.faults.harness import Harness
from tests.integration.test_holding import (
    ACCOUNTS,
    CARDS,
    EVENTS,
    F06,
    F16,
    Side,
    a_payment,
    of_card,
    paid,
)

MIGRATIONS = Path(__file__).parents[2] / "sql/migrations/versions"
TABLE = "inbox_f06_hrss_housing_fund_card_status"
F02 = "f02-hrss-medical_insurance-card-status"
F01 = "f01-hrss-transport-card-status"
KEY = ("person_token_hf", "effective_at")
OPEN = "grzhzt IN ('01', '02', '06')"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Harness]:
    """A city whose datasets are collected; nothing is delivered yet."""
    home = tmp_path_factory.mktemp("upgrade")
    with cities.start(home / "stage", persons=400, seed=23) as stage:
        hub = stage.hub(0)
        for dataset in hub.catalogue.contracts:
            hub.collect(dataset).run()
        with Harness.of(stage) as made:
            yield made


@pytest.fixture
def side(city: Harness) -> Iterator[Side]:
    city.fresh()
    yield Side(city, city.hub())
    city.drop()


def statements(migration: str) -> list[str]:
    """Of a migration."""
    spec = importlib.util.spec_from_file_location(migration, MIGRATIONS / f"{migration}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return list(found.STATEMENTS.split(";\n"))


def become_old(side: Side) -> None:
    """As revision 0007 left it after another night: versions are all that is known."""
    with database.connect(side.hub.address, autocommit=True) as connection:
        for table in ("holding_head", "holding", "holding_pending", "link_field"):
            connection.execute(f"DROP TABLE ledger.{table}".encode())
        connection.execute("DROP TABLE registry.former")
        for name in ("0008_holding", "0017_staged_records"):
            for statement in statements(name):
                connection.execute(statement.encode())
        connection.execute(
            "UPDATE ledger.delivered l SET version = d.version FROM ledger.dataset d"
            " WHERE d.dataset = l.dataset"
        )


def told(side: Side, agreement: str) -> tuple[int, int]:
    """Rows and withdrawals of the next delivery, as every face runs it."""
    done = deliver(side.hub, agreement)
    return done.rows, done.deleted


def test_what_was_delivered_is_not_sent_again(side: Side) -> None:
    sent = side.deliver(F16).rows
    rows = side.deliver(F06).rows
    become_old(side)
    assert told(side, F16) == told(side, F06) == (0, 0)
    assert deliver(side.hub, F16).transfer is deliver(side.hub, F06).transfer is None
    (held,) = side.ask("SELECT rows FROM ledger.holding_head WHERE agreement = %s", F16)[0]
    assert held == sent
    assert reconcile_inbox(side.hub, F06).outcome == "agreed"
    side.publish(ACCOUNTS, OPEN, grzhzt="'04'")
    assert told(side, F06) == (0, rows)


def a_missed_payment(side: Side) -> str:
    """A payment that no night has sent: its card was activated after its version was delivered."""
    payment = a_payment(side)
    others = "person_id18 = (SELECT person_id18 FROM registry.hrss__subsidy_payment WHERE pay_id ="
    (count,) = side.ask(
        f"SELECT count(*) FROM registry.hrss__subsidy_payment WHERE {others} %s)", payment
    )[0]
    assert count == 1
    assert side.publish(CARDS, of_card(side, payment), fin_status="'3'") == 1
    side.deliver(F16)
    side.publish(CARDS, of_card(side, payment), fin_status="'2'")
    become_old(side)
    assert payment not in paid(side)
    return payment


@pytest.mark.case("holding-1", "after an upgrade a payment that was missed is sent once")
def test_a_missed_payment_of_a_person_who_never_got_one_is_sent(side: Side) -> None:
    payment = a_missed_payment(side)
    assert told(side, F16) == (1, 0)
    assert paid(side) == {str(r["pay_id"]) for r in side.expected(F16)} >= {payment}
    assert deliver(side.hub, F16).transfer is None
    sent = [r["pay_id"] for b in side.batches(F16, "bank_api") for r in b["rows"]]
    assert len(sent) == len(set(sent))


@pytest.mark.parametrize("suite", ["international", "national"])
def test_who_was_disclosed_under_an_earlier_key_or_suite_is_found(side: Side, suite: str) -> None:
    payment = a_missed_payment(side)
    settings = side.hub.settings
    keys.rotate(
        settings.keys_file,
        keys.token_purpose("bank"),
        f"t-{suite}",
        timedelta(days=30),
        settings.now().date(),
    )
    later = side.at(settings.now(), ONECARD_SUITE=suite)
    assert told(later, F16) == (1, 0)
    assert payment in paid(later)


@pytest.mark.parametrize("gone", ["key", "disclosures"])
def test_who_cannot_be_looked_up_counts_as_delivered(
    side: Side, gone: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A receipt names a key that the key store has no more, or the ledger's months are dropped."""
    payment = a_missed_payment(side)
    rows = len(side.expected(F16))
    with database.connect(side.hub.address, autocommit=True) as connection:
        if gone == "disclosures":
            connection.execute("DELETE FROM ledger.disclosure")
        else:
            connection.execute(
                "WITH t AS (INSERT INTO ledger.transfer (direction, subject, status,"
                " policy_version) VALUES ('deliver', 'f99-hrss-bank', 'confirmed', '1.0.0')"
                " RETURNING id) INSERT INTO ledger.receipt (transfer, body, suite, key_epoch,"
                " signature) SELECT id, %s, 'international', '2019', '' FROM t",
                (json.dumps({"consumer": "bank", "tokenEpoch": "2019"}),),
            )
    with caplog.at_level(logging.WARNING, "onecard"):
        assert told(side, F16) == (0, 0)
    assert payment not in paid(side)
    (said,) = (r.getMessage() for r in caplog.records if "by their versions" in r.getMessage())
    assert f"{F16}: {rows} rows" in said
    assert "deliver --whole" in said


def test_a_row_whose_person_was_corrected_is_not_sent_again(
    side: Side, caplog: pytest.LogCaptureFixture
) -> None:
    """The card behind it changed, which sends nothing: the person who was disclosed is another."""
    side.deliver(F02)
    card, other = side.ask(
        "SELECT min(e.card_no), (SELECT min(person_id18) FROM registry.hrss__card_master c"
        " WHERE NOT EXISTS (SELECT FROM registry.hrss__card_master d"
        " JOIN registry.hrss__card_status_event USING (card_no)"
        " WHERE d.person_id18 = c.person_id18)) FROM registry.hrss__card_status_event e"
    )[0]
    assert other is not None
    assert side.publish(CARDS, f"card_no = '{card}'", person_id18=f"'{other}'") == 1
    become_old(side)
    with caplog.at_level(logging.WARNING, "onecard"):
        assert told(side, F02) == (0, 0)
    assert f"{F02}: " in caplog.text
    assert "by their versions alone" in caplog.text


def a_missed_person(side: Side) -> int:
    """Rows of one person whose account was opened late, and that no night has sent."""
    (person,) = side.ask(
        "SELECT c.person_id18 FROM registry.hrss__card_status_event e"
        " JOIN registry.hrss__card_master c USING (card_no)"
        " JOIN registry.housing_fund__hf_account a ON a.person_id18 = c.person_id18"
        f" WHERE a.{OPEN} ORDER BY 1 LIMIT 1"
    )[0]
    all_rows = len(side.expected(F06))
    side.publish(ACCOUNTS, f"person_id18 = '{person}'", grzhzt="'04'")
    rows = side.deliver(F06).rows
    side.publish(ACCOUNTS, f"person_id18 = '{person}'", grzhzt="'01'")
    become_old(side)
    assert all_rows > rows
    return all_rows - rows


def holds_what_it_should(side: Side) -> bool:
    """Whether the inbox is the agreement's own query, run now."""
    found = [{n: str(v) for n, v in r.items() if n in KEY} for r in side.table(TABLE)]
    wanted = [{n: str(v) for n, v in r.items() if n in KEY} for r in side.expected(F06)]
    tokens = sorted(r["person_token_hf"] for r in found)
    return len(found) == len(wanted) and tokens == sorted(r["person_token_hf"] for r in wanted)


def forget_disclosures(side: Side) -> None:
    with database.connect(side.hub.address, autocommit=True) as connection:
        connection.execute("DELETE FROM ledger.disclosure")


@pytest.mark.case("holding-1", "a missed event reaches a table by itself after an upgrade")
@pytest.mark.parametrize("how", ["deliver", "night", "command"])
@pytest.mark.parametrize("looked_up", [True, False])
def test_a_table_gets_what_it_lacks(side: Side, how: str, looked_up: bool) -> None:
    missed = a_missed_person(side)
    if not looked_up:
        forget_disclosures(side)
    if how == "night":
        assert night.run(side.hub, only=("housing_fund",)).exit_code == 0
    elif how == "command":
        environment = side.harness.environment
        done = CliRunner().invoke(app, ["deliver", F06], env=environment)
        assert done.exit_code == 0, done.output
        assert "the inbox was reconciled" in done.output
    else:
        assert told(side, F06) == ((missed, 0) if looked_up else (0, 0))
    assert holds_what_it_should(side)
    again = deliver(side.hub, F06)
    assert (again.transfer, again.remarks) == (None, ())
    brought = "SELECT sum(sent_rows) FROM ledger.transfer WHERE subject = %s"
    assert side.ask(brought, F06) == [(len(side.table(TABLE)),)]


def test_a_table_loses_what_left_the_scope_before(side: Side) -> None:
    rows = side.deliver(F06).rows
    side.publish(ACCOUNTS, OPEN, grzhzt="'04'")
    become_old(side)
    assert len(side.table(TABLE)) == rows
    deliver(side.hub, F06)
    assert side.table(TABLE) == []
    assert deliver(side.hub, F06).transfer is None


def test_a_reconciliation_that_failed_comes_with_the_next_delivery(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_missed_person(side)
    forget_disclosures(side)

    def unreachable(*_: object) -> None:
        msg = "housing_fund_db: does not answer"
        raise SourceUnavailable(msg)

    with monkeypatch.context() as patched, pytest.raises(SourceUnavailable):
        patched.setattr("onecard.reconcile.inbox._Reconciliation._held", unreachable)
        deliver(side.hub, F06)
    assert not holds_what_it_should(side)
    side.publish(EVENTS, "true", to_status="'9'")  # a delivery of what is new keeps it due
    with monkeypatch.context() as patched, pytest.raises(SourceUnavailable):
        patched.setattr("onecard.reconcile.inbox._Reconciliation._held", unreachable)
        deliver(side.hub, F06)
    assert deliver(side.hub, F06).transfer is None
    assert holds_what_it_should(side)
    assert deliver(side.hub, F06).remarks == ()


def test_a_folder_that_was_taken_is_not_asked_twice(
    side: Side, caplog: pytest.LogCaptureFixture
) -> None:
    rows = side.deliver(F01).rows
    become_old(side)
    for file in (side.harness.stage.city.home / "transport/inbox" / F01).iterdir():
        file.unlink()
    with caplog.at_level(logging.WARNING, "onecard"):
        assert told(side, F01) == (0, 0)
    assert rows > 0
    assert "deliver --whole" in caplog.text
    assert deliver(side.hub, F01).remarks == ()


def test_far_more_than_usual_is_held_and_stays_due(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that count as delivered are not many rows due; those that the inbox lacks are."""
    rows = side.deliver(F06).rows
    forget_disclosures(side)
    become_old(side)
    drop_from_inbox(side)
    monkeypatch.setattr("onecard.deliver.volumes.FEW_ROWS", 1)
    monkeypatch.setattr("onecard.deliver.volumes.deliveries.usual_rows", lambda *_: [0, 0, 0])
    monkeypatch.setattr("onecard.deliver.volumes.deliveries.rows_by_day", lambda *_: [])
    for _ in range(2):
        with pytest.raises(HoldError, match=f"{rows} rows would be delivered again"):
            deliver(side.hub, F06)
        assert side.table(TABLE) == []
    (held,) = side.ask("SELECT max(id) FROM ledger.transfer WHERE status = 'held'")[0]
    release(side.hub, str(held), SignOff("演练", "核实"))
    deliver(side.hub, F06)
    assert len(side.table(TABLE)) == rows
    assert deliver(side.hub, F06).remarks == ()


def test_a_payment_counts_as_delivered_without_a_hold(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert side.deliver(F16).rows > 1
    become_old(side)
    monkeypatch.setattr("onecard.deliver.volumes.FEW_ROWS", 1)
    monkeypatch.setattr("onecard.deliver.volumes.deliveries.usual_rows", lambda *_: [0, 0, 0])
    assert told(side, F16) == (0, 0)


def drop_from_inbox(side: Side) -> None:
    engine = create_engine(f"sqlite:///{side.harness.stage.city.home / 'housing_fund.sqlite'}")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM {TABLE}")
    engine.dispose()
