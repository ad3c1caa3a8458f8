"""Reconciliation on real systems: what is planted is found, and what is found is healed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from demo.rehearsal import Rehearsal, start
from onecard.app.wiring import Hub
from onecard.base.sql_text import query
from onecard.errors import ConfigError, HoldError, NotCollected
from onecard.model.reconciliations import ReconciliationResult
from onecard.model.signoffs import SignOff
from onecard.ports.sql_side import SqlSide
from onecard.reconcile.buckets import compare
from onecard.reconcile.dataset import ReconcileOptions, reconcile
from onecard.store import database
from tests.cities import Cities
from tests.conftest import listening

CARDS = "hrss/card_master"
HOW = SignOff("市人社局 张主任", "the old cards were archived")
COUNTS = ("missing", "extra", "differing", "healed", "tombstoned", "held")


def counts(done: ReconciliationResult) -> dict[str, int]:
    """What is not nought."""
    return {name: getattr(done, name) for name in COUNTS if getattr(done, name)}


@dataclass
class Cards:
    """The card master of an agency's PostgreSQL, after its first collect."""

    hub: Hub
    stage: Rehearsal

    def run(self, statement: str, *values: object) -> int:
        """Change the source behind the watermark; returns the rows changed."""
        with psycopg.connect(self.stage.city.postgres_url) as connection:
            return connection.execute(statement.encode(), values).rowcount

    def held(self) -> list[str]:
        """Card numbers that are published, oldest update first."""
        return [
            str(row[0])
            for row in self.ask(
                "SELECT card_no FROM registry.hrss__card_master WHERE _deleted_at IS NULL"
                " ORDER BY source_updated_at, card_no"
            )
        ]

    def ask(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with database.connect(self.hub.address, autocommit=True) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def reconcile(self, **wish: object) -> ReconciliationResult:
        return reconcile(self.hub, CARDS, ReconcileOptions(**wish))  # type: ignore[arg-type]


@pytest.fixture
def cards(stage: Rehearsal) -> Iterator[Cards]:
    """Collected once; but for one card, nothing is newer than days before the watermark."""
    found = Cards(stage.hub(0), stage)
    found.run("UPDATE hrss.ac01_card SET source_updated_at = source_updated_at - interval '3 days'")
    found.hub.collect(CARDS).run()
    newest = found.held()[-1]
    found.run(
        'UPDATE hrss.ac01_card SET source_updated_at = %s WHERE "AAZ500" = %s',
        found.hub.settings.now(),
        newest,
    )
    found.hub.collect(CARDS).run()
    yield found


def test_what_was_just_collected_agrees_and_quarantined_rows_are_not_missing(cards: Cards) -> None:
    (rejected,) = cards.ask("SELECT count(*) FROM quarantine.record WHERE status = 'held'")[0]
    assert int(str(rejected)) > 0
    done = cards.reconcile()
    assert (done.method, done.outcome, counts(done)) == ("sql", "agreed", {})
    assert done.rows_other > done.rows_hub > 1_000
    assert done.quarantined > 0


def test_a_late_commit_behind_the_watermark_is_found_and_healed(cards: Cards) -> None:
    card = cards.held()[0]
    with database.connect(cards.hub.address, autocommit=True) as connection:
        connection.execute("DELETE FROM registry.hrss__card_master WHERE card_no = %s", (card,))
    assert cards.hub.collect(CARDS).run().counts.published == 0
    first = cards.reconcile(heal=False)
    assert (first.outcome, counts(first)) == ("open", {"missing": 1})
    assert len(first.refs["missing"]) == 1
    assert card not in str(first)
    second = cards.reconcile()
    assert (second.outcome, counts(second)) == ("healed", {"missing": 1, "healed": 1})
    assert card in cards.held()
    assert cards.reconcile().outcome == "agreed"


def test_a_row_changed_without_a_new_cursor_is_found_and_healed(cards: Cards) -> None:
    card = cards.held()[5]
    cards.run('UPDATE hrss.ac01_card SET "AAC067" = NULL WHERE "AAZ500" = %s', card)
    assert cards.hub.collect(CARDS).run().counts.published == 0
    done = cards.reconcile()
    assert counts(done) == {"differing": 1, "healed": 1}
    (row,) = cards.ask("SELECT mobile FROM registry.hrss__card_master WHERE card_no = %s", card)
    assert row == (None,)
    assert cards.reconcile().outcome == "agreed"


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (("a", None, "b"), ("a", "", "b")),
        (("a", None, "b"), ("a", "b", None)),
        (("a", "bc", "d"), ("a", "b", "cd")),
        (("a", "b,c", "d"), ("a", "b", "c,d")),
        (("a", "b", "c"), ("a", "c", "b")),
    ],
)
def test_checksums_separate_values_unambiguously(
    private_database: str, here: tuple[str | None, ...], there: tuple[str | None, ...]
) -> None:
    sides = []
    with ExitStack() as stack:
        for name, row in (("here", here), ("there", there), ("twin", here)):
            connection = stack.enter_context(psycopg.connect(private_database))
            table = sql.Identifier(name)
            connection.execute(query("CREATE TABLE {t} (k text, v text, w text)", t=table))
            connection.execute(query("INSERT INTO {t} VALUES (%s, %s, %s)", t=table), row)
            values = {c: query("{c}", c=sql.Identifier(c)) for c in ("k", "v", "w")}
            sides.append(SqlSide(connection, table, values, ("k",), sql.SQL("true")))
        assert compare(sides[0], sides[1], bits=4).differing == {("a",)}
        assert not compare(sides[0], sides[2], bits=4).keys


