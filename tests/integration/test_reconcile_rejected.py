"""Reconciliation and rejected rows: what stands in quarantine is accounted for, once and for all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.rehearsal import Rehearsal
from onecard.errors import ProtocolError
from onecard.operations.housekeeping import keep_house
from onecard.reconcile import source_rows
from onecard.reconcile.dataset import reconcile
from onecard.store import database
from tests.cities import Cities

PAYMENTS = "education/campus_payment"
BROKEN = "origin LIKE '%.csv' AND reasons::text LIKE '%record.%'"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Rehearsal]:
    """A small city whose school file has two records that cannot be split, collected."""
    home = tmp_path_factory.mktemp("rejected") / "stage"
    with cities.start(home, persons=300, seed=5) as found:
        (file,) = (found.city.home / "sftp" / "outbox" / "campus_payment").glob("*.csv")
        note = Path(f"{file}.manifest.json")
        lines = file.read_bytes().splitlines(keepends=True)
        broken = [lines[1].rpartition(b",")[0] + b"\r\n", b"\xff\xff" + lines[2]]
        whole = b"".join([*lines, *broken])
        file.write_bytes(whole)
        rows = json.loads(note.read_text())["rows"] + len(broken)
        digest = hashlib.sha256(whole).hexdigest()
        note.write_text(json.dumps({"rows": rows, "sha256": digest}))
        found.environment["ONECARD_QUARANTINE_DAYS"] = "3"
        found.hub(0).collect(PAYMENTS).run()
        yield found


def broken(stage: Rehearsal) -> list[tuple[Any, ...]]:
    """The quarantined records that could not be split."""
    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        return connection.execute(
            "SELECT origin, row_number, reasons::text, encode(fingerprint, 'hex'), status"
            f" FROM quarantine.record WHERE {BROKEN} ORDER BY row_number".encode()
        ).fetchall()


def number(stage: Rehearsal) -> int:
    """All quarantined rows that there ever were."""
    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM quarantine.record").fetchone()
    return int(str(row[0])) if row else 0


def test_a_record_that_could_not_be_split_is_known_by_its_place(stage: Rehearsal) -> None:
    before, there = broken(stage), number(stage)
    assert [row[2] for row in before] == ['[["", "record.cells"]]', '[["", "record.encoding"]]']
    done = reconcile(stage.hub(0), PAYMENTS)
    assert (done.outcome, done.missing, done.quarantined) == ("agreed", 0, there)
    assert (broken(stage), number(stage)) == (before, there)


def test_one_that_quarantine_lost_comes_back_in_its_place(stage: Rehearsal) -> None:
    before = broken(stage)
    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        connection.execute(f"DELETE FROM quarantine.record WHERE {BROKEN}".encode())
    done = reconcile(stage.hub(0), PAYMENTS)
    assert (done.outcome, done.missing, done.healed) == ("healed", 2, 2)
    assert broken(stage) == before


def test_far_too_many_unknown_ones_are_the_sources_fault(
    stage: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_rows, "MOST_UNKNOWN", 1)
    before, there = broken(stage), number(stage)
    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT * FROM quarantine.record")
        connection.execute(f"DELETE FROM quarantine.record WHERE {BROKEN}".encode())
    with pytest.raises(ProtocolError, match="refuses more than 1 rows of the source"):
        reconcile(stage.hub(0), PAYMENTS)
    assert broken(stage) == []
    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        last = connection.execute(
            "SELECT outcome FROM ledger.reconciliation ORDER BY id DESC LIMIT 1"
        ).fetchone()
        connection.execute(
            "INSERT INTO quarantine.record OVERRIDING SYSTEM VALUE SELECT k.* FROM kept k"
            " WHERE NOT EXISTS (SELECT FROM quarantine.record r WHERE r.id = k.id)"
        )
        connection.execute("DROP TABLE kept")
    assert last == ("failed",)
    assert (broken(stage), number(stage)) == (before, there)


def test_what_was_purged_in_its_time_does_not_come_back(stage: Rehearsal) -> None:
    there = number(stage)
    assert keep_house(stage.hub(4)).purged == there
    done = reconcile(stage.hub(4), PAYMENTS)
    assert (done.outcome, done.missing) == ("agreed", 0)
    assert number(stage) == there
    assert {row[4] for row in broken(stage)} == {"purged"}
