"""Rejected rows go back to their own agency, over SFTP, HTTP, tables and a folder, as it says."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from connectors import connector
from demo import inbox
from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.base import personal
from onecard.crypto import keys
from onecard.deliver.hand_back import HandedBack, hand_back
from onecard.errors import ConfigError, PolicyError
from onecard.store import agreement_lives, audit, database, quarantine
from quality.rows.rule_titles import title
from schemas.lint import check
from schemas.models import catalogue, semantic
from tests import forked
from tests.cities import Cities

DATASETS = {
    "education": "education/edu_enrolment",
    "health": "health/health_visit",
    "medical_insurance": "medical_insurance/med_settlement",
    "hrss": "hrss/card_master",
    "housing_fund": "housing_fund/hf_account",
    "transport": "transport/transit_ride",
}


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Rehearsal]:
    """A city of which one dataset of each agency was collected."""
    home = tmp_path_factory.mktemp("handback")
    with cities.start(home / "stage", persons=2_000, seed=17) as stage:
        for dataset in DATASETS.values():
            stage.hub(0).collect(dataset).run()
        yield stage


def sent(hub: Hub, agency: str) -> HandedBack:
    (done,) = hand_back(hub, agency, connector, title)
    return done


def arrived(stage: Rehearsal, agency: str) -> pl.DataFrame:
    """What the agency's own system holds now."""
    home, name = stage.city.home, DATASETS[agency].partition("/")[2]
    if agency in ("education", "transport"):
        folder = home / ("sftp" if agency == "education" else "transport") / "handback"
        return inbox.files(folder)[f"handback-{name}"]
    if agency in ("health", "medical_insurance"):
        return inbox.http(home / "inbox" / f"{agency}_api")[f"handback-{name}"]
    postgres = "postgresql+psycopg://" + stage.city.postgres_url.split("://", 1)[1]
    housing = f"sqlite:///{home / 'housing_fund.sqlite'}"
    url, schema = (postgres, "inbox") if agency == "hrss" else (housing, None)
    return inbox.tables(url, schema, "handback_", [name])[name]


def held(hub: Hub, agency: str) -> dict[int, dict[str, str | None]]:
    with database.connect(hub.address, autocommit=True) as connection:
        found = list(quarantine.opened(connection, DATASETS[agency], hub.keys))
    return {record.id: values for record, values in found}


def changed(stage: Rehearsal, folder: Path, old: str, new: str) -> Hub:
    """A hub whose agencies.yaml says something else."""
    shutil.copytree(catalogue.ROOT, folder / "schemas", dirs_exist_ok=True)
    file = folder / "schemas" / "agencies.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    hub = stage.hub(0)
    settings = hub.settings.model_copy(update={"schemas": folder / "schemas"})
    return Hub(settings, hub.connections)


@pytest.mark.parametrize("agency", DATASETS)
def test_rows_arrive_once_masked_with_place_and_reasons_in_chinese(
    collected: Rehearsal, agency: str
) -> None:
    hub = collected.hub(0)
    wanted = held(hub, agency)
    assert wanted
    done = sent(hub, agency)
    assert (done.dataset, done.rows, done.already) == (DATASETS[agency], len(wanted), False)
    found = arrived(collected, agency)
    assert {int(n) for n in found["hub_record"]} == set(wanted)
    assert len(found) == len(wanted)
    contract = hub.catalogue.contract(DATASETS[agency])
    titles = [f.title for f in contract.fields]
    assert all(any(t in text for t in [*titles, "记录", "文件"]) for text in found["hub_reasons"])
    for row in found.iter_rows(named=True):
        values = wanted[int(row["hub_record"])]
        for field in contract.fields:
            was, shown = values.get(field.name), row[field.native]
            if field.semantic_type.mask and shown:
                assert shown != was
                pattern = semantic.load().masks[field.semantic_type.mask].pattern
                assert pl.Series([shown]).str.contains(pattern).all()
            elif field.level in ("L3", "L4") or field.pii in ("DI", "QI"):
                assert not shown, field.name
            elif was and not personal.find(was) and was.isprintable():
                assert shown == was, field.name
    again = sent(hub, agency)
    assert (again.handback, again.already) == (done.handback, True)
    assert len(arrived(collected, agency)) == len(wanted)