@pytest.mark.fault("F21", "a row is deleted at the source; the second look publishes a tombstone")
def test_a_hard_delete_is_published_after_the_second_look(cards: Cards) -> None:
    card = cards.held()[3]
    cards.run('DELETE FROM hrss.ac01_card WHERE "AAZ500" = %s', card)
    first = cards.reconcile()
    assert (first.outcome, counts(first)) == ("open", {"extra": 1})
    assert card in cards.held()
    (version,) = cards.ask("SELECT version FROM ledger.dataset WHERE dataset = %s", CARDS)[0]
    second = cards.reconcile()
    assert (second.outcome, counts(second)) == ("healed", {"extra": 1, "tombstoned": 1})
    assert card not in cards.held()
    row = cards.ask(
        "SELECT _deleted_at, _version FROM registry.hrss__card_master WHERE card_no = %s", card
    )[0]
    assert row == (cards.hub.settings.now(), int(str(version)) + 1)
    assert cards.reconcile().outcome == "agreed"


def test_a_row_that_comes_back_is_not_deleted_and_its_absence_starts_anew(cards: Cards) -> None:
    card = cards.held()[3]
    cards.run('CREATE TABLE public.kept AS SELECT * FROM hrss.ac01_card WHERE "AAZ500" = %s', card)
    gone = 'DELETE FROM hrss.ac01_card WHERE "AAZ500" = %s'
    cards.run(gone, card)
    assert counts(cards.reconcile()) == {"extra": 1}
    cards.run("INSERT INTO hrss.ac01_card SELECT * FROM public.kept")
    assert cards.reconcile().outcome == "agreed"
    cards.run(gone, card)
    assert counts(cards.reconcile()) == {"extra": 1}
    assert card in cards.held()


@pytest.mark.parametrize("share", ["0.5", "1.0"])
def test_a_half_empty_source_deletes_nothing(cards: Cards, share: str) -> None:
    before = cards.held()
    cards.run(
        "DELETE FROM hrss.ac01_card WHERE ctid IN (SELECT ctid FROM hrss.ac01_card"
        ' ORDER BY "AAZ500" LIMIT (SELECT %s::float * count(*) FROM hrss.ac01_card))',
        share,
    )
    for _ in range(3):
        done = cards.reconcile()
        assert done.outcome == "held"
        assert done.held == done.extra > len(before) * 0.4
        with pytest.raises(HoldError, match="none was deleted"):
            done.check()
    assert cards.held() == before
    outcomes = cards.ask("SELECT kind FROM ledger.audit WHERE kind LIKE 'reconcile.%%'")
    assert outcomes == [("reconcile.held",)] * 3


