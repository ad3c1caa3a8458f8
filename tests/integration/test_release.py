"""A held collect and the person who releases it: seen, published, on record; killed, raced, refused."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.base import failpoints
from onecard.base.interrupts import Interruption
from onecard.errors import (
    AuditFailed,
    ConfigError,
    HoldError,
    OnecardError,
    PolicyError,
    SupersededError,
)
from onecard.model.holds import Hold
from onecard.model.signoffs import SignOff
from onecard.model.transfers import Counts
from onecard.operations import attention
from onecard.operations.night_report import write_report
from onecard.operations.release import Released, release
from onecard.operations.reports import write_daily
from onecard.reconcile.dataset import reconcile
from onecard.store import (
    audit,
    database,
    datasets,
    holds,
    receipts,
    releases,
    transfer_history,
    transfers,
)
from schemas.models import catalogue
from tests import forked
from tests.cities import Cities
from tests.faults.harness import Harness

ECARDS, F08 = "hrss/ecard_binding", "f08-hrss-operator-ecard"
TABLE = "hrss.ac02_ecard"
PEOPLE = ("hrss/card_master", "health/death_notice")
REASON = "来函核实，口径调整"
HOW = SignOff("市人社局 张主任", REASON)


class City:
    """A stage on which the agency's table of e-cards can be changed and is put back."""

    def __init__(self, stage: Rehearsal) -> None:
        self.stage = stage
        contract = self.hub.catalogue.contract(ECARDS)
        self.time = contract.field("source_updated_at").native

    @property
    def hub(self) -> Hub:
        return self.stage.hub(0)

    def run(self, *statements: str) -> int:
        """What the agency does to its own table; returns the rows of the last statement."""
        with psycopg.connect(self.stage.city.postgres_url) as connection:
            return [connection.execute(s.encode()).rowcount for s in statements][-1]

    def halve(self) -> None:
        """Half of the rows are gone, and three of the rest have changed."""
        self.run(
            f"DELETE FROM {TABLE} WHERE ctid IN (SELECT ctid FROM {TABLE}"
            f" ORDER BY ctid OFFSET (SELECT count(*) / 2 FROM {TABLE}))",
            f'UPDATE {TABLE} SET source_seq = source_seq + 1, "{self.time}" = "{self.time}"'
            f" + interval '1 second' WHERE ctid IN (SELECT ctid FROM {TABLE} ORDER BY ctid LIMIT 3)",
        )

    def restore(self) -> None:
        self.run(f"TRUNCATE {TABLE}", f"INSERT INTO {TABLE} SELECT * FROM hrss.kept")

    def hold(self, *, whole: bool = True, match: str = "is held: shrinkage") -> int:
        """Collect until held; returns the transfer."""
        with pytest.raises(AuditFailed, match=match):
            self.hub.collect(ECARDS).run(whole=whole)
        return self.newest()

    def newest(self) -> int:
        return int(self.ask("SELECT max(id) FROM ledger.transfer WHERE subject = %s", ECARDS)[0][0])

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with database.connect(self.hub.address, autocommit=True) as connection:
            rows: list[tuple[Any, ...]] = connection.execute(statement.encode(), values).fetchall()
        return rows

    def release(self, transfer: object, how: SignOff = HOW) -> Released:
        return release(self.hub, str(transfer), how)

    def held(self) -> list[Hold]:
        with database.connect(self.hub.address, autocommit=True) as connection:
            return holds.holds(connection, self.hub.catalogue)

    def status(self, transfer: int) -> str:
        with database.connect(self.hub.address, autocommit=True) as connection:
            return transfers.status(connection, transfer)

    def onecard(self, *arguments: str) -> tuple[int, str]:
        done = forked.onecard(self.stage.at(0), *arguments)
        return done.returncode, done.stdout + done.stderr

    def sound(self) -> None:
        """The accounting identity, one receipt for each publishing, the audit log, no old staging."""
        with database.connect(self.hub.address, autocommit=True) as connection:
            for done in transfer_history.since(connection):
                if done.status == "published":
                    done.counts.check(done.subject)
                    assert receipts.load(connection, done.id), done.id
            left = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'staging' AND NOT EXISTS"
                " (SELECT FROM ledger.dataset WHERE tablename LIKE '%%' || '__' || claim || '%%')"
            ).fetchall()
            assert left == []
            hub = self.hub
            verdict = audit.verify_log(connection, hub.settings.home / "audit", hub.signer.holds)
        assert verdict.ok, verdict.problem


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[City]:
    home = tmp_path_factory.mktemp("release")
    with cities.start(home / "stage", persons=400, seed=5) as stage:
        city = City(stage)
        for dataset in (ECARDS, *PEOPLE):
            city.hub.collect(dataset).run()
        city.run(f"CREATE TABLE hrss.kept AS SELECT * FROM {TABLE}")
        yield city


