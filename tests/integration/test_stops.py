"""The kill switch in the middle of a delivery to real servers: REST, SQL and files.

After a stop nothing more arrives; after a start the same delivery is completed under the same id,
every row is there once, and each attempt has its receipt.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from connectors.files import manifest
from connectors.files.local import LocalFolder
from connectors.rest import client
from connectors.sql import write as sql_write
from connectors.sql.dialects.base import Dialect
from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.errors import PolicyError
from onecard.model.agreements import ALL
from onecard.ports.sink import Leave
from onecard.store import agreement_lives, audit, database
from tests.cities import Cities

REST = "f02-hrss-medical_insurance-card-status"
SQL = ("f06-hrss-housing_fund-card-status", "f17-hrss-hrss-subsidy-failure")
FILES = ("f01-hrss-transport-card-status", "f04-hrss-education-card-status")
SINKS = {"delivery_id", "received_at"}
"""Columns that an inbox of tables adds for itself: the second is another at each attempt."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One transfer as the ledger tells of it."""

    status: str
    delivery: str
    receipt: dict[str, Any]
    disclosures: int


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Rehearsal]:
    """A city whose registry holds what the deliveries below need."""
    home = tmp_path_factory.mktemp("stops")
    with cities.start(home / "stage", persons=4_000, seed=23) as stage:
        hub = stage.hub(0)
        needed = {d for a in (REST, *SQL, *FILES) for d in hub.catalogue.agreement(a).datasets} | {
            hub.catalogue.registers.people.cards,
            hub.catalogue.registers.people.deaths,
        }
        for dataset in sorted(needed):
            hub.collect(dataset).run()
        yield stage


def switch(hub: Hub, scope: str, *, stopped: bool) -> None:
    """What `onecard agreements stop` and `start` do, in a session of its own."""
    with database.connect(hub.address, autocommit=True) as connection:
        agreement_lives.set_stop(connection, scope, "值班员", "演练", stopped=stopped)


def stopping(stage: Rehearsal, agreement: str, scope: str | None = None) -> Callable[[], None]:
    """Stops the agreement's consumer; once."""
    hub = stage.hub(0)
    wanted = scope or hub.catalogue.agreement(agreement).consumer
    done: list[str] = []

    def stop() -> None:
        if not done:
            done.append(wanted)
            switch(hub, wanted, stopped=True)

    return stop


def refused(stage: Rehearsal, agreement: str) -> None:
    with pytest.raises(PolicyError, match="are stopped: nothing leaves"):
        stage.hub(0).deliver(agreement).run()


def attempts(stage: Rehearsal, agreement: str) -> list[Attempt]:
    """All transfers of an agreement, oldest first, with their receipts and disclosures."""
    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT t.status, t.delivery_id, r.body, (SELECT count(*) FROM ledger.disclosure d"
            " WHERE d.transfer = t.id) FROM ledger.transfer t"
            " LEFT JOIN ledger.receipt r ON r.transfer = t.id"
            " WHERE t.subject = %s ORDER BY t.id",
            (agreement,),
        ).fetchall()
    return [Attempt(str(r[0]), str(r[1]), json.loads(str(r[2])), int(str(r[3]))) for r in rows]


def confirmed_once(stage: Rehearsal, agreement: str, *, left: bool) -> str:
    """Two attempts at one delivery, each with its receipt; returns the delivery's id."""
    failed, confirmed = attempts(stage, agreement)
    assert (failed.status, confirmed.status) == ("failed", "confirmed")
    assert failed.delivery == confirmed.delivery
    assert failed.receipt["outcome"] == "failed"
    assert failed.receipt["error"] == "PolicyError"
    assert failed.receipt["left"] is left
    assert (failed.disclosures > 0) is left
    assert confirmed.receipt["outcome"] == "confirmed"
    assert confirmed.receipt["delivery"] == failed.receipt["delivery"] == confirmed.delivery
    assert confirmed.disclosures > 0
    hub = stage.hub(0)
    with database.connect(hub.address, autocommit=True) as connection:
        window = connection.execute(
            "SELECT FROM ledger.delivery_window WHERE agreement = %s", (agreement,)
        ).fetchone()
        verdict = audit.verify_log(connection, hub.settings.home / "audit", hub.signer.holds)
    assert window is None
    assert verdict.ok, verdict.problem
    assert stage.hub(0).deliver(agreement).run().transfer is None
    return confirmed.delivery