def test_a_person_may_release_what_is_held_but_never_an_empty_source(cards: Cards) -> None:
    half = "DELETE FROM hrss.ac01_card WHERE right(\"AAZ500\", 1) < '5'"
    cards.run(half)
    assert cards.reconcile().outcome == "held"
    done = cards.reconcile(release=HOW)
    assert done.tombstoned == done.extra > 100
    newest = "SELECT body FROM ledger.audit WHERE kind = 'reconcile.healed' ORDER BY seq DESC"
    body = cards.ask(newest)[0][0]
    kept = json.loads(str(body))
    assert (kept["released_by"], kept["reason"]) == (HOW.by, HOW.reason)
    assert cards.reconcile().outcome == "agreed"
    left = cards.held()
    cards.run("DELETE FROM hrss.ac01_card")
    cards.reconcile()
    assert cards.reconcile(release=HOW).outcome == "held"
    assert cards.held() == left


def test_what_the_next_collect_reads_anyway_is_waiting_not_missing(cards: Cards) -> None:
    card = cards.held()[9]
    later = cards.hub.settings.now() + timedelta(minutes=1)
    cards.run(
        "UPDATE hrss.ac01_card SET source_updated_at = %s, source_seq = source_seq + 1"
        ' WHERE "AAZ500" = %s',
        later,
        card,
    )
    done = cards.reconcile()
    assert (done.outcome, done.waiting, counts(done)) == ("agreed", 1, {})


def test_since_compares_only_newer_rows_and_judges_no_absence(cards: Cards) -> None:
    rows = cards.ask(
        "SELECT percentile_disc(0.9) WITHIN GROUP (ORDER BY source_updated_at)"
        " FROM registry.hrss__card_master"
    )
    since = rows[0][0]
    assert isinstance(since, datetime)
    cards.run("DELETE FROM hrss.ac01_card WHERE source_updated_at >= %s", since)
    done = cards.reconcile(since=since)
    assert done.rows_other == 0
    assert 0 < done.rows_hub < len(cards.held())
    assert counts(done) == {}
    with pytest.raises(ConfigError, match="needs a cursor"):
        stage_hub = cards.hub
        stage_hub.collect("education/edu_enrolment").run()
        reconcile(stage_hub, "education/edu_enrolment", ReconcileOptions(since=since))


def test_nothing_published_is_said(stage: Rehearsal) -> None:
    with pytest.raises(NotCollected, match="nothing is published yet"):
        reconcile(stage.hub(0), CARDS)


STREAMED = {
    "rest": "health/health_visit",
    "files": "education/edu_enrolment",
    "lite": "housing_fund/hf_account",
}


@pytest.mark.parametrize("dataset", STREAMED.values(), ids=STREAMED)
def test_by_streaming_planted_differences_are_found_and_healed(
    stage: Rehearsal, dataset: str
) -> None:
    hub = stage.hub(0)
    hub.collect(dataset).run()
    contract = hub.catalogue.contract(dataset)
    table, key = sql.Identifier("registry", contract.table), sql.Identifier(contract.key[0])
    with database.connect(hub.address, autocommit=True) as connection:
        connection.execute(
            "UPDATE ledger.dataset SET checkpoint = jsonb_set(checkpoint, '{cursor}', %s)"
            " WHERE dataset = %s",
            (f'"{(hub.settings.now() + timedelta(days=1)).isoformat()}"', dataset),
        )
        agreed = reconcile(hub, dataset)
        assert (agreed.method, agreed.outcome, counts(agreed)) == ("stream", "agreed", {})
        place = query("SELECT min({k}) FROM {t}", k=key, t=table)
        (lost,) = connection.execute(place).fetchone() or (None,)
        connection.execute(query("DELETE FROM {t} WHERE {k} = %s", t=table, k=key), (lost,))
        (spoilt,) = connection.execute(place).fetchone() or (None,)
        column = next(f for f in contract.fields if f.type == "string" and f.key_position is None)
        connection.execute(
            query(
                "UPDATE {t} SET {c} = 'x', _row_hash = 0 WHERE {k} = %s",
                t=table,
                c=sql.Identifier(column.name),
                k=key,
            ),
            (spoilt,),
        )
    done = reconcile(hub, dataset)
    assert done.missing >= 1
    assert done.differing >= 1
    assert (done.outcome, done.healed) == ("healed", done.missing + done.differing)
    assert reconcile(hub, dataset).outcome == "agreed"