@pytest.fixture
def city(made: City) -> Iterator[City]:
    """The e-cards as they were, collected; no earlier release says what is usual."""
    made.restore()
    made.ask("DELETE FROM ledger.release RETURNING 1")
    made.hub.collect(ECARDS).run(whole=True)
    yield made
    made.sound()


@pytest.mark.fault("F15", "what a person has released is published, with who and why on record")
def test_from_the_hold_to_the_consumer(city: City) -> None:
    city.halve()
    transfer = city.hold()
    command = f"onecard release {transfer} --by … --reason …"
    (hold,) = city.held()
    assert (hold.subject, hold.release, hold.findings) == (ECARDS, command, ("shrinkage",))

    code, said = city.onecard("status", "--json")
    (line,) = [x for x in json.loads(said)["attention"] if x["kind"] == "held"]
    assert (line["subject"], line["who"]) == (ECARDS, "hrss, with the engineer on duty")
    assert f"`{command}` publishes it" in line["todo"]
    pages = [write_report(city.hub), *write_daily(city.hub, city.hub.settings.now().date())]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        shown = page.parent.name in ("reports", "hrss", "bureau")
        assert (command in text) is shown, page

    code, said = city.onecard("release", str(transfer), "--by", HOW.by, "--reason", REASON)
    assert code == 0, said
    assert "published 3, unchanged" in said
    assert REASON not in said
    assert city.held() == []
    assert city.status(transfer) == "published"
    assert city.hub.deliver(F08).run().rows > 0

    with database.connect(city.hub.address, autocommit=True) as connection:
        receipt = receipts.load(connection, transfer)
        assert receipt
        content = json.loads(receipt.body)
        assert city.hub.signer.verify(
            receipt.suite, receipt.key_epoch, receipt.body.encode(), receipt.signature
        )
    (said_of,) = content["released"]
    assert (said_of["finding"], said_of["by"], said_of["reason"]) == ("shrinkage", HOW.by, REASON)
    entries = city.ask(
        "SELECT actor, body FROM ledger.audit WHERE kind = 'collect.released' AND subject = %s"
        " ORDER BY seq DESC LIMIT 1",
        ECARDS,
    )
    assert entries[0][0] == HOW.by
    assert str(transfer) in str(entries[0][1])
    for page in (write_report(city.hub), *write_daily(city.hub, city.hub.settings.now().date())):
        text = page.read_text(encoding="utf-8")
        assert "onecard release" not in text
        assert REASON not in text


def test_a_release_says_what_is_usual_from_then_on(city: City) -> None:
    city.halve()
    city.release(city.hold())
    city.hub.collect(ECARDS).run(whole=True)  # no more halved than the last time
    city.run(f"TRUNCATE {TABLE}")
    emptied = city.hold(whole=False)
    assert city.release(emptied).collected
    assert city.hub.collect(ECARDS).run().counts == Counts()  # as empty as it was released
    city.restore()
    assert city.hub.collect(ECARDS).run(whole=True).counts.rows_read > 0


def test_released_twice_is_released_once(city: City) -> None:
    city.halve()
    transfer = city.hold()
    first = city.release(transfer)
    again = city.release(transfer, SignOff("somebody else", "another reason"))
    assert (first.already, again.already) == (False, True)
    assert again.collected
    assert first.collected
    assert again.collected.counts == first.collected.counts
    with database.connect(city.hub.address, autocommit=True) as connection:
        assert [r.by for r in releases.of(connection, transfer)] == [HOW.by]
    # What a scheduler does when the failed task is cleared: both steps find it published.
    city.hub.collect(ECARDS).audit(transfer)
    assert city.hub.collect(ECARDS).publish(transfer).counts == first.collected.counts


