"""`onecard status`: every kind of issue provoked on a real hub, seen, and gone when mended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.errors import OnecardError
from onecard.model.tickets import NewTicket
from onecard.observe.exposition import exposition
from onecard.operations import attention
from onecard.operations.attention import Issue
from onecard.store import (
    agreement_lives,
    database,
    releases,
    tickets,
    transfer_history,
    transfers,
)
from tests import forked
from tests.cities import Cities

CARDS, F02 = "hrss/card_master", "f02-hrss-medical_insurance-card-status"


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Rehearsal]:
    home = tmp_path_factory.mktemp("status")
    with cities.start(home / "stage", persons=300, seed=5) as found:
        yield found


def issues(hub: Hub, kind: str) -> dict[str, Issue]:
    with database.connect(hub.address, autocommit=True) as connection:
        return {t.subject: t for t in attention.issues(connection, hub) if t.kind == kind}


def test_figures_for_prometheus(stage: Rehearsal) -> None:
    hub = stage.hub(0)
    counts = hub.collect(CARDS).run().counts
    broken(hub, "health/death_notice")
    with database.connect(hub.address, autocommit=True) as connection:
        transfers, found = transfer_history.latest(connection), attention.issues(connection, hub)
    text = exposition(transfers, found)
    samples = {
        (s.name, *sorted(s.labels.values())): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }
    for name in type(counts).__slots__:
        rows = samples["onecard_transfer_rows", *sorted(("collect", CARDS, name))]
        assert rows == getattr(counts, name)
    assert samples["onecard_transfer_status", "collect", CARDS, "published"] == 1
    assert samples["onecard_transfer_status", "collect", "failed", "health/death_notice"] == 1
    assert samples["onecard_attention", "failing"] == 1
    assert samples["onecard_attention", "held"] == 0
    assert samples["onecard_attention", "late"] == len(hub.catalogue.contracts) - 1


def broken(hub: Hub, dataset: str) -> None:
    """A collect that fails for real: the connection is unknown."""

    class Nowhere:
        def get(self, connection_id: str) -> None:
            msg = f"unknown connection {connection_id}"
            raise OnecardError(msg)

    hub.connections = Nowhere()  # type: ignore[assignment]
    with pytest.raises(OnecardError):
        hub.collect(dataset).run()


def test_late_is_told_by_the_hubs_clock(stage: Rehearsal) -> None:
    assert issues(stage.hub(0), "late")[CARDS].says == "never published"
    stage.hub(0).collect(CARDS).run()
    assert CARDS not in issues(stage.hub(0), "late")
    late = issues(stage.hub(3), "late")[CARDS]
    assert late.since == stage.hub(0).settings.now() + timedelta(hours=24)
    assert "3 d 0 h ago" in late.says
    assert f"onecard collect {CARDS}" in late.todo


def test_failures_are_counted_in_a_row_and_end_with_a_success(stage: Rehearsal) -> None:
    for _ in range(3):
        broken(stage.hub(0), CARDS)
    found = issues(stage.hub(0), "failing")[CARDS]
    assert (found.times, found.says.startswith("3 time(s) in a row: ")) == (3, True)
    stage.hub(0).collect(CARDS).run()
    assert CARDS not in issues(stage.hub(0), "failing")
    broken(stage.hub(0), CARDS)
    assert issues(stage.hub(0), "failing")[CARDS].times == 1


def test_a_held_delivery_names_who_and_how(stage: Rehearsal) -> None:
    hub = stage.hub(0)
    with database.connect(hub.address, autocommit=True) as connection:
        transfer = transfers.open_transfer(connection, "deliver", F02, "1.0.0", hub.settings.now())
        transfers.record_end(connection, transfer, "held", "too many")
    held = issues(hub, "held")[F02]
    assert held.who == hub.catalogue.agreement(F02).responsible
    assert f"`onecard release {transfer} --by … --reason …`" in held.todo
    with database.connect(hub.address, autocommit=True) as connection:
        assert releases.record(connection, transfer, [""], "official", "checked") == [""]
    assert issues(hub, "held")[F02].todo.startswith("released;")


def test_unapproved_and_expiring(stage: Rehearsal) -> None:
    hub = stage.hub(0)
    assert issues(hub, "unapproved") == {}
    with database.connect(hub.address, autocommit=True) as connection:
        agreement = hub.catalogue.agreement(F02)
        changed = agreement.model_copy(update={"title": "别的"})
        hub.catalogue.agreements[F02] = changed  # type: ignore[index]
        assert agreement_lives.life(connection, changed, hub.settings.now().date()).changed
    assert issues(hub, "unapproved")[F02].says == "changed since its approval"

    hub.collect(CARDS).run()
    with database.connect(hub.address, autocommit=True) as connection:
        number = connection.execute(
            "UPDATE quarantine.record SET expires_at = %s",
            (hub.settings.now() + timedelta(days=2),),
        ).rowcount
    assert number
    assert issues(hub, "expiring")[CARDS].times == number


def test_an_overdue_challenge_is_told_from_the_day_after(stage: Rehearsal) -> None:
    hub = stage.hub(0)
    today = hub.settings.now()
    with database.connect(hub.address, autocommit=True) as connection:
        new = NewTicket(
            agency="hrss",
            opened_for="health",
            opened_by="t",
            kind="finding",
            dataset=CARDS,
            statement="卡状态分布异常",
            opened_at=today,
            due_on=today.date(),
            rule="freshness",
        )
        ticket = tickets.open_ticket(connection, new)
    assert issues(hub, "overdue") == {}
    found = issues(stage.hub(1), "overdue")[f"ticket {ticket}"]
    assert (found.who, f"challenge answer {ticket}" in found.todo) == ("hrss", True)


@pytest.mark.case("people-8", "a key each: what needs a person, how fast events are, transfers")
def test_the_command_and_its_json(stage: Rehearsal) -> None:
    stage.hub(0).collect(CARDS).run()

    def run(day: int, *options: str) -> str:
        done = forked.onecard(stage.at(day), "status", *options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = json.loads(run(3, "--json"))
    assert list(said) == ["attention", "reaction", "calls", "transfers"]
    (cards,) = [x for x in said["transfers"] if x["subject"] == CARDS]
    assert cards["direction"] == "collect"
    assert (cards["status"], cards["attention"]) == ("published", ["late"])
    assert cards["rows_read"] > 0
    assert {"late"} == {x["kind"] for x in said["attention"]}
    page = run(3)
    assert "needs a person" in page
    assert "newest transfers" in page