def test_what_was_handed_back_is_audited_without_values(collected: Rehearsal) -> None:
    hub = collected.hub(0)
    hand_back(hub, "hrss", connector, title)
    with database.connect(hub.address, autocommit=True) as connection:
        found = [e for e in audit.newest(connection, 1000) if e.kind.startswith("handback.")]
        verdict = audit.verify_log(connection, hub.settings.home / "audit", hub.signer.holds)
    mine = [e for e in found if e.subject == "hrss"]
    assert [e.kind for e in reversed(mine)] == ["handback.opened", "handback.confirmed"]
    assert json.loads(mine[0].body)["rows"] == len(held(hub, "hrss"))
    cards = {str(v["card_no"]) for v in held(hub, "hrss").values() if v.get("card_no")}
    assert not [c for c in cards if any(c in e.body for e in found)]
    assert verdict.ok, verdict.problem


def test_a_stop_keeps_everything_here(collected: Rehearsal, tmp_path: Path) -> None:
    hub = changed(
        collected,
        tmp_path,
        "treatment: masked, options: {schema",
        "treatment: plain, options: {schema",
    )
    with database.connect(hub.address, autocommit=True) as connection:
        agreement_lives.set_stop(connection, "hrss", "值班员", "演练", stopped=True)
    try:
        with pytest.raises(PolicyError, match="deliveries to hrss are stopped: nothing leaves"):
            hand_back(hub, "hrss", connector, title)
    finally:
        with database.connect(hub.address, autocommit=True) as connection:
            agreement_lives.set_stop(connection, "hrss", "值班员", "演练", stopped=False)


def test_without_a_block_or_over_a_foreign_connection_nothing_leaves(
    collected: Rehearsal, tmp_path: Path
) -> None:
    with pytest.raises(PolicyError, match="no handback block for it: nothing leaves"):
        hand_back(collected.hub(0), "bank", connector, title)
    with pytest.raises(ConfigError, match="unknown agency"):
        hand_back(collected.hub(0), "nobody", connector, title)
    foreign = changed(collected, tmp_path, "connection: transport_files", "connection: hrss_db")
    with pytest.raises(PolicyError, match="is no system of it: nothing leaves"):
        hand_back(foreign, "transport", connector, title)
    problems = check.lint(tmp_path / "schemas")
    assert [p.rule for p in problems] == ["handback.foreign_connection"]


def test_plain_only_where_the_agency_says_so(collected: Rehearsal, tmp_path: Path) -> None:
    old = "connector: files, connection: education_sftp, treatment: masked"
    hub = changed(collected, tmp_path, old, old.replace("masked", "plain"))
    wanted = held(hub, "education")
    assert not sent(hub, "education").already
    contract = hub.catalogue.contract(DATASETS["education"])
    native = contract.field("person_id18").native
    plain = {str(v["person_id18"]) for v in wanted.values() if v.get("person_id18")}
    assert plain <= set(arrived(collected, "education")[native].drop_nulls())


def test_sealed_rows_open_with_the_agencys_own_key_only(
    collected: Rehearsal, tmp_path: Path
) -> None:
    old = "connector: files, connection: transport_files, treatment: masked"
    hub = changed(collected, tmp_path, old, old.replace("masked", "sealed"))
    with pytest.raises(PolicyError, match="no key handback/transport"):
        hand_back(hub, "transport", connector, title)
    shutil.rmtree(collected.city.home / "transport" / "handback", ignore_errors=True)
    keys.add(
        hub.settings.keys_file,
        keys.handback_purpose("transport"),
        "2026",
        hub.settings.now().date(),
    )
    wanted = held(hub, "transport")
    assert not sent(hub, "transport").already
    found = arrived(collected, "transport")
    assert set(found.columns) == {
        *("hub_record", "hub_row", "hub_origin", "hub_reasons", "hub_sealed", "hub_key_epoch")
    }
    contract = hub.catalogue.contract(DATASETS["transport"])
    for row in found.iter_rows(named=True):
        bound = f"{contract.id}|{row['hub_record']}".encode()
        sealed = base64.b64decode(row["hub_sealed"])
        text = hub.suite.unseal(hub.keys.handback("transport").secret, sealed, bound)
        values = json.loads(text)
        for field in contract.fields:
            was = wanted[row["hub_record"]].get(field.name)
            assert values.get(field.native) == was
        with pytest.raises(PolicyError):
            hub.suite.unseal(hub.keys.quarantine().secret, sealed, bound)


def test_the_command_says_what_went_back(collected: Rehearsal) -> None:
    done = forked.onecard(collected.at(0), "quarantine", "hand-back", "housing_fund", "--json")
    assert done.returncode == 0, done.stderr
    (line,) = json.loads(done.stdout)
    assert (line["dataset"], line["rows"]) == (
        DATASETS["housing_fund"],
        len(held(collected.hub(0), "housing_fund")),
    )
