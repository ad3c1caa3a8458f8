"""A night's events, timed a second way: by what the consumers' own inboxes hold and by receipts."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from demo import inbox
from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.model.reaction import QUANTILES, Breach, ReactionTimes
from onecard.store import database, reaction
from tests import forked
from tests.cities import Cities

DATASETS = (
    *("education/edu_enrolment", "health/death_notice", "housing_fund/hf_account"),
    *("hrss/card_master", "hrss/card_status_event"),
)
BY_HTTP = {
    "f02-hrss-medical_insurance-card-status": "medical_insurance_api",
    "f03-hrss-health-card-status": "health_api",
    "f05-hrss-bank-card-event": "bank_api",
    "f07-hrss-operator-card-status": "operator_api",
}
BUSES, FUND = "f01-hrss-transport-card-status", "f06-hrss-housing_fund-card-status"
OTHERS = (BUSES, "f04-hrss-education-card-status", FUND)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Rehearsal]:
    """A city whose history was delivered, and one more night of it."""
    home = tmp_path_factory.mktemp("reaction")
    with cities.start(home / "stage", persons=3_000, seed=31) as found:
        for number in (0, 1):
            if number:
                found.city.prepare(number)
            hub = found.hub(number)
            for dataset in DATASETS:
                hub.collect(dataset).run()
            for agreement in (*BY_HTTP, *OTHERS):
                hub.deliver(agreement).run()
        yield found


@pytest.fixture(scope="module")
def tomorrow(stage: Rehearsal) -> Rehearsal:
    """The next night's events are published, and not delivered yet."""
    stage.city.prepare(2)
    for dataset in DATASETS:
        stage.hub(2).collect(dataset).run()
    return stage


def events(hub: Hub, agreement: str) -> int:
    """All that was ever counted of an agreement."""
    with database.connect(hub.address, autocommit=True) as connection:
        found = connection.execute(
            "SELECT coalesce(sum(events), 0)::int FROM ledger.reaction WHERE agreement = %s",
            (agreement,),
        ).fetchone()
    assert found is not None
    return int(str(found[0]))


@pytest.fixture(scope="module")
def hub(stage: Rehearsal) -> Hub:
    return stage.hub(1)


def times(hub: Hub) -> dict[str, ReactionTimes]:
    now = hub.settings.now()
    with database.connect(hub.address, autocommit=True) as connection:
        found = reaction.times(connection, now - timedelta(days=1), now + timedelta(days=1))
    assert {t.kind for t in found} == {"loss"}  # the demo's new events are losses and cancellations
    return {t.agreement: t for t in found}


def breaches(hub: Hub) -> dict[str, list[Breach]]:
    now = hub.settings.now()
    found: dict[str, list[Breach]] = {}
    with database.connect(hub.address, autocommit=True) as connection:
        for b in reaction.breaches(connection, now - timedelta(days=1), now + timedelta(days=1)):
            found.setdefault(b.agreement, []).append(b)
    return found


def confirmed(hub: Hub, agreement: str) -> tuple[str, datetime, int]:
    """Id of the newest delivery, when it was confirmed, how many rows it sent."""
    with database.connect(hub.address, autocommit=True) as connection:
        (line,) = connection.execute(
            "SELECT delivery_id, hub_time + (finished_at - started_at), sent_rows"
            " FROM ledger.transfer WHERE subject = %s AND status = 'confirmed'"
            " ORDER BY id DESC LIMIT 1",
            (agreement,),
        ).fetchall()
    return line  # type: ignore[return-value]


def arrived(city: Path, agreement: str, delivery: str) -> list[datetime]:
    """When the events of one delivery took effect, as the consumer's own inbox has it."""
    if agreement == BUSES:
        (file,) = (city / "transport" / "inbox" / agreement).glob(f"{delivery}*.parquet")
        return pl.read_parquet(file)["effective_at"].to_list()
    file = city / "inbox" / BY_HTTP[agreement] / f"{agreement}.batches.jsonl"
    batches = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    rows = [row for b in batches if b["deliveryId"] == delivery for row in b["rows"]]
    return [datetime.fromisoformat(row["effective_at"]) for row in rows]


