"""F32: a source that changed meets its contract's policy, end to end: table, CSV, API and SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest

from onecard.errors import SchemaMismatch
from onecard.model.transfers import Counts
from onecard.operations.drift_look import look
from onecard.operations.replay import replay
from schemas.models.drift_policy import Drift
from tests.cities import Cities
from tests.faults.pupils import PUPILS, Pupils
from tests.faults.sources import World, world

CARDS = "hrss/card_master"
VISITS, ACCOUNTS = "health/health_visit", "housing_fund/hf_account"
TABLE = "hrss.ac01_card"
NEWEST = f"SELECT max(source_updated_at) FROM {TABLE}"
THREE = f'SELECT "AAZ500" FROM {TABLE} ORDER BY 1 LIMIT 3'
SOME = f', source_updated_at = ({NEWEST}) WHERE "AAZ500" IN ({THREE})'

Change = tuple[str, str, str, tuple[str, ...]]
"""Kind, field, the gate's rule, and what the agency does to its table."""
CHANGES: tuple[Change, ...] = (
    ("missing", "ethnic", "missing", ('ALTER TABLE {t} DROP COLUMN "AAC005"',)),
    (
        "widened",
        "person_name",
        "max_length",
        (
            'ALTER TABLE {t} ALTER COLUMN "AAC003" TYPE varchar(90)',
            "UPDATE {t} SET \"AAC003\" = repeat('长', 60){some}",
        ),
    ),
    (
        "type",
        "birth_date",
        "type",
        (
            'ALTER TABLE {t} ALTER COLUMN "AAC006" TYPE text USING "AAC006"::text',
            "UPDATE {t} SET \"AAC006\" = 'unknown'{some}",
        ),
    ),
    (
        "nullable",
        "person_name",
        "required",
        (
            'ALTER TABLE {t} ALTER COLUMN "AAC003" DROP NOT NULL',
            'UPDATE {t} SET "AAC003" = NULL{some}',
        ),
    ),
    ("new_code", "sex", "codes", ("UPDATE {t} SET \"AAC004\" = '7'{some}",)),
)
EVERY = pytest.mark.parametrize("change", CHANGES, ids=lambda c: c[0])


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("drift"), cities, persons=300) as found:
        yield found


@pytest.fixture(scope="module")
def tidied(city: World) -> World:
    """The card table without the rehearsal's planted defects."""
    city.collect(CARDS)
    with city.hub_database() as hub:
        good = [r[0] for r in hub.execute("SELECT card_no FROM registry.hrss__card_master")]
    on_table(
        city,
        f'DELETE FROM {TABLE} WHERE NOT "AAZ500" = ANY(%s)',
        good,
    )
    on_table(
        city,
        f'DELETE FROM {TABLE} WHERE "AAZ500" IN'
        f' (SELECT "AAZ500" FROM {TABLE} GROUP BY 1 HAVING count(*) > 1)',
    )
    city.forget(CARDS)
    assert city.collect(CARDS).quarantined == 0
    on_table(city, f"CREATE TABLE hrss.kept (LIKE {TABLE} INCLUDING ALL)")
    on_table(city, f"INSERT INTO hrss.kept SELECT * FROM {TABLE}")
    return city


@pytest.fixture
def cards(tidied: World) -> Iterator[World]:
    """The tidy table, published once; put back at the end."""
    tidied.forget(CARDS)
    tidied.collect(CARDS)
    yield tidied
    on_table(tidied, f"DROP TABLE {TABLE}")
    on_table(tidied, f"CREATE TABLE {TABLE} (LIKE hrss.kept INCLUDING ALL)")
    on_table(tidied, f"INSERT INTO {TABLE} SELECT * FROM hrss.kept")


def on_table(city: World, statement: str, *values: object) -> None:
    with psycopg.connect(city.stage.city.postgres_url) as connection:
        connection.execute(statement.encode(), values)


def drifts(city: World, change: Change) -> None:
    for statement in change[3]:
        on_table(city, statement.format(t=TABLE, some=SOME))


