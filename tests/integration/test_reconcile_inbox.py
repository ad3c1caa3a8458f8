"""Inboxes read back: what was changed in them by hand is found, counted and delivered again."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Engine, MetaData, Table, create_engine, delete, insert, select, update
from sqlalchemy.engine import make_url
from typer.testing import CliRunner

from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.cli.app import app
from onecard.errors import ConfigError, NotCollected, RetriableError
from onecard.model.reconciliations import ReconciliationResult
from onecard.operations.replay import release
from onecard.reconcile.inbox import readable, reconcile_inbox
from onecard.store import database
from tests import forked
from tests.cities import Cities
from tests.conftest import listening
from tests.faults.harness import Harness

F01, F02 = "f01-hrss-transport-card-status", "f02-hrss-medical_insurance-card-status"
F04, F06 = "f04-hrss-education-card-status", "f06-hrss-housing_fund-card-status"
F14, F17 = "f14-transport-transport-concession", "f17-hrss-hrss-subsidy-failure"
F22 = "f22-housing_fund-hrss-headcount"
TABLE = "inbox_f06_hrss_housing_fund_card_status"
COUNTS = ("missing", "extra", "differing", "waiting", "lapsed", "quarantined", "healed", "held")
Rows = list[dict[str, Any]]


def counts(done: ReconciliationResult) -> dict[str, int]:
    """What is not nought."""
    return {name: getattr(done, name) for name in COUNTS if getattr(done, name)}


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Harness]:
    """A city whose datasets are collected; nothing is delivered yet."""
    home = tmp_path_factory.mktemp("inbox") / "stage"
    with cities.start(home, persons=400, seed=23) as stage:
        hub = stage.hub(0)
        for dataset in hub.catalogue.contracts:
            hub.collect(dataset).run()
        with Harness.of(stage) as made:
            yield made


@pytest.fixture
def harness(city: Harness) -> Iterator[Harness]:
    """The same for one test, with empty inboxes."""
    city.fresh()
    yield city
    city.drop()


@dataclass
class Inbox:
    """One agreement's inbox: `read` and `write` replace what it holds, as the consumer could."""

    hub: Hub
    agreement: str
    read: Callable[[], Rows]
    write: Callable[[Rows], None]
    changed: str
    environment: dict[str, str] = field(default_factory=dict)

    def reconcile(self, *, heal: bool = True) -> ReconciliationResult:
        return reconcile_inbox(self.hub, self.agreement, heal=heal)

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with database.connect(self.hub.address, autocommit=True) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def do(self, statement: str, *values: object) -> int:
        with database.connect(self.hub.address, autocommit=True) as connection:
            return connection.execute(statement.encode(), values).rowcount


def in_table(hub: Hub, agreement: str, engine: Engine, place: tuple[str | None, str]) -> Inbox:
    """An inbox that is a table."""
    schema, name = place

    def table() -> Table:
        return Table(name, MetaData(), schema=schema, autoload_with=engine)

    def read() -> Rows:
        found = table()
        with engine.connect() as connection:
            rows = connection.execute(select(found).order_by(*found.primary_key)).mappings()
            return [dict(row) for row in rows]

    def write(rows: Rows) -> None:
        found = table()
        with engine.begin() as connection:
            connection.execute(delete(found))
            connection.execute(insert(found), rows)

    return Inbox(hub, agreement, read, write, "to_status")


