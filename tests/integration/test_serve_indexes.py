"""Agreements are made ready beside the calls: their indexes, and fields of every kind."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from onecard.errors import StorageError
from onecard.serve import codes, indexing
from onecard.store import agreement_lives, database, registry_indexes
from schemas.models import catalogue
from tests.asked import F09, F11, AskedHub, asked_hub, person
from tests.waiting import until

LI = person(1)
INDEXES = (
    "registry.hrss__card_master_person_id18",
    "registry.hrss__pension_status_person_id18",
)
"""Beside the primary key of the third dataset, which is the person."""


@pytest.fixture
def asked(tmp_path: Path, hub_database: str) -> Iterator[AskedHub]:
    with asked_hub(tmp_path / "hub", hub_database) as found:
        found.card(LI)
        found.insert(
            "hrss/pension_status", person_id18=LI.id_number, retired="1", benefit_amount="1200.50"
        )
        yield found


def there(asked: AskedHub, *names: str) -> list[bool]:
    return [asked.execute("SELECT to_regclass(%s) IS NOT NULL", name)[0][0] for name in names]


def test_the_indexes_are_there_before_anybody_asks(asked: AskedHub) -> None:
    assert True not in there(asked, *INDEXES)
    with asked.serving() as service:
        assert False not in there(asked, *INDEXES)
        assert service.ready()
        assert asked.code(F09, asked.body(F09, LI)) == "00"


def test_no_call_makes_an_index(asked: AskedHub, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, str]] = []
    make = registry_indexes.make

    def noted(connection: database.Connection, *wanted: registry_indexes.Index) -> None:
        made.extend((threading.current_thread().name, index.table) for index in wanted)
        make(connection, *wanted)

    monkeypatch.setattr(registry_indexes, "make", noted)
    asked.execute("DELETE FROM ledger.dataset WHERE dataset = 'hrss/pension_status'")
    with asked.serving() as service:
        assert service.ready(), "what was never collected is no reason not to be ready"
        assert asked.code(F09, asked.body(F09, LI)) == "00"
        assert asked.code(F11, asked.body(F11, LI)) == codes.UNAVAILABLE.code
        assert "hrss__pension_status" not in {table for _, table in made}
        asked.execute(
            "INSERT INTO ledger.dataset (dataset, version) VALUES ('hrss/pension_status', 1)"
        )
        until(lambda: asked.code(F11, asked.body(F11, LI)) == "00", "the dataset is known")
    assert {name for name, _ in made} == {threading.main_thread().name, "indexes"}


def test_without_its_indexes_nobody_is_answered_and_it_is_not_ready(
    asked: AskedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_what: object) -> None:
        msg = "no room"
        raise StorageError(msg)

    monkeypatch.setattr(registry_indexes, "make", full)
    with asked.serving() as service:
        assert not service.ready()
        assert asked.code(F09, asked.body(F09, LI)) == codes.UNAVAILABLE.code
        monkeypatch.undo()
        until(service.ready, "the next look goes well")
        assert asked.code(F09, asked.body(F09, LI)) == "00"


def test_an_index_that_somebody_drops_is_made_anew(
    asked: AskedHub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(indexing, "CHECK_S", 0.0)
    with asked.serving():
        asked.execute(f"DROP INDEX {INDEXES[0]}")
        until(lambda: there(asked, INDEXES[0]) == [True], "it is there again")
        assert asked.code(F09, asked.body(F09, LI)) == "00"
    assert f"the index {INDEXES[0].removeprefix('registry.')} has gone" in caplog.text


def test_a_dataset_that_goes_takes_its_own_agreements_along_and_no_other(
    asked: AskedHub, caplog: pytest.LogCaptureFixture
) -> None:
    with asked.serving():
        assert asked.code(F11, asked.body(F11, LI)) == "00"
        asked.execute("DELETE FROM ledger.dataset WHERE dataset = 'hrss/pension_status'")
        assert asked.code(F11, asked.body(F11, LI)) == codes.UNAVAILABLE.code
        assert asked.code(F09, asked.body(F09, LI)) == "00"
    assert "is not collected any more" in caplog.text
    assert "KeyError" not in caplog.text


def test_a_number_is_asked_by_and_answered(asked: AskedHub, tmp_path: Path) -> None:
    def text(found: str) -> str:
        found = found.replace("version: 2.0.0", "version: 2.1.0")
        found = found.replace("notice: N-2026-01", "notice: N-2026-01\nassessment: PIA-2026-07")
        found = found.replace("- {name: retire_date, treatment: as_is}", AMOUNT)
        return found.replace("asking:\n", "asking:\n  by: [benefit_amount]\n")

    changed(asked, tmp_path / "schemas", text)
    with asked.serving():

        def ask(amount: str) -> Any:
            about = {"id_number": LI.id_number, "benefit_amount": amount}
            answer = asked.post(F11, asked.body(F11, LI, person=about))
            assert answer.status_code == 200, answer.text
            return answer.json()["result"]

        assert ask("1200.5")["fields"] == {"retired": "1", "benefit_amount": "1200.50"}
        assert [ask(text)["outcome"] for text in ("1200.51", "much")] == ["none", "none"]


AMOUNT = "- {name: benefit_amount, treatment: as_is}"


def changed(asked: AskedHub, root: Path, change: Callable[[str], str]) -> None:
    """Serve F11 in another text, approved."""
    shutil.copytree(catalogue.ROOT, root, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    file = root / "agreements" / f"{F11}.yaml"
    file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8")
    asked.environment["ONECARD_SCHEMAS"] = str(root)
    with database.connect(asked.address, autocommit=True) as connection:
        agreement = asked.hub().catalogue.agreement(F11)
        agreement_lives.approve(connection, agreement, "批准人", "批复〔2026〕2号")
