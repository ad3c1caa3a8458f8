"""Rows of one key in tables: stable, counted and said, and never an old row over a newer one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url
from typer.testing import CliRunner

from onecard.cli.app import app
from onecard.errors import ConfigError
from onecard.model.row_order import OLDER, RETURNED, TIE
from onecard.model.signoffs import SignOff
from onecard.reconcile.dataset import AcceptOlder
from tests.office import CONNECTION, DATASET, Office

HOW = SignOff("市人社局 张主任", "the row was deleted by mistake")


@dataclass
class Table:
    """The agency's table, which a test changes, and the hub that reads it."""

    office: Office
    url: str

    def run(self, *statements: str) -> None:
        with psycopg.connect(self.url) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def fill(self, *rows: tuple[Any, ...]) -> None:
        """The rows in this physical order."""
        marks = ", ".join(["%s"] * 4)
        with psycopg.connect(self.url) as connection:
            connection.execute("TRUNCATE thing")
            for row in rows:
                values = (*row, *[None] * (4 - len(row)))
                connection.execute(f"INSERT INTO thing VALUES ({marks})".encode(), values)


@pytest.fixture
def table(hub_database: str, private_database: str, tmp_path: Path) -> Iterator[Table]:
    url = make_url(private_database)
    connection = {
        "conn_type": "postgres",
        "host": url.host,
        "port": url.port,
        "login": url.username,
        "password": url.password or "",
        "schema": url.database,
    }
    source = {"connector": "sql", "options": {"table": "thing"}}
    found = Table(Office(hub_database, tmp_path, source, connection), private_database)
    found.run("CREATE TABLE thing (k text, v text, seq bigint, at timestamptz)")
    yield found


@pytest.mark.case("order-2", "no order: the same row every night in any physical order")
def test_without_an_order_the_outcome_is_the_same_every_night(table: Table) -> None:
    office = table.office
    table.fill(("K1", "A"), ("K1", "B"), ("K2", "x"))
    office.night()
    first, version = office.published, office.version
    for rows in (("B", "A"), ("A", "B"), ("B", "A")):
        table.fill(("K2", "x"), *(("K1", value) for value in rows))
        done = office.night()
        assert (done.counts.unchanged, done.counts.deduplicated) == (2, 1)
        assert office.findings(done) == {TIE: 1}
        assert "with other content" in office.message(done)
        assert (office.published, office.version) == (first, version)


@pytest.mark.case("order-2", "a list of fields is an order; nothing is doubtful then")
def test_fields_are_an_order(table: Table) -> None:
    office = table.office
    office.fields, office.custom = ("k", "v", "at", "seq"), {"order": ["at", "seq"]}
    one, two = "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"
    table.fill(("K1", "A", 9, one), ("K1", "B", 1, two), ("K1", "C", 2, two), ("K1", "D", 3, None))
    for _ in range(2):
        done = office.night()
        assert office.published == {"K1": "C"}
        assert (done.counts.deduplicated, office.findings(done)) == (3, {})


@pytest.mark.case("inbox-1", "equal sequence: stable, counted, a finding with its number")
@pytest.mark.parametrize("cursor", [None, "at"])
def test_rows_of_equal_sequence(table: Table, cursor: str | None) -> None:
    office = table.office
    office.fields, office.custom = ("k", "v", "seq", "at"), {"sequence": "seq"}
    office.source["cursor"] = cursor
    at = "2026-11-23T23:59:00Z"
    rows = [("K1", "A", 5, at), ("K1", "B", 5, at), ("K1", "b", 4, at), ("K2", "x", 1, at)]
    table.fill(*rows)
    done = office.night()
    assert office.findings(done) == {TIE: 1}, "the row of the lower sequence is in no doubt"
    first, version = office.published, office.version
    for turn in (rows[::-1], rows[1:] + rows[:1]):
        table.fill(*turn)
        for whole in (True, False):
            done = office.night(whole=whole)
            assert done.counts.deduplicated == 2
            assert (office.published, office.version) == (first, version)


@pytest.mark.case("order-3", "cursor without sequence: the newest wins, read whole or not")
def test_the_newest_by_cursor_wins(table: Table) -> None:
    office = table.office
    office.fields, office.source["cursor"] = ("k", "v", "at"), "at"
    table.fill(
        ("K1", "new", None, "2026-11-20T08:00:00Z"), ("K1", "old", None, "2026-11-19T08:00:00Z")
    )
    office.night()
    for whole in (False, True, True):
        done = office.night(whole=whole)
        assert office.published == {"K1": "new"}
        assert office.findings(done) == {}, "one reading holds both: nothing is lost"
    table.fill(("K1", "old", None, "2026-11-19T08:00:00Z"))
    done = office.night(whole=True)
    assert office.published == {"K1": "new"}
    assert office.findings(done) == {OLDER: 1}
    assert "older than what is published, by at" in office.message(done)