@pytest.mark.parametrize("agreement", [BUSES, *BY_HTTP])
def test_percentiles_are_those_of_the_rows_that_arrived(
    stage: Rehearsal, hub: Hub, agreement: str
) -> None:
    delivery, at, _ = confirmed(hub, agreement)
    events = arrived(stage.city.home, agreement, delivery)
    took = sorted((at - event).total_seconds() for event in events)
    found = times(hub)[agreement]
    assert len(took) == found.events + found.ahead + found.later > 1
    if found.ahead or found.later:
        return  # which of the rows these are, the inbox does not tell
    for share in QUANTILES:
        exact, told = took[math.ceil(share * len(took)) - 1], found.quantile(share)
        assert told is not None
        assert abs(told - exact) <= 0.05 * exact + 1


def test_events_of_every_consumer_are_all_accounted_for(hub: Hub) -> None:
    for agreement in (*BY_HTTP, *OTHERS):
        _, _, sent = confirmed(hub, agreement)
        found = times(hub)[agreement]
        assert found.events + found.ahead + found.later <= sent
    exact = times(hub)["f02-hrss-medical_insurance-card-status"]
    assert (exact.ahead, exact.later) == (0, 0)


def test_what_came_too_late_is_known_by_cause(stage: Rehearsal, hub: Hub) -> None:
    agreement = "f02-hrss-medical_insurance-card-status"
    delivery, at, _ = confirmed(hub, agreement)
    took = [(at - event).total_seconds() for event in arrived(stage.city.home, agreement, delivery)]
    (found,) = breaches(hub)[agreement]
    assert (found.cause, found.allowed) == ("collect", "PT60S")  # only nights collect here
    assert found.events == sum(seconds > 60 for seconds in took)
    assert abs(found.worst - max(took)) < 1


def test_the_command_shows_it_in_every_form(stage: Rehearsal, hub: Hub) -> None:
    def run(*options: str) -> str:
        done = forked.onecard(stage.at(1), "status", *options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    said = json.loads(run("--json"))
    lines = {(x["agreement"], x["kind"]): x for x in said["reaction"]}
    found = times(hub)[BUSES]
    assert lines[BUSES, "loss"]["p95_s"] == found.quantile(0.95)
    assert lines[BUSES, "loss"]["waiting"] == 0
    assert {x["subject"] for x in said["attention"] if x["kind"] == "slow"} >= {BUSES, FUND}
    assert lines["f20-health-hrss-death", "death"]["limit"] == "T+1"
    assert f'onecard_reaction_seconds{{agreement="{BUSES}",kind="loss",quantile="0.95"}}' in run(
        "--prometheus"
    )
    page = run()
    assert "event to confirmation" in page
    assert "confirmed too late" in page


def test_no_measured_column_reaches_a_consumer(stage: Rehearsal) -> None:
    rows = inbox.files(stage.city.home / "transport" / "inbox", BUSES)[BUSES]
    assert rows.columns == list(stage.hub(1).catalogue.agreement(BUSES).names)


@pytest.mark.parametrize(
    ("agreement", "point", "counted"),
    [
        ("f02-hrss-medical_insurance-card-status", "send.after", False),
        ("f03-hrss-health-card-status", "confirm.advanced", False),
        ("f05-hrss-bank-card-event", "confirm.before_commit", False),
        ("f07-hrss-operator-card-status", "confirm.after_commit", True),
    ],
)
def test_a_process_that_is_killed_counts_all_once(
    tomorrow: Rehearsal, agreement: str, point: str, counted: bool
) -> None:
    hub = tomorrow.hub(2)
    before = events(hub, agreement)
    killed = forked.onecard({**tomorrow.at(2), "ONECARD_KILL_AT": point}, "deliver", agreement)
    assert killed.returncode == -signal.SIGKILL
    assert (events(hub, agreement) > before) == counted
    hub.deliver(agreement).run()
    delivery, _, _ = confirmed(hub, agreement)
    rows = len(arrived(tomorrow.city.home, agreement, delivery))
    assert events(hub, agreement) == before + rows > before
