"""Deletes reach consumers whose agreement says so: by key, once, and of nobody they did not have."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from sqlalchemy import MetaData, Table, create_engine, select

from onecard.app.wiring import Hub
from onecard.deliver import volumes
from onecard.model.signoffs import SignOff
from onecard.operations.release import release
from onecard.ports.privacy_gate import VolumeHold
from onecard.reconcile.dataset import reconcile
from onecard.reconcile.inbox import reconcile_inbox
from onecard.store import agreement_lives, database, deliveries
from schemas.models import catalogue
from tests.cities import Cities
from tests.faults.harness import Harness

CARDS, EVENTS = "hrss/card_master", "hrss/card_status_event"
ACCOUNTS = "housing_fund/hf_account"
F01, F02 = "f01-hrss-transport-card-status", "f02-hrss-medical_insurance-card-status"
F06 = "f06-hrss-housing_fund-card-status"
F14 = "f14-transport-transport-concession"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Harness]:
    """A city whose datasets are collected; F14 and F02 tell of deletes as well."""
    home = tmp_path_factory.mktemp("deletes")
    changed = home / "schemas"
    shutil.copytree(catalogue.ROOT, changed)
    for name, before in ((F14, "  connection: transport_files\n"), (F02, "  connector: rest\n")):
        file = changed / "agreements" / f"{name}.yaml"
        text = file.read_text(encoding="utf-8")
        assert before in text
        text = re.sub(r"(?m)^version: .*$", "version: 1.9.0", text)
        text = text.replace(before, f"{before}  deletes: rows\n")
        file.write_text(text, encoding="utf-8")
    with cities.start(home / "stage", persons=400, seed=23) as stage:
        stage.environment["ONECARD_SCHEMAS"] = str(changed)
        hub = stage.hub(0)
        for dataset in hub.catalogue.contracts:
            hub.collect(dataset).run()
        with database.connect(hub.address, autocommit=True) as connection:
            for name in (F14, F02):
                agreement_lives.approve(
                    connection, hub.catalogue.agreement(name), "演练", "批复2号"
                )
        with Harness.of(stage) as made:
            yield made


@dataclass
class Fund:
    """The housing fund, which was delivered its cards' status."""

    harness: Harness
    hub: Hub
    rows: int = 0
    """Of its first delivery."""

    def holds(self) -> list[dict[str, Any]]:
        engine = create_engine(f"sqlite:///{self.harness.stage.city.home / 'housing_fund.sqlite'}")
        table = Table("inbox_f06_hrss_housing_fund_card_status", MetaData(), autoload_with=engine)
        with engine.connect() as connection:
            rows = [dict(r) for r in connection.execute(select(table)).mappings()]
        engine.dispose()
        return rows

    def deliver(self) -> tuple[int, int]:
        """Rows and deletes of the next delivery."""
        done = self.hub.deliver(F06).run()
        return done.rows, done.deleted

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with database.connect(self.hub.address, autocommit=True) as connection:
            return connection.execute(statement.encode(), values).fetchall()


@pytest.fixture
def fund(city: Harness) -> Iterator[Fund]:
    city.fresh()
    made = Fund(city, city.hub())
    made.rows, deleted = made.deliver()
    assert (made.rows >= 3, deleted) == (True, 0)
    yield made
    city.drop()


def fail_abandoned(hub: Hub, dataset: str, where: str = "true") -> int:
    """Publish rows as deleted, as a reconciliation with the source does."""
    table = hub.catalogue.contract(dataset).table
    with database.connect(hub.address, autocommit=True) as connection:
        done = connection.execute(
            f"UPDATE registry.{table} t SET _deleted_at = now(), _version = d.version + 1"
            f" FROM ledger.dataset d WHERE d.dataset = %s AND {where}".encode(),
            (dataset,),
        ).rowcount
        connection.execute(
            "UPDATE ledger.dataset SET version = version + 1 WHERE dataset = %s", (dataset,)
        )
    return done