def posted(stage: Rehearsal, agreement: str, kind: str = "batches") -> list[dict[str, Any]]:
    """Bodies that the medical insurance's API has stored, in order."""
    file = stage.city.home / "inbox" / "medical_insurance_api" / f"{agreement}.{kind}.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def tabled(stage: Rehearsal, agreement: str) -> list[dict[str, Any]]:
    """Rows that the consumer's table holds."""
    consumer = stage.hub(0).catalogue.agreement(agreement).consumer
    found = stage.city.inbox(consumer).get(agreement)
    return [] if found is None else found.to_dicts()


def folder_of(stage: Rehearsal, agreement: str) -> Path:
    """The consumer's folder of an agreement."""
    root = "transport" if "-transport-" in agreement else "sftp"
    return stage.city.home / root / "inbox" / agreement


def filed(stage: Rehearsal, agreement: str) -> list[str]:
    """Names in the consumer's folder."""
    folder = folder_of(stage, agreement)
    return sorted(f.name for f in folder.iterdir()) if folder.exists() else []


def once(stage: Rehearsal, agreement: str, rows: list[dict[str, Any]]) -> None:
    """Each row stands there once, and all of them: as many as were confirmed."""
    keys = stage.hub(0).catalogue.agreement(agreement).key
    times = Counter(tuple(str(row[name]) for name in keys) for row in rows)
    assert times
    assert set(times.values()) == {1}
    receipt = attempts(stage, agreement)[-1].receipt
    assert len(rows) == receipt["sent_rows"]


@pytest.mark.parametrize("scope", [None, ALL], ids=["its consumer", "all"])
def test_rest(
    tmp_path: Path, cities: Cities, monkeypatch: pytest.MonkeyPatch, scope: str | None
) -> None:
    with cities.start(tmp_path / "stage", persons=2_000, seed=23) as stage:
        for dataset in stage.hub(0).catalogue.agreement(REST).datasets:
            stage.hub(0).collect(dataset).run()
        stop, post = stopping(stage, REST, scope), client.Client.post

        def small(self: Any, rows: Any) -> Iterator[list[dict[str, str | None]]]:
            object.__setattr__(self._sink, "batch_rows", 10)
            return batches(self, rows)

        def then_stop(self: Any, path: str, body: bytes, again: Callable[[], object]) -> Any:
            reply = post(self, path, body, again)
            if json.loads(body).get("sequence") == 2:
                stop()
            return reply

        from connectors.rest.write import RestSending

        batches = RestSending._batches
        monkeypatch.setattr(RestSending, "_batches", small)
        monkeypatch.setattr(client.Client, "post", then_stop)
        refused(stage, REST)
        before = posted(stage, REST)
        assert [body["sequence"] for body in before] == [1, 2]
        assert posted(stage, REST, "manifests") == []
        refused(stage, REST)
        assert posted(stage, REST) == before

        switch(stage.hub(0), scope or "medical_insurance", stopped=False)
        done = stage.hub(0).deliver(REST).run()
        assert done.already == 2
        bodies = posted(stage, REST)
        assert bodies[:2] == before
        assert len(bodies) == done.parts > 3
        assert [body["rows"] for body in posted(stage, REST, "manifests")] == [done.rows]
        once(stage, REST, [row for body in bodies for row in body["rows"]])
        delivery = confirmed_once(stage, REST, left=True)
        assert {body["deliveryId"] for body in bodies} == {delivery}


