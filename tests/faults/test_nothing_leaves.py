"""F35, F40: without a policy that is in force, readable and keyed, no inbox gets a row.

Each fault meets a table, a folder of files and an HTTP API; when it is mended, everything arrives.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from onecard.errors import PolicyError
from onecard.operations import night
from onecard.operations.replay import release, replay
from onecard.store import agreement_lives, database, quarantine
from tests.cities import Cities
from tests.faults.sources import World, world

INBOXES = {
    "f06-hrss-housing_fund-card-status": "housing_fund",  # a table
    "f01-hrss-transport-card-status": "transport",  # a Parquet folder
    "f02-hrss-medical_insurance-card-status": "medical_insurance",  # HTTP
}
DATASETS = (
    "health/death_notice",
    "housing_fund/hf_account",
    "hrss/card_master",
    "hrss/card_status_event",
)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("leaves"), cities, persons=300) as found:
        for dataset in DATASETS:
            found.collect(dataset)
        yield found


@contextmanager
def changed(file: Path, change: Callable[[str], str] | None) -> Iterator[None]:
    """A policy file with other text, or none; as it was afterwards."""
    before = file.read_bytes()
    if change is None:
        file.unlink()
    else:
        text = before.decode()
        assert change(text) != text
        file.write_text(change(text), encoding="utf-8")
    try:
        yield
    finally:
        file.write_bytes(before)


def yaml(city: World, agreement: str) -> Path:
    return city.schemas / "agreements" / f"{agreement}.yaml"


@contextmanager
def other_purpose(city: World, agreement: str) -> Iterator[None]:
    """A purpose that nobody has granted."""
    purpose = city.hub().catalogue.agreement(agreement).purpose
    other = "A7-02" if purpose != "A7-02" else "A7-03"
    with changed(
        yaml(city, agreement), lambda t: t.replace(f"purpose: {purpose}", f"purpose: {other}")
    ):
        yield


@contextmanager
def suspended(city: World, agreement: str) -> Iterator[None]:
    """Its approval was taken back."""
    with city.hub_database() as connection:
        found = city.hub().catalogue.agreement(agreement)
        agreement_lives.suspend(connection, found, "批准人", "中止通知")
        yield
        agreement_lives.approve(connection, found, "批准人", "批复")


@contextmanager
def expired(city: World, agreement: str) -> Iterator[None]:
    city.day = 365 * 4
    try:
        yield
    finally:
        city.day = 0


@contextmanager
def missing(city: World, agreement: str) -> Iterator[None]:
    with changed(yaml(city, agreement), None):
        yield


@contextmanager
def stopped(city: World, agreement: str) -> Iterator[None]:
    """The kill switch."""
    with city.hub_database() as connection:
        found = city.hub().catalogue.agreement(agreement)
        agreement_lives.set_stop(connection, found.consumer, "值班员", "演练", stopped=True)
        yield
        agreement_lives.set_stop(connection, found.consumer, "值班员", "演练", stopped=False)


@contextmanager
def unreadable(city: World, agreement: str) -> Iterator[None]:
    with changed(yaml(city, agreement), lambda t: t.replace("fields:", "fields: [", 1)):
        yield


@contextmanager
def unreadable_contract(city: World, agreement: str) -> Iterator[None]:
    dataset = city.hub().catalogue.agreement(agreement).dataset
    file = city.schemas / "contracts" / f"{dataset}.odcs.yaml"
    with changed(file, lambda t: t.replace("kind: DataContract", "kind: [", 1)):
        yield


@contextmanager
def keyless(city: World, agreement: str) -> Iterator[None]:
    """The key file without the consumer's token key."""
    file, consumer = city.stage.home / "keys.json", INBOXES[agreement]
    before = file.read_bytes()
    document = json.loads(before)
    del document["purposes"][f"token/{consumer}"]
    file.write_text(json.dumps(document), encoding="utf-8")
    try:
        yield
    finally:
        file.write_bytes(before)


@contextmanager
def without_keys(city: World, agreement: str) -> Iterator[None]:
    file = city.stage.home / "keys.json"
    kept = file.with_suffix(".kept")
    shutil.move(file, kept)
    try:
        yield
    finally:
        shutil.move(kept, file)