def test_a_newer_transfer_takes_the_hold_over(city: City) -> None:
    city.halve()
    older, newer = city.hold(), city.hold()
    assert [h.number for h in city.held()] == [newer]
    words = rf"{older} was overtaken by {newer}; nothing published; {newer} is held: `onecard rel"
    with pytest.raises(SupersededError, match=words):
        city.release(older)
    with database.connect(city.hub.address, autocommit=True) as connection:
        assert releases.of(connection, older) == []
    assert city.release(ECARDS).transfer == newer  # by its dataset: whatever is held now
    with pytest.raises(SupersededError, match=f"{newer} is published"):
        city.release(older)


def test_a_newer_transfer_in_the_middle_of_a_release(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    city.halve()
    transfer = city.hold()
    from onecard.base import failpoints

    def night(point: str) -> None:
        if point == "release.recorded":
            monkeypatch.undo()
            city.hold()

    monkeypatch.setattr(failpoints, "reach", night)
    with pytest.raises(SupersededError, match=f"{transfer} was overtaken by"):
        city.release(transfer)
    assert city.status(transfer) == "failed"
    assert [h.released for h in city.held()] == [False]


def test_what_nobody_can_release(city: City) -> None:
    collect = city.hub.collect(ECARDS)
    transfer = collect.stage(whole=True)
    staged = f'staging."hrss__ecard_binding__{transfer}"'
    published = city.ask("SELECT to_jsonb(t) FROM registry.hrss__ecard_binding t LIMIT 1")[0][0]
    with database.connect(city.hub.address, autocommit=True) as connection:
        keys = connection.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'p'",
            (staged,),
        ).fetchall()
        for (name,) in keys:
            connection.execute(f'ALTER TABLE {staged} DROP CONSTRAINT "{name}"'.encode())
        for _ in range(2):
            connection.execute(
                f"INSERT INTO {staged} SELECT * FROM jsonb_populate_record(NULL::{staged}, %s)".encode(),
                (json.dumps(published),),
            )
    with pytest.raises(AuditFailed, match="nobody can release key_unique; mend the source"):
        collect.audit(transfer)
    with pytest.raises(
        PolicyError,
        match="key_unique, which nobody can release; what a person can release here: shrinkage",
    ):
        city.release(transfer)
    (hold,) = city.held()
    assert not hold.releasable
    assert "release" not in hold.todo
    with database.connect(city.hub.address, autocommit=True) as connection:
        releases.record(connection, transfer, ["key_unique"], "x", "forced")
    with pytest.raises(AuditFailed, match="key_unique"):  # not even if it stood in the ledger
        collect.audit(transfer)
    page = write_report(city.hub).read_text(encoding="utf-8")
    assert "不可放行" in page
    assert f"onecard release {transfer}" not in page