@pytest.mark.fault(
    "F21", "the consumer whose agreement says so drops the row with its next delivery"
)
def test_a_hard_delete_at_the_source_reaches_the_consumer(fund: Fund) -> None:
    """From the source's table to the consumer's, by two looks, one delivery and no hand."""
    (card,) = fund.ask(
        "SELECT e.card_no FROM registry.hrss__card_status_event e"
        " JOIN registry.hrss__card_master c USING (card_no)"
        " JOIN registry.housing_fund__hf_account a ON a.person_id18 = c.person_id18"
        " WHERE a.grzhzt IN ('01', '02', '06') ORDER BY e.event_seq LIMIT 1"
    )[0]
    with psycopg.connect(fund.harness.stage.city.postgres_url) as source:
        gone = source.execute(b'DELETE FROM hrss.ac01_card WHERE "AAZ500" = %s', (card,))
        assert gone.rowcount == 1
    assert reconcile(fund.hub, CARDS).extra == 1
    assert reconcile_inbox(fund.hub, F06).outcome == "agreed"  # one look is not believed
    assert reconcile(fund.hub, CARDS).tombstoned == 1
    before = reconcile_inbox(fund.hub, F06)
    assert (before.outcome, before.extra, before.waiting > 0) == ("agreed", 0, True)
    rows, deleted = fund.deliver()
    assert (rows, deleted) == (0, before.waiting)
    assert len(fund.holds()) == fund.rows - deleted
    after = reconcile_inbox(fund.hub, F06)
    assert (after.outcome, after.waiting, after.agreeing) == ("agreed", 0, fund.rows - deleted)
    assert fund.harness.problems() == []


def test_what_is_told_is_recorded_and_told_once(fund: Fund) -> None:
    held = fund.holds()
    assert fail_abandoned(fund.hub, EVENTS) > len(
        held
    )  # most events are of nobody whom the fund serves
    assert fund.deliver() == (0, len(held))
    assert fund.holds() == []
    line = fund.ask(
        "SELECT t.id, t.sent_rows, t.deleted_rows, r.body FROM ledger.transfer t JOIN"
        " ledger.receipt r ON r.transfer = t.id WHERE t.direction = 'deliver' ORDER BY t.id DESC"
    )[0]
    assert line[1:3] == (0, len(held))
    assert json.loads(line[3])["deleted_rows"] == len(held)
    assert fund.ask("SELECT count(*) FROM ledger.disclosure WHERE transfer = %s", line[0])[0][0] > 0
    fail_abandoned(fund.hub, CARDS, "false")
    assert fund.deliver() == (0, 0)
    assert fund.harness.problems() == []


def test_nobody_is_told_of_whom_the_agreement_did_not_grant(fund: Fund) -> None:
    """Deleted events of persons without an account, and events that came and went unseen."""
    outside = (
        "NOT EXISTS (SELECT FROM registry.hrss__card_master c JOIN registry.housing_fund__hf_account"
        " a USING (person_id18) WHERE c.card_no = t.card_no AND a.grzhzt IN ('01', '02', '06'))"
    )
    assert fail_abandoned(fund.hub, EVENTS, outside) > 0
    assert fund.deliver() == (0, 0)
    table, contract = "registry.hrss__card_status_event", fund.hub.catalogue.contract(EVENTS)
    columns = ", ".join(n for n in contract.names if n not in ("event_id", "effective_at"))
    with database.connect(fund.hub.address, autocommit=True) as connection:
        connection.execute(
            f"INSERT INTO {table} (event_id, effective_at, {columns}, _row_hash, _version,"
            " _first_version, _transfer_id) SELECT 'T' || event_id, effective_at + interval '1 day',"
            f" {columns}, _row_hash, _version + 1, _version + 1, _transfer_id FROM {table}".encode()
        )
    fail_abandoned(fund.hub, EVENTS, "event_id LIKE 'T%%'")
    assert fund.deliver() == (0, 0)
    assert len(fund.holds()) == fund.rows


def test_a_row_that_was_joined_or_required_is_missed_as_well(fund: Fund) -> None:
    persons = len({row["person_token_hf"] for row in fund.holds()})
    assert fail_abandoned(fund.hub, ACCOUNTS) > persons
    assert fund.deliver() == (0, fund.rows)
    assert fund.holds() == []


def test_a_key_that_another_row_still_gives_is_not_dropped(fund: Fund) -> None:
    table, contract = "registry.hrss__card_status_event", fund.hub.catalogue.contract(EVENTS)
    columns = ", ".join(n for n in contract.names if n != "event_id")
    with database.connect(fund.hub.address, autocommit=True) as connection:
        connection.execute(
            f"INSERT INTO {table} (event_id, {columns}, _row_hash, _version, _first_version,"
            f" _transfer_id) SELECT 'T' || event_id, {columns}, _row_hash, _version,"
            f" _first_version, _transfer_id FROM {table}".encode()
        )
    fail_abandoned(fund.hub, EVENTS, "event_id NOT LIKE 'T%%'")
    assert fund.deliver()[1] == 0
    assert len(fund.holds()) == fund.rows


