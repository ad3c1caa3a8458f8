"""F39: what a consumer's own check makes of real deliveries: a folder, an API and a table."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo.http_api import PUBLIC_KEYS
from demo.rehearsal import REPOSITORY
from onecard.store.receipts import signed_manifest
from tests.cities import Cities
from tests.faults.sources import World, world

F01, F02 = "f01-hrss-transport-card-status", "f02-hrss-medical_insurance-card-status"
F06 = "f06-hrss-housing_fund-card-status"
CONSUMERS = {F01: "transport", F02: "medical_insurance", F06: "housing_fund"}
SCRIPT = REPOSITORY / "docs" / "verify_manifest.py"


@dataclass(frozen=True)
class Received:
    """A delivery's manifest as it came, and its file where there is one."""

    manifest: dict[str, Any]
    file: Path | None = None


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("manifests"), cities, persons=300) as found:
        needed = ("health/death_notice", "housing_fund/hf_account", "hrss/card_master")
        for dataset in (*needed, "hrss/card_status_event"):
            found.collect(dataset)
        for agreement in CONSUMERS:
            assert found.hub().deliver(agreement).run().rows > 0
        yield found


@pytest.fixture(scope="module")
def received(city: World) -> dict[str, Received]:
    home = city.stage.city.home
    (note,) = (home / "transport" / "inbox").rglob("*.manifest.json")
    posted = home / "inbox" / "medical_insurance_api" / f"{F02}.manifests.jsonl"
    with closing(sqlite3.connect(home / "housing_fund.sqlite")) as database:
        (table,) = database.execute("SELECT manifest FROM onecard_delivery").fetchall()
    return {
        F01: Received(json.loads(note.read_text()), Path(str(note).removesuffix(".manifest.json"))),
        F02: Received(json.loads(posted.read_text().splitlines()[-1])),
        F06: Received(json.loads(table[0])),
    }


class Consumer:
    """A consumer with the documented script, the hub's public keys and its own memory."""

    def __init__(self, city: World, home: Path) -> None:
        self.keys, self.home = city.stage.city.home / PUBLIC_KEYS, home

    def takes(self, name: str, manifest: object, file: Path | None = None) -> tuple[int, str]:
        """Exit code and words of the script."""
        note = self.home / "manifest.json"
        note.write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")
        more = [file] if file else []
        done = subprocess.run(
            [sys.executable, SCRIPT, note, self.keys, name, self.home / "taken.txt", *more],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        return done.returncode, done.stdout


@pytest.fixture
def consumer(city: World, tmp_path: Path) -> Consumer:
    return Consumer(city, tmp_path)


@pytest.mark.fault("F39", "a delivery is taken once; the same manifest again is known")
@pytest.mark.parametrize("agreement", CONSUMERS)
def test_taken_once(consumer: Consumer, received: dict[str, Received], agreement: str) -> None:
    found, name = received[agreement], CONSUMERS[agreement]
    assert found.manifest["consumer"] == name
    assert consumer.takes(name, found.manifest, found.file)[0] == 0
    code, says = consumer.takes(name, found.manifest, found.file)
    assert (code, says) == (2, f"{found.manifest['deliveryId']} was taken already\n")


@pytest.mark.fault("F39", "a later attempt at a delivery that was taken is taken in its place")
def test_a_later_attempt_is_taken(
    city: World, consumer: Consumer, received: dict[str, Received]
) -> None:
    first = {k: v for k, v in received[F02].manifest.items() if k != "signature"}
    name, signer = CONSUMERS[F02], city.hub().signer
    later = signed_manifest(first | {"attempt": first["attempt"] + 1}, signer)
    assert consumer.takes(name, received[F02].manifest)[0] == 0
    assert consumer.takes(name, later)[0] == 0
    assert consumer.takes(name, later)[0] == 2
    assert consumer.takes(name, received[F02].manifest)[0] == 2
    (consumer.home / "taken.txt").write_text(first["deliveryId"] + "\n")
    assert consumer.takes(name, later)[0] == 2, "what an older script wrote down stays taken"


@pytest.mark.fault("F39", "another's delivery, and one whose consumer was changed, are refused")
@pytest.mark.parametrize("agreement", CONSUMERS)
def test_another_consumer(
    consumer: Consumer, received: dict[str, Received], agreement: str
) -> None:
    found = received[agreement]
    assert consumer.takes("bank", found.manifest) == (1, "meant for another consumer\n")
    changed = found.manifest | {"consumer": "bank"}
    assert consumer.takes("bank", changed) == (1, "the signature is not valid\n")


@pytest.mark.fault("F39", "every key of a delivered manifest is signed: changed or lost, refused")
def test_every_key_is_signed(consumer: Consumer, received: dict[str, Received]) -> None:
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        from verify_manifest import refusal
    finally:
        sys.path.remove(str(SCRIPT.parent))
    keys = json.loads(consumer.keys.read_text())
    for agreement, found in received.items():
        name = CONSUMERS[agreement]
        assert refusal(found.manifest, keys, name) == ""
        for key in found.manifest:
            without = {k: v for k, v in found.manifest.items() if k != key}
            assert refusal(without, keys, name), key
            assert refusal(found.manifest | {key: "x"}, keys, name), key
        assert refusal(found.manifest | {"more": 1}, keys, name)
        assert refusal(found.manifest, {}, name) == "signed by a key that is not known"


@pytest.mark.fault("F39", "a file that is not its manifest's is refused and not remembered")
def test_a_file_that_was_swapped(
    consumer: Consumer, received: dict[str, Received], tmp_path: Path
) -> None:
    found = received[F01]
    assert found.file
    copy = tmp_path / found.file.name
    copy.write_bytes(found.file.read_bytes() + b" ")
    code, says = consumer.takes("transport", found.manifest, copy)
    assert (code, says) == (1, f"{copy.name} is not what the manifest says\n")
    other = shutil.copy(found.file, tmp_path / "other.parquet")
    assert consumer.takes("transport", found.manifest, Path(other))[1].startswith("the manifest is")
    assert consumer.takes("transport", found.manifest, found.file)[0] == 0


@pytest.mark.parametrize("text", ["[]", "7", '{"consumer": "transport"}'])
def test_what_is_no_manifest(consumer: Consumer, text: str) -> None:
    assert consumer.takes("transport", json.loads(text))[0] == 1