def test_rest_stopped_before_its_manifest(
    tmp_path: Path, cities: Cities, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All rows are there already: what is missing is only the word that they are complete."""
    with cities.start(tmp_path / "stage", persons=2_000, seed=23) as stage:
        for dataset in stage.hub(0).catalogue.agreement(REST).datasets:
            stage.hub(0).collect(dataset).run()
        stop, post = stopping(stage, REST), client.Client.post

        def then_stop(self: Any, path: str, body: bytes, again: Callable[[], object]) -> Any:
            reply = post(self, path, body, again)
            if "sequence" in json.loads(body):
                stop()
            return reply

        monkeypatch.setattr(client.Client, "post", then_stop)
        refused(stage, REST)
        before = posted(stage, REST)
        assert len(before) == 1
        assert posted(stage, REST, "manifests") == []
        switch(stage.hub(0), "medical_insurance", stopped=False)
        done = stage.hub(0).deliver(REST).run()
        assert done.already == done.parts == 1
        assert posted(stage, REST) == before
        assert len(posted(stage, REST, "manifests")) == 1
        once(stage, REST, before[0]["rows"])
        confirmed_once(stage, REST, left=True)


@pytest.mark.parametrize("agreement", SQL, ids=["other database", "PostgreSQL"])
def test_sql(collected: Rehearsal, monkeypatch: pytest.MonkeyPatch, agreement: str) -> None:
    """A parcel is one transaction: stopped between two statements, none of it arrives."""
    stop = stopping(collected, agreement)
    pieces: list[int] = []

    as_stored = sql_write.stored

    def watched(batch: pa.RecordBatch, dialect: Dialect) -> pa.RecordBatch:
        pieces.append(batch.num_rows)
        if len(pieces) == 2:
            stop()
        return as_stored(batch, dialect)

    monkeypatch.setattr(sql_write, "AT_ONCE", 5)
    monkeypatch.setattr(sql_write, "stored", watched)
    refused(collected, agreement)
    assert len(pieces) > 2
    assert tabled(collected, agreement) == []
    refused(collected, agreement)
    assert tabled(collected, agreement) == []
    consumer = collected.hub(0).catalogue.agreement(agreement).consumer
    switch(collected.hub(0), consumer, stopped=False)
    done = collected.hub(0).deliver(agreement).run()
    assert (done.parts, done.already) == (1, 0)
    rows = tabled(collected, agreement)
    once(collected, agreement, rows)
    delivery = confirmed_once(collected, agreement, left=False)
    assert {row["delivery_id"] for row in rows} == {delivery}
    granted = collected.hub(0).catalogue.agreement(agreement).names
    assert set(rows[0]) - SINKS == set(granted)


@pytest.mark.parametrize("agreement", FILES, ids=["local folder", "SFTP"])
def test_files(collected: Rehearsal, monkeypatch: pytest.MonkeyPatch, agreement: str) -> None:
    """Stopped while the file is still written here, nothing appears at the receiver."""
    stop, digest = stopping(collected, agreement), manifest.file_digest

    def then_stop(path: Path) -> str:
        stop()
        return digest(path)

    monkeypatch.setattr(manifest, "file_digest", then_stop)
    refused(collected, agreement)
    assert filed(collected, agreement) == []
    refused(collected, agreement)
    assert filed(collected, agreement) == []
    hub = collected.hub(0)
    consumer = hub.catalogue.agreement(agreement).consumer
    switch(hub, consumer, stopped=False)
    done = hub.deliver(agreement).run()
    delivery = confirmed_once(collected, agreement, left=False)
    assert {name.split(".")[0] for name in filed(collected, agreement)} == {delivery}
    assert len(filed(collected, agreement)) == 2
    rows = collected.city.inbox(consumer)[agreement].to_dicts()
    assert len(rows) == done.rows
    once(collected, agreement, rows)


def test_files_stopped_between_file_and_manifest(
    tmp_path: Path, cities: Cities, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receiver takes a file with its manifest only: after the stop that does not come."""
    agreement = FILES[0]
    with cities.start(tmp_path / "stage", persons=2_000, seed=23) as stage:
        for dataset in stage.hub(0).catalogue.agreement(agreement).datasets:
            stage.hub(0).collect(dataset).run()
        stop, write = stopping(stage, agreement), LocalFolder.write

        def then_stop(self: LocalFolder, path: str, source: Path, leave: Leave) -> None:
            write(self, path, source, leave)
            stop()

        monkeypatch.setattr(LocalFolder, "write", then_stop)
        refused(stage, agreement)
        there = filed(stage, agreement)
        assert [name for name in there if "manifest" in name] == []
        assert len(there) == 1
        before = (folder_of(stage, agreement) / there[0]).read_bytes()
        switch(stage.hub(0), "transport", stopped=False)
        stage.hub(0).deliver(agreement).run()
        assert len(filed(stage, agreement)) == 2
        assert (folder_of(stage, agreement) / there[0]).read_bytes() == before
        once(stage, agreement, stage.city.inbox("transport")[agreement].to_dicts())
        confirmed_once(stage, agreement, left=True)