ACCOUNTS, TABLE = "housing_fund/hf_account", "gr_account"


@pytest.fixture
def maria(
    tmp_path: Path, cities: Cities, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Hub, Engine]]:
    """A city whose housing fund keeps its accounts in a MariaDB, after their first collect.

    It is made anew: the templates' housing funds keep theirs in SQLite.
    """
    server = make_url(os.environ.get("ONECARD_TEST_MARIADB", "mysql://root@127.0.0.1:3306/test"))
    if not listening(server.port or 3306):
        pytest.skip("MariaDB is not running on 127.0.0.1:3306 (ONECARD_TEST_MARIADB)")
    name = f"t_{os.urandom(5).hex()}"
    root = create_engine(server.set(drivername="mysql+pymysql"))
    with root.begin() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    url = server.set(drivername="mysql+pymysql", database=name)
    monkeypatch.setenv("ONECARD_DEMO_MARIADB", url.render_as_string(hide_password=False))
    source = create_engine(url)
    home = tmp_path / "stage"
    with start(home, persons=400, seed=23, postgres=cities.server) as stage:
        hub = stage.hub(0)
        hub.collect(ACCOUNTS).run()
        with database.connect(hub.address, autocommit=True) as connection:
            connection.execute(
                "UPDATE ledger.dataset SET checkpoint = jsonb_set(checkpoint, '{cursor}', %s)",
                (f'"{(hub.settings.now() + timedelta(days=1)).isoformat()}"',),
            )
        yield hub, source
    source.dispose()
    with root.begin() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name}")
    root.dispose()


def test_a_mariadb_source_is_streamed_and_what_is_planted_is_healed(
    maria: tuple[Hub, Engine],
) -> None:
    hub, source = maria
    agreed = reconcile(hub, ACCOUNTS)
    assert (agreed.method, agreed.outcome, counts(agreed)) == ("stream", "agreed", {})
    with database.connect(hub.address, autocommit=True) as connection:
        keys = [
            str(row[0])
            for row in connection.execute(
                "SELECT grzh FROM registry.housing_fund__hf_account ORDER BY grzh"
            ).fetchall()
        ]
        assert len(keys) > 10
        connection.execute(  # a row that committed behind the watermark
            "DELETE FROM registry.housing_fund__hf_account WHERE grzh = %s", (keys[0],)
        )
    with source.begin() as theirs:
        theirs.execute(
            text(f"UPDATE {TABLE} SET XingMing = '王𠮷' WHERE GRZH = :key"), {"key": keys[1]}
        )
        theirs.execute(text(f"DELETE FROM {TABLE} WHERE GRZH = :key"), {"key": keys[2]})
    first = reconcile(hub, ACCOUNTS)
    assert (first.method, counts(first)) == (
        "stream",
        {"missing": 1, "differing": 1, "extra": 1, "healed": 2},
    )
    with database.connect(hub.address, autocommit=True) as connection:
        found = connection.execute(
            "SELECT grzh, person_name = '王𠮷', _deleted_at IS NULL"
            " FROM registry.housing_fund__hf_account WHERE grzh = ANY(%s) ORDER BY grzh",
            (keys[:3],),
        ).fetchall()
    assert found == [(keys[0], False, True), (keys[1], True, True), (keys[2], False, True)]
    second = reconcile(hub, ACCOUNTS)
    assert (second.outcome, counts(second)) == ("healed", {"extra": 1, "tombstoned": 1})
    assert reconcile(hub, ACCOUNTS).outcome == "agreed"