@pytest.mark.parametrize(
    ("wanted", "reason", "words"),
    [
        ("999999", REASON, "no transfer '999999'"),
        ("no/dataset", REASON, "no transfer 'no/dataset'"),
        (ECARDS, REASON, "is published; only what is held can be released"),
        (ECARDS, "经 410199194901010014 本人核实", r"holds personal data \(id_number\)"),
        (ECARDS, " ", "the reason is empty"),
    ],
)
def test_what_is_not_held_is_not_released(city: City, wanted: str, reason: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        city.release(wanted, SignOff("x", reason))
    assert "410199194901010014" not in str(caught.value)


def test_another_failure_holds_again(city: City, tmp_path: Path) -> None:
    """Only what was on record as failed is released: here the contract asks for more meanwhile."""
    city.halve()
    transfer = city.hold()
    schemas = tmp_path / "schemas"
    shutil.copytree(catalogue.ROOT, schemas)
    file = schemas / "contracts" / "hrss" / "ecard_binding.odcs.yaml"
    text = file.read_text(encoding="utf-8")
    place = text.index("- name: volume")
    more = text[place:].replace("severity: warning", "severity: critical", 1)
    more = more.replace("max_ratio: 50.0", "max_ratio: 1.0").replace(
        "min_ratio: 0.0", "min_ratio: 0.9"
    )
    file.write_text(text[:place] + more, encoding="utf-8")
    city.stage.environment["ONECARD_SCHEMAS"] = str(schemas)
    try:
        with pytest.raises(AuditFailed, match="is held: volume"):
            city.release(transfer)
        (hold,) = city.held()
        assert (hold.number, hold.findings, hold.released) == (transfer, ("volume",), False)
        done = city.release(transfer, SignOff("李科长", "也核实过"))
        assert done.collected
        assert city.status(transfer) == "published"
    finally:
        del city.stage.environment["ONECARD_SCHEMAS"]
    with database.connect(city.hub.address, autocommit=True) as connection:
        receipt = receipts.load(connection, transfer)
        assert receipt
    said = {r["finding"]: r["by"] for r in json.loads(receipt.body)["released"]}
    assert said == {"shrinkage": HOW.by, "volume": "李科长"}


@pytest.mark.fault(
    "F15", "a held reconciliation is told with its command; an empty source has none"
)
def test_a_held_reconciliation_is_told(city: City) -> None:
    city.run(f"DELETE FROM {TABLE} WHERE ctid NOT IN (SELECT ctid FROM {TABLE} LIMIT 10)")
    with pytest.raises(HoldError, match="onecard reconcile"):
        reconcile(city.hub, ECARDS).check()
    (hold,) = city.held()
    assert hold.release == f"onecard reconcile {ECARDS} --release --by … --reason …"
    with database.connect(city.hub.address, autocommit=True) as connection:
        found = [t for t in attention.issues(connection, city.hub) if t.kind == "held"]
    assert [t.subject for t in found] == [f"reconciliation {ECARDS}"]
    assert all(hold.release in page.read_text(encoding="utf-8") for page in reported(city))
    city.run(f"TRUNCATE {TABLE}")
    with pytest.raises(HoldError):
        reconcile(city.hub, ECARDS).check()
    (hold,) = city.held()
    assert not hold.releasable
    assert not any("--release" in page.read_text(encoding="utf-8") for page in reported(city))
    city.restore()
    reconcile(city.hub, ECARDS).check()
    assert city.held() == []


def reported(city: City) -> list[Path]:
    """The night's page, and the agency's of the day in both languages."""
    day = city.hub.settings.now().date()
    return [write_report(city.hub), *write_daily(city.hub, day, ["hrss"])]


# --- killed in the middle


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Harness]:
    """A hub with one held collect, to be cloned for each case; its anchor lies beside it."""
    home = tmp_path_factory.mktemp("killed") / "stage"
    with cities.start(home, persons=300, seed=5) as stage:
        city = City(stage)
        city.hub.collect(ECARDS).run()
        city.halve()
        city.hold()
        shutil.copytree(home / "audit", home / "audit-of-the-hold")
        with Harness.of(stage) as found:
            yield found


def outcome(harness: Harness) -> dict[str, object]:
    """What a release leaves, without times."""
    with database.connect(harness.address, autocommit=True) as connection:
        (transfer,) = [t for t in transfer_history.since(connection) if t.id == 2]
        transfer.counts.check(ECARDS)
        rows = connection.execute(
            "SELECT count(*), md5(string_agg((to_jsonb(t))::text, '|' ORDER BY to_jsonb(t)::text))"
            " FROM registry.hrss__ecard_binding t"
        ).fetchone()
        hub = harness.hub()
        verdict = audit.verify_log(connection, hub.settings.home / "audit", hub.signer.holds)
        assert verdict.ok, verdict.problem
        kinds = connection.execute("SELECT kind FROM ledger.audit ORDER BY seq").fetchall()
        receipt = receipts.load(connection, 2)
        assert receipt
        left = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'staging'")
        return {
            "status": transfer.status,
            "counts": transfer.counts,
            "rows": rows,
            "state": datasets.state(connection, ECARDS),
            "kinds": [str(kind) for (kind,) in kinds],
            "released": [(r.finding, r.by, r.reason) for r in releases.of(connection, 2)],
            "vouched": [r["by"] for r in json.loads(receipt.body)["released"]],
            "staging": left.fetchone(),
        }