FAULTS = {
    other_purpose: "has changed since its approval",
    suspended: "suspended",
    stopped: "are stopped",
    expired: "expired on",
    missing: "unknown agreement",
    unreadable: "yaml.syntax",
    unreadable_contract: "yaml.syntax",
    keyless: "no key token/",
    without_keys: "nothing leaves",
}


def delivered(city: World, agreement: str) -> night.NightOutcome:
    return night.run_each([agreement], lambda a: city.hub().deliver(a).run(), lambda *_: None)


def traces(city: World, agreement: str) -> tuple[int, int, list[str]]:
    """Rows in the inbox, disclosures on record, and files of any kind in a consumer's folders."""
    frames = city.stage.city.inbox(INBOXES[agreement])
    rows = len(frames[agreement]) if agreement in frames else 0
    with city.hub_database() as connection:
        told = connection.execute(
            "SELECT count(*) FROM ledger.disclosure d JOIN ledger.transfer t ON t.id = d.transfer"
            " WHERE t.subject = %s",
            (agreement,),
        ).fetchone()
    home = city.stage.city.home
    folders = [home / "inbox", home / "transport" / "inbox", home / "sftp" / "inbox"]
    names = [str(f) for folder in folders for f in folder.rglob(f"*{agreement}*") if f.is_file()]
    names += [str(f) for folder in folders for f in folder.glob(f"{agreement}/*")]
    return rows, int(told[0]), sorted(names)


@pytest.mark.fault("F35", "purpose, approval, time, file, key: without one, no inbox gets a row")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("agreement", INBOXES)
def test_nothing_leaves(city: World, agreement: str, fault: Callable[..., object]) -> None:
    with fault(city, agreement):  # type: ignore[attr-defined]
        outcome = delivered(city, agreement)
        assert FAULTS[fault] in outcome.failed[agreement]
        assert traces(city, agreement) == (0, 0, [])
    city.sound("hrss/card_master")


@pytest.mark.fault("F35", "mended, the same deliveries send everything")
@pytest.mark.parametrize("agreement", INBOXES)
def test_afterwards_everything_leaves(city: World, agreement: str) -> None:
    assert delivered(city, agreement).failed == {}
    rows, told, _ = traces(city, agreement)
    assert rows > 0
    assert told > 0


PAYMENTS = "f16-hrss-bank-subsidy-payment"


@pytest.fixture(scope="module")
def held(city: World) -> int:
    """A payment that the privacy gate set aside for a number in its text."""
    city.collect("hrss/subsidy_payment")
    chosen = str(city.hub().deliver(PAYMENTS).preview(1_000)["pay_id"][0])
    with city.hub_database() as connection:
        connection.execute(
            "UPDATE registry.hrss__subsidy_payment SET pay_id = 'P-13812345678' WHERE pay_id = %s",
            (chosen,),
        )
    done = city.hub().deliver(PAYMENTS).run()
    assert done.quarantined == 1
    with database.connect(city.hub().address, autocommit=True) as connection:
        (record,) = [r for r in quarantine.records(connection) if r.agreement == PAYMENTS]
    return record.id


def payments(city: World) -> int:
    """Payments that the bank holds."""
    found = city.stage.city.inbox("bank")
    return len(found[PAYMENTS]) if PAYMENTS in found else 0


@pytest.mark.fault("F40", "a replay or a release under an agreement that is not in force: nothing")
@pytest.mark.parametrize("fault", [other_purpose, suspended, stopped, expired])
def test_a_replay_is_judged_by_the_policy_of_now(
    city: World, held: int, fault: Callable[..., object]
) -> None:
    before = payments(city)
    with fault(city, PAYMENTS):  # type: ignore[attr-defined]
        for again in (replay, release):
            with pytest.raises(PolicyError, match=FAULTS[fault]):
                again(city.hub(), held, "again")
        assert payments(city) == before
    with database.connect(city.hub().address, autocommit=True) as connection:
        assert held in {r.id for r in quarantine.records(connection) if r.status == "held"}


@pytest.mark.fault("F40", "released under the agreement in force: sent once")
def test_a_release_in_force_sends_it_once(city: World, held: int) -> None:
    before = payments(city)
    assert release(city.hub(), held, "a payment number").done
    assert payments(city) == before + 1