@pytest.mark.case("order-3", "sequence goes before cursor")
def test_sequence_goes_before_cursor(table: Table) -> None:
    office = table.office
    office.fields, office.custom = ("k", "v", "seq", "at"), {"sequence": "seq"}
    office.source["cursor"] = "at"
    table.fill(
        ("K1", "two", 2, "2026-11-01T08:00:00Z"),
        ("K1", "one", 1, "2026-11-02T08:00:00Z"),
        ("K2", "late", 7, "2026-11-02T08:00:00Z"),
        ("K2", "early", 7, "2026-11-01T08:00:00Z"),
    )
    for whole in (False, True, False):
        office.night(whole=whole)
        assert office.published == {"K1": "two", "K2": "late"}


def returned(table: Table) -> Office:
    """A row that was published as deleted and is there again with a lower sequence."""
    office = table.office
    office.fields, office.custom = ("k", "v", "seq"), {"sequence": "seq"}
    others = [(f"K{n}", "x", 1) for n in range(10, 20)]
    table.fill(("K1", "five", 5), *others)
    office.night()
    table.fill(*others)
    office.reconcile()
    assert office.reconcile().tombstoned == 1
    assert "K1" not in office.published
    table.fill(("K1", "three", 3), *others)
    return office


@pytest.mark.case("older-4", "a deleted key with a lower sequence is said, with its command")
def test_a_deleted_row_that_comes_back_older_is_said(table: Table) -> None:
    office = returned(table)
    done = office.night()
    assert "K1" not in office.published
    assert office.findings(done) == {RETURNED: 1}
    message = office.message(done)
    assert "come back after they were published as deleted" in message
    assert f"onecard reconcile {DATASET} --accept-older REF --by … --reason …" in message
    found = office.reconcile()
    assert (found.outcome, found.older, found.missing) == ("open", 1, 0)
    (ref,) = found.refs["older"]
    assert "three" not in str(found)
    with pytest.raises(ConfigError, match="no row of the source that is older"):
        office.reconcile(accept=AcceptOlder(("0" * 8,), HOW))
    with pytest.raises(ConfigError, match="8 or more hexadecimal digits"):
        office.reconcile(accept=AcceptOlder(("K1",), HOW))
    accepted = office.reconcile(accept=AcceptOlder((ref[:16],), HOW))
    assert (accepted.outcome, accepted.healed) == ("healed", 1)
    assert office.published["K1"] == "three"
    assert office.reconcile().outcome == "agreed"
    entries = office.ask("SELECT body FROM ledger.audit WHERE kind = 'older.accepted'")
    assert HOW.reason in entries[0][0]
    (receipt,) = office.ask("SELECT body FROM ledger.receipt ORDER BY transfer DESC LIMIT 1")
    assert HOW.by in receipt[0]
    done = office.night()
    assert (done.counts.unchanged, office.findings(done)) == (11, {})


@pytest.mark.case("older-4", "the command line names the row by reference and takes a decision")
def test_the_command_line_decides(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    office = returned(table)
    settings = office.hub().settings
    for name, value in {
        "ONECARD_HOME": str(settings.home),
        "ONECARD_KEYS_FILE": str(settings.keys_file),
        "ONECARD_SCHEMAS": str(settings.schemas),
        "ONECARD_DATABASE_URL": office.address,
        "ONECARD_NOW": settings.now().isoformat(),
        f"AIRFLOW_CONN_{CONNECTION.upper()}": json.dumps(office.connection),
    }.items():
        monkeypatch.setenv(name, value)
    run = CliRunner()
    shown = run.invoke(app, ["reconcile", DATASET])
    assert shown.exit_code == 1, shown.output
    assert "older 1" in shown.output
    assert "--accept-older REF" in " ".join(shown.output.split())
    refused = run.invoke(app, ["reconcile", DATASET, "--accept-older", "all"])
    assert refused.exit_code == 1
    assert "who vouches for it is not named" in refused.output
    words = ["--by", HOW.by, "--reason", HOW.reason]
    done = run.invoke(app, ["reconcile", DATASET, "--accept-older", "all", *words])
    assert done.exit_code == 0, done.output
    assert office.published["K1"] == "three"