@contextmanager
def policy(city: World, dataset: str, **decisions: str) -> Iterator[None]:
    """The contract with a drift policy."""
    file = city.schemas / "contracts" / f"{dataset}.odcs.yaml"
    before = file.read_text(encoding="utf-8")
    head, _, rest = before.partition("customProperties:\n")
    block = f"  - {{property: drift, value: {json.dumps(decisions)}}}\n"
    file.write_text(f"{head}customProperties:\n{block}{rest}", encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(before, encoding="utf-8")


@pytest.mark.fault("F32", "each kind under `fail`: the whole transfer fails; nothing is published")
@EVERY
def test_a_policy_to_fail(cards: World, change: Change) -> None:
    kind, field, _, _ = change
    drifts(cards, change)
    with policy(cards, CARDS, **{kind: "fail"}):
        told = cards.fails(CARDS, SchemaMismatch, field if kind == "missing" else kind)
    if kind != "missing":
        assert f"{field}: {kind} (3 row(s))" in told
    assert CARDS in told
    assert "长" not in told
    assert cards.reasons(CARDS) == set(), "nothing of a failed transfer stays"


@pytest.mark.fault("F32", "each kind under `quarantine`: its rows are counted and kept, no NULL")
@EVERY
def test_a_policy_to_quarantine(cards: World, change: Change) -> None:
    kind, field, rule, _ = change
    before = cards.state(CARDS)[0]
    drifts(cards, change)
    with policy(cards, CARDS, **{kind: "quarantine"}):
        counts = cards.collect(CARDS, whole=True)
    assert counts.quarantined == (counts.rows_read if kind == "missing" else 3)
    assert (counts.published, cards.state(CARDS)[0]) == (0, before), "nothing became NULL"
    found = cards.reasons(CARDS)
    assert (field, rule) in found
    assert {name for name, _ in found} == {field}


@pytest.mark.fault("F32", "without a word in the contract: a lost column fails, rows are set aside")
@EVERY
def test_the_default(cards: World, change: Change) -> None:
    drifts(cards, change)
    if change[0] == "missing":
        cards.fails(CARDS, SchemaMismatch, "AAC005")
    else:
        assert cards.hub().collect(CARDS).run(whole=True).counts.quarantined == 3


@pytest.mark.fault("F32", "a lost key, cursor or sequence fails, whatever the policy")
@pytest.mark.parametrize("native", ["AAZ500", "source_updated_at", "source_seq"])
def test_what_no_row_can_do_without(cards: World, native: str) -> None:
    on_table(cards, f'ALTER TABLE {TABLE} DROP COLUMN "{native}"')
    with policy(cards, CARDS, missing="quarantine"):
        cards.fails(CARDS, SchemaMismatch, native)


@pytest.mark.fault("F32", "`onecard drift` says of each change what the policy does tonight")
def test_the_evening_before(cards: World) -> None:
    for change in CHANGES[:3]:
        drifts(cards, change)
    with policy(cards, CARDS, missing="quarantine", widened="fail"):
        said = {c.field: (c.kind, c.policy, c.says) for c in look(cards.hub(), CARDS).changes}
    assert {name: found[:2] for name, found in said.items()} == {
        "ethnic": ("missing", "quarantine"),
        "person_name": ("widened", "fail"),
    }
    assert said["ethnic"][2].endswith("are quarantined")
    assert said["person_name"][2].endswith("fail the transfer")


@pytest.mark.fault("F32", "a row of a lost column that is replayed does not become NULL either")
def test_a_replay_of_a_lost_column(cards: World) -> None:
    drifts(cards, CHANGES[0])
    with policy(cards, CARDS, missing="quarantine", nullable="fail", new_code="fail"):
        cards.collect(CARDS, whole=True)
        with cards.hub_database() as connection:
            row = connection.execute("SELECT min(id) FROM quarantine.record").fetchone()
        assert not replay(cards.hub(), int(row[0]), "drift").done
        assert cards.reasons(CARDS) == {("ethnic", "missing")}


@pytest.fixture(scope="module")
def outbox(city: World) -> Pupils:
    return Pupils(city)


def without(name: str) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda row: {k: v for k, v in row.items() if k != name}


def with_(**cells: str) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda row: row | cells


FILES = pytest.mark.parametrize(
    ("kind", "edit", "reason"),
    [
        ("missing", without("XXBSM"), ("school_code", "missing")),
        ("missing", without("guardian_id18"), ("guardian_id18", "missing")),
        ("widened", with_(XM="长" * 60), ("person_name", "max_length")),
        ("type", with_(status_date="15/10/2026"), ("status_date", "type")),
        ("nullable", with_(XM=""), ("person_name", "required")),
        ("new_code", with_(stage="ZZ"), ("stage", "codes")),
    ],
    ids=["required", "optional", "widened", "type", "nullable", "new_code"],
)
Edit = Callable[[dict[str, str]], dict[str, str]]


@pytest.mark.fault("F32", "a CSV that changed: failed as a whole, or every row set aside")
@FILES
def test_a_csv(outbox: Pupils, kind: str, edit: Edit, reason: tuple[str, str]) -> None:
    city = outbox.city
    city.forget(PUPILS)
    outbox.write(lambda row: row)
    assert city.collect(PUPILS).quarantined == 0
    outbox.write(edit)
    with policy(city, PUPILS, **{kind: "fail"}):
        city.fails(PUPILS, SchemaMismatch, reason[0])
    with policy(city, PUPILS, **{kind: "quarantine"}):
        counts = city.collect(PUPILS)
    assert counts == Counts(len(outbox.rows), 0, 0, len(outbox.rows))
    found = city.reasons(PUPILS)
    assert reason in found
    assert {name for name, _ in found} == {reason[0]}


@pytest.mark.fault("F32", "an unknown column is refused whatever the policy says")
def test_an_unknown_column_may_be_personal(outbox: Pupils) -> None:
    outbox.write(with_(mother_name="x"))
    anything = dict.fromkeys(Drift.model_fields, "quarantine")
    with policy(outbox.city, PUPILS, **anything):
        outbox.city.fails(PUPILS, SchemaMismatch, "mother_name is not in the contract")
    outbox.write(lambda row: without("XM")(row) | {"student_name": "x"})
    with policy(outbox.city, PUPILS, **anything):
        outbox.city.fails(PUPILS, SchemaMismatch, "student_name is not in the contract")


@pytest.mark.fault("F32", "an API that leaves a required key out: fails, or its rows are set aside")
def test_an_api(city: World) -> None:
    file = next(city.stage.city.home.rglob("health_visit.sqlite"))
    field = next(
        f for f in city.hub().catalogue.contract(VISITS).fields if f.name == "fixmedins_code"
    )
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(f"UPDATE rows SET body = json_remove(body, '$.{field.native}')")
    city.fails(VISITS, SchemaMismatch, field.native)
    with policy(city, VISITS, missing="quarantine"):
        counts = city.collect(VISITS)
    assert counts.quarantined == counts.rows_read > 0
    assert (field.name, "required") in city.reasons(VISITS)


@pytest.mark.fault("F32", "a SQLite table that lost a column: every row is set aside")
def test_a_generic_database(city: World) -> None:
    contract = city.hub().catalogue.contract(ACCOUNTS)
    spare = next(f for f in reversed(contract.fields) if f.name not in (
        *contract.key, contract.source.cursor, contract.sequence))  # fmt: skip
    file = city.stage.city.home / "housing_fund.sqlite"
    with closing(sqlite3.connect(file)) as database, database:
        table = contract.source.options["table"]
        database.execute(f'ALTER TABLE "{table}" RENAME COLUMN "{spare.native}" TO "zz_other"')
    city.fails(ACCOUNTS, SchemaMismatch, spare.native)
    with policy(city, ACCOUNTS, missing="quarantine"):
        counts = city.collect(ACCOUNTS)
        (change,) = [c for c in look(city.hub(), ACCOUNTS).changes if c.kind != "new"]
    assert counts.quarantined == counts.rows_read > 0
    assert change.policy == "quarantine"
    assert (spare.name, "missing") in city.reasons(ACCOUNTS)