@contextmanager
def held_again(harness: Harness) -> Iterator[None]:
    harness.fresh()
    home = harness.stage.home
    shutil.copytree(home / "audit-of-the-hold", home / "audit")
    yield


@pytest.fixture(scope="module")
def undisturbed(harness: Harness) -> dict[str, object]:
    with held_again(harness):
        assert harness.release(2) == 0, harness.report.read_text()
        found = outcome(harness)
    assert found["status"] == "published"
    return found


@pytest.mark.case("people-15", "a release that is interrupted: the same release again publishes")
@pytest.mark.parametrize(
    ("point", "status"), [("audit.found", "held"), ("publish.merged", "audited")]
)
def test_interrupted_in_a_release(
    city: City, monkeypatch: pytest.MonkeyPatch, point: str, status: str
) -> None:
    def arrives(reached: str) -> None:
        if reached == point:
            raise Interruption(signal.SIGINT)

    city.halve()
    transfer = city.hold()
    with monkeypatch.context() as patches:
        patches.setattr(failpoints, "reach", arrives)
        with pytest.raises(Interruption):
            city.release(transfer)
    assert city.status(transfer) == status
    assert city.release(transfer).collected is not None
    assert city.status(transfer) == "published"


@pytest.mark.fault("F01", "a release killed at any point: the same release again ends the same")
@pytest.mark.parametrize(
    "point",
    [
        *("release.recorded", "log.before_append", "log.after_append", "audit.found"),
        *("audit.recorded", "publish.locked", "publish.merged", "publish.before_commit"),
        *("receipt.issued", "publish.after_commit", "anchor.signed"),
    ],
)
def test_killed_in_a_release(harness: Harness, undisturbed: dict[str, object], point: str) -> None:
    with held_again(harness):
        assert harness.release(2, ONECARD_KILL_AT=point) == -signal.SIGKILL
        hub = harness.hub()
        with database.connect(hub.address, autocommit=True) as connection:
            published = transfers.status(connection, 2) == "published"
            found = holds.holds(connection, hub.catalogue)
        assert [h.number for h in found] == ([] if published else [2]), "told until it is done"
        assert harness.release(2) == 0, harness.report.read_text()
        assert outcome(harness) == undisturbed


def test_two_persons_release_at_once(harness: Harness, undisturbed: dict[str, object]) -> None:
    with held_again(harness):
        both = [harness.start_release(2) for _ in range(2)]
        for process in both:
            process.join(forked.LIMIT_S)
        assert [p.exitcode for p in both] == [0, 0], harness.report.read_text()
        assert outcome(harness) == undisturbed


# --- any order of events

STEPS = ("collect", "whole", "halve", "empty", "restore", "release", "release_first", "by_dataset")


@given(st.lists(st.sampled_from(STEPS), min_size=3, max_size=9))
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_in_any_order_nothing_is_lost(made: City, steps: list[str]) -> None:
    made.restore()
    first = made.newest() + 1
    for step in ("halve", "whole", *steps):
        _step(made, step, first)
        made.sound()
    with database.connect(made.hub.address, autocommit=True) as connection:
        state = datasets.state(connection, ECARDS)
        rows = made.ask("SELECT count(*), max(_version) FROM registry.hrss__ecard_binding")[0]
    assert rows[0] >= made.run("SELECT FROM hrss.kept") * 0.5, "no reading takes a row away"
    assert rows[1] <= state.version


def _step(city: City, step: str, first: int) -> None:
    if step in ("halve", "restore"):
        getattr(city, step)()
        return
    if step == "empty":
        city.run(f"TRUNCATE {TABLE}")
        return
    wanted = {"release": city.newest(), "release_first": first, "by_dataset": ECARDS}
    try:
        if step in wanted:
            city.release(wanted[step])
        else:
            city.hub.collect(ECARDS).run(whole=step == "whole")
    except (HoldError, ConfigError, SupersededError) as error:
        assert isinstance(error, OnecardError)
        assert str(city.newest()) in str(error) or str(first) in str(error)
