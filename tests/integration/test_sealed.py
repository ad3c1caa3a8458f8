"""Sealed deliveries (PR-20): files and messages that only their consumer opens, in both suites."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from demo import receivers
from demo.http_api import PUBLIC_KEYS
from demo.rehearsal import REPOSITORY
from demo.verify_inboxes import EVERYTHING, compared
from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.crypto import receiver_keys
from onecard.deliver.context import Replay
from onecard.errors import FatalError
from onecard.ports.privacy_gate import PrivacyBlock
from onecard.store import database, deliveries
from onecard.store.receipts import signed_manifest
from tests.cities import Cities
from tests.faults.sources import World, world

F13, F24 = "f13-education-transport-student-concession", "f24-education-bank-aid-payment"
NEEDED = (
    *("health/death_notice", "hrss/card_master", "hrss/consent_record"),
    *("education/edu_enrolment", "education/campus_payment"),
)
SCRIPT = REPOSITORY / "docs" / "open_sealed.py"
WHOLE = Replay(whole=True)


@dataclass
class Sealed:
    """A city whose sealed agreements are delivered in one suite."""

    world: World
    suite: str

    @property
    def home(self) -> Path:
        return self.world.stage.city.home

    def hub(self) -> Hub:
        environment = self.world.stage.at(0) | {"ONECARD_SUITE": self.suite}
        return Hub(Settings.load(environment), EnvironmentConnections(environment))

    def keys(self, consumer: str) -> Path:
        return self.home / receivers.FOLDER / consumer

    def accept(self, consumer: str, epoch: str) -> None:
        """The consumer changes its key."""
        hub = self.hub()
        file = self.keys(consumer) / f"{epoch}.json"
        made = receiver_keys.make_pair(consumer, epoch, hub.settings.suite, file)
        receiver_keys.accept(hub.settings.keys_file, made, hub.settings.now().date())

    def newest(self) -> tuple[Path, dict[str, Any]]:
        """The last sealed file, and its manifest."""
        notes = (self.home / "transport/inbox" / F13).glob("*.sealed.manifest.json")
        note = max(notes, key=lambda f: f.stat().st_mtime_ns)
        file = note.with_name(note.name.removesuffix(".manifest.json"))
        return file, json.loads(note.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", params=["international", "national"])
def city(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cities: Cities
) -> Iterator[Sealed]:
    with world(tmp_path_factory.mktemp("sealed"), cities, persons=1_500) as found:
        for dataset in NEEDED:
            found.collect(dataset)
        sealed = Sealed(found, request.param)
        if sealed.suite == "national":
            for consumer in ("transport", "bank"):
                sealed.accept(consumer, "2026-sm2")
        yield sealed


class Consumer:
    """The transport bureau with the documented script."""

    def __init__(self, city: Sealed, home: Path) -> None:
        self.city, self.home = city, home

    def opens(
        self, file: Path, manifest: dict[str, Any], key: Path | None = None
    ) -> tuple[int, str]:
        """Exit code and words of the script, for copies of the files."""
        copy = shutil.copy(file, self.home / file.name)
        note = self.home / "manifest.json"
        note.write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")
        keys = self.city.home / PUBLIC_KEYS
        mine = key or self.city.keys("transport") / f"{manifest['sealing']['keyId']}.json"
        told = [note, keys, "transport", self.home / "taken.txt", mine, copy]
        done = subprocess.run(
            [sys.executable, SCRIPT, *told], capture_output=True, text=True, check=False
        )
        assert done.stderr == ""
        return done.returncode, done.stdout

    @property
    def opened(self) -> list[Path]:
        return sorted(f for f in self.home.glob("*.parquet"))


@pytest.fixture
def consumer(city: Sealed, tmp_path: Path) -> Consumer:
    return Consumer(city, tmp_path)


def test_the_consumer_opens_a_file_by_the_script(city: Sealed, consumer: Consumer) -> None:
    hub = city.hub()
    agreement = hub.catalogue.agreement(F13)
    sent = hub.deliver(F13).run(WHOLE)
    assert sent.rows > 0
    file, manifest = city.newest()
    assert manifest["sealing"]["suite"] == city.suite
    assert consumer.opens(file, manifest)[0] == 0
    (opened,) = consumer.opened
    rows = pl.read_parquet(opened)
    granted = hub.deliver(F13).preview(EVERYTHING)
    assert compared(agreement, granted, rows).same
    assert consumer.opens(file, manifest)[0] == 2, "a delivery is taken once"
    with database.connect(hub.address) as connection:
        line = connection.execute(
            "SELECT t.digest, r.body::jsonb ->> 'sealedFor' FROM ledger.transfer t"
            " JOIN ledger.receipt r ON r.transfer = t.id WHERE t.id = %s",
            (sent.transfer,),
        ).fetchone()
    assert line == (manifest["sha256"], manifest["sealing"]["keyId"])


def test_nothing_that_leaves_is_in_clear(city: Sealed) -> None:
    hub = city.hub()
    assert hub.deliver(F13).run(WHOLE).rows > 0
    assert hub.deliver(F24).run(WHOLE).rows > 0
    rows = hub.deliver(F13).preview(EVERYTHING)
    payments = hub.deliver(F24).preview(EVERYTHING)
    values = {str(v) for v in rows["transit_account_no"]} | {str(v) for v in payments["txn_id"]}
    files = [f for f in (city.home / "transport/inbox" / F13).iterdir() if f.is_file()]
    files += (city.home / "inbox" / "bank_api").glob(f"{F24}.*")
    assert len(files) >= 4
    for file in files:
        content = file.read_bytes()
        assert not [v for v in values if v.encode() in content], file.name
        assert b"PAR1" not in content


def test_messages_open_for_the_bank_as_its_agreement_says(city: Sealed) -> None:
    hub = city.hub()
    assert hub.deliver(F24).run(WHOLE).rows > 0
    agreement = hub.catalogue.agreement(F24)
    granted = hub.deliver(F24).preview(EVERYTHING)
    verdict = compared(agreement, granted, city.world.stage.city.held(agreement))
    assert verdict.granted > 0
    assert verdict.same


def test_what_was_changed_on_the_way_is_refused(city: Sealed, consumer: Consumer) -> None:
    city.hub().deliver(F13).run(WHOLE)
    file, manifest = city.newest()
    cut = consumer.home / "cut" / file.name
    cut.parent.mkdir()
    cut.write_bytes(file.read_bytes()[:-100])
    assert consumer.opens(cut, manifest) == (1, f"{file.name} is not what the manifest says\n")
    stranger = consumer.home / "stranger.json"
    receiver_keys.make_pair(
        "transport", manifest["sealing"]["keyId"], city.hub().settings.suite, stranger
    )
    code, says = consumer.opens(file, manifest, stranger)
    assert (code, says) == (1, "the key of this delivery does not open\n")
    assert consumer.opened == []
    # One who can sign (the hub, or a thief of its key) cannot put an older file under a newer
    # manifest either: the terms are part of what is sealed.
    city.hub().deliver(F13).run(WHOLE)
    _, newer = city.newest()
    mixed = {**newer, **{k: manifest[k] for k in ("file", "sha256", "rows", "sealing")}}
    mixed.pop("signature")
    code, says = consumer.opens(file, signed_manifest(mixed, city.hub().signer))
    assert (code, says) == (1, "altered, cut off, in another order, or of another delivery\n")
    assert consumer.opened == []
    assert list(consumer.home.glob("*.part")) == []
    assert consumer.opens(file, manifest)[0] == 0, "and the right one is still taken"


def test_after_a_change_of_keys_the_old_one_opens_nothing_new(
    city: Sealed, consumer: Consumer
) -> None:
    _, before = city.newest() if any(_notes(city)) else _delivered(city)
    old = city.keys("transport") / f"{before['sealing']['keyId']}.json"
    city.accept("transport", f"2027-{city.suite}")
    file, manifest = _delivered(city)
    assert manifest["sealing"]["keyId"] == f"2027-{city.suite}"
    code, says = consumer.opens(file, manifest, old)
    assert (code, says.startswith("sealed for key 2027")) == (1, True)
    assert consumer.opens(file, manifest)[0] == 0


def test_without_a_key_of_the_consumer_nothing_leaves(city: Sealed, tmp_path: Path) -> None:
    hub = city.hub()
    document = json.loads(hub.settings.keys_file.read_text())
    others = tmp_path / "keys.json"
    for gone in ({"receivers": {}}, _of_other_suite(document)):
        others.write_text(json.dumps(document | gone))
        others.chmod(0o600)
        environment = city.world.stage.at(0) | {
            "ONECARD_SUITE": city.suite,
            "ONECARD_KEYS_FILE": str(others),
        }
        keyless = Hub(Settings.load(environment), EnvironmentConnections(environment))
        files, batches = sorted(_notes(city)), _batches(city)
        for name in (F13, F24):
            with pytest.raises(PrivacyBlock, match="PR-20") as caught:
                keyless.deliver(name).run(WHOLE)
            assert caught.value.rule == "PR-20"
        assert (sorted(_notes(city)), _batches(city)) == (files, batches)


def test_an_attempt_that_was_cut_off_is_sealed_anew_and_taken_in_its_place(
    city: Sealed, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        msg = "cut off"
        raise OSError(msg)

    hub = city.hub()
    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "close_window", fail)
        with pytest.raises(FatalError):
            hub.deliver(F13).run(WHOLE)
    first, note = city.newest()
    content = first.read_bytes()
    assert consumer.opens(first, note)[0] == 0
    hub.deliver(F13).run(WHOLE)
    again, manifest = city.newest()
    assert manifest["deliveryId"] == note["deliveryId"]
    assert manifest["sealing"]["wrapped"] != note["sealing"]["wrapped"]
    assert again.read_bytes() != content
    assert manifest["attempt"] > note["attempt"]
    kept = consumer.home / "first" / first.name
    kept.parent.mkdir()
    kept.write_bytes(content)
    assert consumer.opens(again, manifest)[0] == 0, "it may bring other rows by now"
    assert consumer.opens(again, manifest)[0] == 2
    assert consumer.opens(kept, note)[0] == 2, "and the first is not played again"


def _delivered(city: Sealed) -> tuple[Path, dict[str, Any]]:
    assert city.hub().deliver(F13).run(WHOLE).rows > 0
    return city.newest()


def _notes(city: Sealed) -> list[Path]:
    return list((city.home / "transport/inbox" / F13).glob("*.sealed.manifest.json"))


def _batches(city: Sealed) -> bytes:
    file = city.home / "inbox" / "bank_api" / f"{F24}.batches.jsonl"
    return file.read_bytes() if file.exists() else b""


def _of_other_suite(document: dict[str, Any]) -> dict[str, Any]:
    """The same document, in which every consumer's current key is one of the other suite."""
    found = json.loads(json.dumps(document["receivers"]))
    for receiver in found.values():
        key = receiver["epochs"][receiver["current"]]
        key["suite"] = {"international": "national", "national": "international"}[key["suite"]]
    return {"receivers": found}