def in_folder(hub: Hub, agreement: str, folder: Path, changed: str) -> Inbox:
    """An inbox that is a folder; the first parcel is read and written."""

    def parcel() -> Path:
        return min(f for f in folder.glob("*") if f.suffix in (".csv", ".parquet"))

    def read() -> Rows:
        file = parcel()
        if file.suffix == ".parquet":
            return pl.read_parquet(file).to_dicts()
        text = file.read_bytes().decode("gb18030").encode()
        return pl.read_csv(text, infer_schema=False).to_dicts()

    def write(rows: Rows) -> None:
        file = parcel()
        if file.suffix == ".parquet":
            pl.DataFrame(rows, pl.read_parquet_schema(file)).write_parquet(file)
        else:
            text = io.StringIO()
            pl.DataFrame(rows, infer_schema_length=None).write_csv(text)
            file.write_bytes(text.getvalue().encode("gb18030"))
        note = Path(f"{file}.manifest.json")
        content = json.loads(note.read_text(encoding="utf-8"))
        content["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
        note.write_text(json.dumps(content), encoding="utf-8")

    return Inbox(hub, agreement, read, write, changed)


@contextmanager
def housing(harness: Harness, variant: str) -> Iterator[tuple[Engine, dict[str, Any]]]:
    """A database for the inbox of f06, and its connection."""
    if variant == "sqlite":
        file = harness.stage.city.home / "housing_fund.sqlite"
        engine = create_engine(f"sqlite:///{file}")
        yield engine, {"conn_type": "sqlite", "schema": str(file)}
    elif variant == "postgres":
        url = make_url(harness.stage.city.postgres_url)
        engine = create_engine(url.set(drivername="postgresql+psycopg"))
        yield engine, _connection("postgres", url)
        _drop(engine)
    else:
        server = make_url(
            os.environ.get("ONECARD_TEST_MARIADB", "mysql://root@127.0.0.1:3306/test")
        )
        if not listening(server.port or 3306):
            pytest.skip("MariaDB is not running on 127.0.0.1:3306 (ONECARD_TEST_MARIADB)")
        root = create_engine(server.set(drivername="mysql+pymysql"))
        url = server.set(drivername="mysql+pymysql", database=f"t_{os.urandom(5).hex()}")
        with root.begin() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {url.database}")
        engine = create_engine(url)
        yield engine, _connection("mysql", url)
        with root.begin() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {url.database}")
        root.dispose()
    engine.dispose()


def _drop(engine: Engine) -> None:
    for name in (TABLE, "onecard_delivery"):
        Table(name, MetaData()).drop(engine, checkfirst=True)


def _connection(kind: str, url: Any) -> dict[str, Any]:
    return {
        "conn_type": kind,
        "host": url.host,
        "port": url.port,
        "login": url.username,
        "password": url.password or "",
        "schema": url.database,
        "extra": dict(url.query),
    }


@contextmanager
def opened(harness: Harness, variant: str) -> Iterator[Inbox]:
    """An inbox of that kind, before its first delivery."""
    home = harness.stage.city.home
    if variant == "parquet":
        folder = home / "transport" / "inbox" / F14
        yield in_folder(harness.hub(), F14, folder, "valid_to")
    elif variant == "csv over sftp":
        folder = home / "sftp" / "inbox" / F04
        yield in_folder(harness.hub(), F04, folder, "to_status")
    else:
        with housing(harness, variant) as (engine, connection):
            environment = harness.environment
            environment["AIRFLOW_CONN_HOUSING_FUND_DB"] = json.dumps(connection)
            hub = Hub(Settings.load(environment), EnvironmentConnections(environment))
            table = (None, TABLE)
            made = in_table(hub, F06, engine, table)
            made.environment = environment
            yield made


VARIANTS = ("sqlite", "postgres", "mariadb", "parquet", "csv over sftp")


@pytest.fixture(params=VARIANTS)
def inbox(request: pytest.FixtureRequest, harness: Harness) -> Iterator[Inbox]:
    with opened(harness, request.param) as made:
        assert made.hub.deliver(made.agreement).run().rows >= 3
        yield made


@pytest.fixture
def table(harness: Harness) -> Iterator[Inbox]:
    with opened(harness, "sqlite") as made:
        assert made.hub.deliver(made.agreement).run().rows >= 3
        yield made


def spoil(rows: Rows, inbox: Inbox) -> Rows:
    """One row changed, one removed, one added that nobody sent."""
    first, _, *others = rows
    value = first[inbox.changed]
    changed = value + timedelta(days=1) if not isinstance(value, str) else "x"
    stranger = {**first, next(iter(first)): "STRANGER"}
    return [{**first, inbox.changed: changed}, *others, stranger]


def test_an_inbox_agrees_after_its_delivery(inbox: Inbox) -> None:
    done = inbox.reconcile()
    assert (done.outcome, counts(done), done.rate) == ("agreed", {}, 1.0)
    assert done.rows_hub == done.rows_other == done.agreeing == len(inbox.read())
    (line,) = inbox.ask(
        "SELECT kind, outcome, agreeing, rows_other FROM ledger.reconciliation WHERE subject = %s",
        inbox.agreement,
    )
    assert line == ("agreement", "agreed", done.agreeing, done.agreeing)


def test_what_was_changed_removed_and_added_by_hand_is_found_and_healed(
    inbox: Inbox, harness: Harness
) -> None:
    before = inbox.read()
    inbox.write(spoil(before, inbox))
    seen = inbox.reconcile(heal=False)
    assert (seen.outcome, counts(seen)) == ("open", {"missing": 1, "differing": 1, "extra": 1})
    assert seen.rate == (len(before) - 2) / (len(before) + 1)
    assert {kind: len(refs) for kind, refs in seen.refs.items()} == dict.fromkeys(
        ("missing", "differing", "extra"), 1
    )
    assert not [
        v for row in before for v in row.values() if len(str(v)) > 3 and str(v) in str(seen)
    ]

    withdraws = inbox.hub.catalogue.agreement(inbox.agreement).tells_deletes
    healed = inbox.reconcile()
    found = {"missing": 1, "differing": 1, "extra": 1}
    assert counts(healed) == {**found, "healed": 3 if withdraws else 2}
    assert healed.outcome == ("healed" if withdraws else "open")
    after = inbox.reconcile()
    assert (counts(after), after.agreeing) == ({} if withdraws else {"extra": 1}, len(before))
    (again,) = inbox.ask(
        "SELECT status, sent_rows, replay FROM ledger.transfer WHERE direction = 'deliver'"
        " ORDER BY id DESC LIMIT 1"
    )
    assert again == ("confirmed", 2, True)
    assert inbox.hub.deliver(inbox.agreement).run().transfer is None
    assert harness.problems() == []


def test_rows_that_the_next_delivery_sends_are_waiting(inbox: Inbox) -> None:
    dataset = inbox.hub.catalogue.agreement(inbox.agreement).dataset
    name = inbox.hub.catalogue.contract(dataset).table

    def publish(values: str) -> None:
        inbox.do(f"UPDATE registry.{name} SET _version = _version + 1{values}")
        inbox.do("UPDATE ledger.dataset SET version = version + 1 WHERE dataset = %s", dataset)

    publish("")
    assert counts(inbox.reconcile()) == {}  # another version, and the consumer has the same
    assert inbox.hub.deliver(inbox.agreement).run().rows == 0
    other = "date '2030-01-01'" if inbox.changed == "valid_to" else "'9'"
    publish(f", {inbox.changed} = {other}")
    waiting = inbox.reconcile().waiting
    assert waiting >= 2
    assert inbox.hub.deliver(inbox.agreement).run().rows == waiting
    assert counts(inbox.reconcile()) == {}


def test_what_the_consumer_was_to_erase_is_neither_missing_nor_sent_again(table: Inbox) -> None:
    rows = table.read()
    later = table.hub.settings.now() + timedelta(days=91)
    environment = {**table.environment, "ONECARD_NOW": later.isoformat()}
    table.hub = Hub(Settings.load(environment), EnvironmentConnections(environment))
    assert counts(table.reconcile()) == {}
    table.write(rows[1:])
    done = table.reconcile()
    assert (done.outcome, counts(done)) == ("agreed", {"lapsed": 1})
    assert len(table.read()) == len(rows) - 1


def test_no_value_but_nonsense_is_a_difference(table: Inbox, harness: Harness) -> None:
    rows = table.read()
    engine = create_engine(f"sqlite:///{harness.stage.city.home / 'housing_fund.sqlite'}")
    found = Table(TABLE, MetaData(), autoload_with=engine)
    with engine.begin() as connection:
        first = found.c.person_token_hf == rows[0]["person_token_hf"]
        done = connection.execute(update(found).where(first).values(to_status=None))
        spoilt = done.rowcount
        connection.exec_driver_sql(
            f"UPDATE {TABLE} SET effective_at = 'soon' WHERE person_token_hf = ?",
            (rows[-1]["person_token_hf"],),
        )
    engine.dispose()
    seen = table.reconcile(heal=False)
    assert seen.differing == spoilt
    assert seen.missing == seen.extra >= 1  # its key is another now
    assert table.reconcile().healed == seen.differing + seen.missing


def test_a_table_that_is_gone_holds_nothing_and_is_delivered_again(
    table: Inbox, harness: Harness
) -> None:
    rows = table.read()
    engine = create_engine(f"sqlite:///{harness.stage.city.home / 'housing_fund.sqlite'}")
    Table(TABLE, MetaData()).drop(engine)
    engine.dispose()
    done = table.reconcile()
    assert (done.outcome, done.missing, done.healed) == ("healed", len(rows), len(rows))
    assert table.reconcile().outcome == "agreed"


def test_a_folder_that_the_consumer_empties_cannot_be_judged(harness: Harness) -> None:
    with opened(harness, "parquet") as inbox:
        inbox.hub.deliver(F14).run()
        (file,) = (harness.stage.city.home / "transport" / "inbox" / F14).glob("*.parquet")
        file.unlink()
        Path(f"{file}.manifest.json").unlink()
        done = inbox.reconcile()
        assert (done.outcome, counts(done), done.rate) == ("unjudged", {}, None)
        (line,) = inbox.ask("SELECT outcome FROM ledger.reconciliation ORDER BY id DESC LIMIT 1")
        assert line == ("unjudged",)
        assert inbox.ask("SELECT count(*) FROM ledger.transfer WHERE replay") == [(0,)]


def test_statistics_are_compared_with_what_was_last_delivered(harness: Harness) -> None:
    hub = harness.hub()
    assert hub.deliver(F22).run().rows >= 3
    url = make_url(harness.stage.city.postgres_url).set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    inbox = in_table(hub, F22, engine, ("inbox", "f22_housing_fund_hrss_headcount"))
    assert counts(inbox.reconcile()) == {}
    first, _, *others = inbox.read()
    inbox.write([{**first, "paid_headcount": first["paid_headcount"] + 9}, *others])
    done = inbox.reconcile()
    assert (done.outcome, counts(done)) == ("healed", {"missing": 1, "differing": 1, "healed": 2})
    assert inbox.reconcile().outcome == "agreed"
    with engine.begin() as connection:
        Table("f22_housing_fund_hrss_headcount", MetaData(), schema="inbox").drop(connection)
    engine.dispose()


def test_a_row_that_the_gate_keeps_back_is_expected_once_a_person_let_it_pass(
    harness: Harness,
) -> None:
    hub = harness.hub()
    url = make_url(harness.stage.city.postgres_url).set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    inbox = in_table(hub, F17, engine, ("inbox", "f17_hrss_hrss_subsidy_failure"))
    changed = inbox.do(
        "UPDATE registry.hrss__subsidy_payment SET pay_id = '13800138000' WHERE pay_id ="
        " (SELECT min(pay_id) FROM registry.hrss__subsidy_payment WHERE pay_status = '2')"
    )
    sent = hub.deliver(F17).run()
    assert (changed, sent.quarantined, sent.rows > 0) == (1, 1, True)
    kept = inbox.reconcile()
    assert (kept.outcome, counts(kept), kept.agreeing) == ("agreed", {"quarantined": 1}, sent.rows)
    (record,) = inbox.ask("SELECT max(id) FROM quarantine.record WHERE agreement = %s", F17)[0]
    assert release(hub, record, "核实").done
    passed = inbox.reconcile()
    assert (counts(passed), passed.agreeing) == ({}, sent.rows + 1)
    inbox.write([row for row in inbox.read() if row["pay_id"] != "13800138000"])
    healed = inbox.reconcile()
    assert (healed.outcome, counts(healed)) == ("healed", {"missing": 1, "healed": 1})
    with engine.begin() as connection:
        for name in ("f17_hrss_hrss_subsidy_failure", "onecard_delivery"):
            Table(name, MetaData(), schema="inbox").drop(connection)
    engine.dispose()


def test_an_http_inbox_says_why_it_cannot_be_read_back(harness: Harness) -> None:
    hub = harness.hub()
    with pytest.raises(ConfigError, match=r"\(rest\) cannot be read back") as caught:
        reconcile_inbox(hub, F02)
    named = str(caught.value).partition("told of: ")[2].split(", ")
    assert named == readable(hub)
    assert {F01, F04, F06, F14, F22} <= set(named)
    assert F02 not in named


def test_a_sealed_inbox_says_why_it_cannot_be_read_back(harness: Harness) -> None:
    hub = harness.hub()
    sealed = {a.id for a in hub.catalogue.agreements.values() if a.sealed}
    assert sealed
    assert not sealed & set(readable(hub))
    for name in sealed:
        with pytest.raises(ConfigError, match=r"\((files|rest), sealed\) cannot be read back"):
            reconcile_inbox(hub, name)


def test_before_the_first_delivery_there_is_nothing_to_compare(harness: Harness) -> None:
    with pytest.raises(NotCollected, match="nothing was delivered yet"):
        reconcile_inbox(harness.hub(), F06)


def test_a_table_that_somebody_else_has_locked_is_waited_for_and_then_tried_again(
    table: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONECARD_PATIENCE", "1")
    impatient = Hub(Settings.load(table.environment), EnvironmentConnections(table.environment))
    digest = hashlib.sha256(F06.encode()).hexdigest()[:16]
    left = f"staging.inbox_{digest}__verdict"
    with database.connect(table.hub.address) as other:  # what a killed run left, held by a query
        other.execute(f"CREATE TABLE {left} (n int)".encode())
        other.commit()
        other.execute(f"LOCK TABLE {left} IN ACCESS SHARE MODE".encode())
        with pytest.raises(RetriableError, match="55P03"):
            reconcile_inbox(impatient, F06)
        (line,) = table.ask("SELECT outcome FROM ledger.reconciliation ORDER BY id DESC LIMIT 1")
        assert line == ("failed",)
    assert reconcile_inbox(impatient, F06).outcome == "agreed"


def onecard(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return forked.onecard(environment, *words)


@pytest.mark.fault("F22", "a reconciliation of an inbox is killed; the next one leaves nothing")
@pytest.mark.parametrize("point", ["load.after_commit#2", "deliver.opened", "send.leaving"])
def test_a_killed_run_leaves_nothing_behind(table: Inbox, harness: Harness, point: str) -> None:
    rows = table.read()
    table.write(rows[1:])
    killed = onecard({**table.environment, "ONECARD_KILL_AT": point}, "reconcile", F06)
    assert killed.returncode == -signal.SIGKILL
    left = table.ask("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'inbox%%'")
    assert left[0][0] > 0
    assert table.reconcile().healed == 1
    assert table.read() == [
        {**row, **_stamp(now)} for row, now in zip(rows, table.read(), strict=True)
    ]
    assert harness.problems() == []
    lines = table.ask("SELECT outcome FROM ledger.reconciliation ORDER BY id")
    assert lines == [("failed",), ("healed",)]


def _stamp(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("delivery_id", "received_at")}


def test_the_command_takes_agreements_and_names_what_it_knows(
    table: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["reconcile", *words])
        return done.exit_code, done.output

    for name, value in table.environment.items():
        monkeypatch.setenv(name, value)
    code, text = run(F06)
    assert (code, "状态一致率 100.00%" in text) == (0, True)
    table.write(table.read()[1:])
    code, text = run(F06, "--no-heal", "--json")
    assert (code, json.loads(text)["missing"]) == (1, 1)
    code, text = run("f99-nobody")
    assert (code, "f99-nobody" in text) == (2, True)
    code, text = run(F06, "--since", "2026-11-01T00:00:00+08:00")
    assert (code, "an inbox is compared whole" in text) == (2, True)
    why = ("--by", "张主任", "--reason", "checked")
    for ends, words, told in (
        (2, (F06, "--release", *why), "an inbox is compared whole"),
        (2, ("hrss/card_master", *why), "need --release"),
        (1, ("hrss/card_master", "--release"), "not named"),
        (1, ("hrss/card_master", "--release", "--by", "张主任"), "is empty"),
        (1, ("hrss/card_master", "--release", *why[:3], "ask 13812345678"), "holds personal data"),
    ):
        code, text = run(*words)
        assert (code, told in " ".join(text.split())) == (ends, True), words