def test_unusually_many_deletes_are_held_until_a_person_releases_them(
    fund: Fund, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes, "FEW_DELETES", 1)
    monkeypatch.setattr(deliveries, "usual_rows", lambda *_: [2])
    fail_abandoned(fund.hub, EVENTS)
    with pytest.raises(VolumeHold, match=f"told to drop {fund.rows} rows"):
        fund.deliver()
    assert len(fund.holds()) == fund.rows
    (held,) = fund.ask("SELECT max(id) FROM ledger.transfer WHERE status = 'held'")[0]
    release(fund.hub, str(held), SignOff("演练", "核实"))
    assert fund.deliver() == (0, fund.rows)


def test_a_folder_gets_the_keys_in_a_file_that_the_manifest_names(
    fund: Fund, tmp_path: Path
) -> None:
    rows = fund.hub.deliver(F14).run().rows
    agreement = fund.hub.catalogue.agreement(F14)
    table = fund.hub.catalogue.contract(agreement.dataset).table
    fail_abandoned(
        fund.hub, agreement.dataset, f"t.ctid IN (SELECT ctid FROM registry.{table} LIMIT 60)"
    )
    assert reconcile_inbox(fund.hub, F14).waiting > 0
    done = fund.hub.deliver(F14).run()
    assert (done.rows, 0 < done.deleted < rows) == (0, True)
    (keys,) = (fund.harness.stage.city.home / "transport/inbox" / F14).glob("*.deletes.parquet")
    assert tuple(pl.read_parquet(keys).columns) == agreement.key
    note = Path(str(keys).replace(".deletes.parquet", ".parquet.manifest.json"))
    manifest = json.loads(note.read_text(encoding="utf-8"))
    assert manifest["deletes"]["rows"] == len(pl.read_parquet(keys)) == done.deleted
    assert (manifest["deletes"]["file"], manifest["rows"]) == (keys.name, 0)
    public = tmp_path / "public_keys.json"
    public.write_text(json.dumps(fund.hub.signer.public_keys()))

    def taken(*files: Path) -> tuple[int, str]:
        told = [note, public, "transport", tmp_path / "taken", *files]
        script = Path(__file__).parents[2] / "docs" / "verify_manifest.py"
        done = subprocess.run(
            [sys.executable, script, *told], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout

    rows_file = note.with_name(note.name.removesuffix(".manifest.json"))
    assert taken(rows_file) == (1, "the manifest is of other files\n")
    whole = keys.read_bytes()
    keys.write_bytes(whole + b" ")
    assert taken(rows_file, keys) == (1, f"{keys.name} is not what the manifest says\n")
    keys.write_bytes(whole)
    assert taken(rows_file, keys)[0] == 0
    after = reconcile_inbox(fund.hub, F14)
    assert (after.outcome, after.agreeing) == ("agreed", rows - done.deleted)


def test_an_http_inbox_gets_a_list_of_keys(fund: Fund) -> None:
    rows = fund.hub.deliver(F02).run().rows
    fail_abandoned(fund.hub, EVENTS)
    done = fund.hub.deliver(F02).run()
    assert (done.rows, done.deleted) == (0, rows)
    (file,) = (fund.harness.stage.city.home / "inbox/medical_insurance_api").glob("*.batches.jsonl")
    last = json.loads(file.read_text(encoding="utf-8").splitlines()[-1])
    assert (last["rows"], len(last["deleted"])) == ([], rows)
    assert {frozenset(key) for key in last["deleted"]} == {frozenset(("card_no", "event_seq"))}


def test_without_the_word_nothing_is_said_of_a_delete(fund: Fund) -> None:
    rows = fund.hub.deliver(F01).run().rows
    fail_abandoned(fund.hub, EVENTS)
    done = fund.hub.deliver(F01).run()
    assert (rows > 0, done.rows, done.deleted) == (True, 0, 0)
    assert reconcile_inbox(fund.hub, F01).extra == rows
    notes = (fund.harness.stage.city.home / "transport/inbox" / F01).glob("*.manifest.json")
    assert all("deletes" not in json.loads(n.read_text(encoding="utf-8")) for n in notes)
