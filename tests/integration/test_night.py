"""Whole nights on the simulated agencies: exact, repeatable, and nothing beyond the agreements."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from demo.rehearsal import Rehearsal
from demo.verify import verify
from onecard.collect.publish import Collected
from onecard.deliver.context import Delivered
from onecard.model.transfers import Counts
from onecard.operations import night
from onecard.store import database, transfer_history
from schemas.models import catalogue
from schemas.models.catalogue import Catalogue
from tests.cities import Cities
from tests.sampling import sampled

SINKS = ("delivery_id", "received_at")
"""Columns that an inbox of tables adds for itself."""


@pytest.fixture(scope="module")
def known() -> Catalogue:
    return catalogue.load()


def run(stage: Rehearsal, day: int) -> dict[str, object]:
    """One night in this process; fails on the first error."""
    results: dict[str, object] = {}
    outcome = night.run(stage.hub(day), results.__setitem__)
    assert outcome.failed == {}
    assert outcome.held == {}
    return results


def counts(results: dict[str, object]) -> dict[str, Counts]:
    return {s: r.counts for s, r in results.items() if isinstance(r, Collected)}


def delivered(results: dict[str, object]) -> dict[str, int]:
    return {s: r.rows for s, r in results.items() if isinstance(r, Delivered)}


@pytest.mark.fault("F32", "a code that is not in the list is quarantined")
@pytest.mark.parametrize("seed", sampled([20240101, 1, 987654321], [20240101]))
def test_quarantine_equals_the_planted_defects(tmp_path: Path, cities: Cities, seed: int) -> None:
    with cities.start(tmp_path / "s", persons=20_000, seed=seed) as stage:
        done = counts(run(stage, 0))
        verdicts = verify(stage.hub(0), stage.city.home / "truth")
        summary = stage.city.summary(0)
    assert {d: (v.missed, v.wrong) for d, v in verdicts.items() if v.missed or v.wrong} == {}
    kinds = {reason for v in verdicts.values() for reason in v.kinds}
    assert len({rule for _, rule in kinds}) >= 25
    for dataset, made in summary.items():
        found = done[dataset]
        assert found.rows_read == made["rows"], dataset
        assert found.quarantined == made["defects"], dataset
        assert found.deduplicated == made["duplicates"], dataset


def test_next_day_publishes_exactly_the_changes_and_then_nothing(stage: Rehearsal) -> None:
    first = counts(run(stage, 0))
    stage.city.prepare(1)
    second_results = run(stage, 1)
    second, made = counts(second_results), stage.city.summary(1)
    for dataset, found in second.items():
        found.check(dataset)
        first[dataset].check(dataset)
        expected = made[dataset]["rows"] - made[dataset]["duplicates"] - made[dataset]["defects"]
        assert found.published == expected, dataset
    again = run(stage, 1)
    assert {d: c.published for d, c in counts(again).items() if c.published} == {}
    assert {a: n for a, n in delivered(again).items() if n} == {}
    assert sum(delivered(second_results).values()) > 0


def test_every_consumer_receives_only_what_its_agreements_grant(
    stage: Rehearsal, known: Catalogue
) -> None:
    sent = delivered(run(stage, 0))
    received: set[str] = set()
    for consumer in known.agencies:
        for agreement, frame in stage.city.inbox(consumer).items():
            granted = known.agreement(agreement)
            assert granted.consumer == consumer
            own = [c for c in frame.columns if c not in SINKS]
            assert own == list(granted.names), agreement
            assert len(frame) == sent[agreement], agreement
            received.add(agreement)
    assert received == {a for a, n in sent.items() if n}
    providers = {c.agency for c in known.contracts.values()}
    assert providers <= {known.agreement(a).consumer for a in received}


@pytest.mark.fault("F36", "no token of one consumer is known to another")
def test_tokens_differ_between_consumers_and_hide_the_id_number(stage: Rehearsal) -> None:
    run(stage, 0)
    tokens = {}
    for consumer, agreement, column in (
        ("education", "f04-hrss-education-card-status", "person_token_edu"),
        ("operator", "f07-hrss-operator-card-status", "person_token_ops"),
    ):
        tokens[consumer] = set(stage.city.inbox(consumer)[agreement][column].to_list())
        assert tokens[consumer]
        assert all(len(t) == 26 and not t.startswith("410199") for t in tokens[consumer])
    assert tokens["education"].isdisjoint(tokens["operator"])


@pytest.mark.fault("F37", "no group below k leaves")
def test_statistics_hold_no_small_group(stage: Rehearsal) -> None:
    run(stage, 0)
    rides = stage.city.inbox("bureau").get("f21-transport-bureau-ride-statistics", pl.DataFrame())
    assert rides.is_empty() or rides["ride_count"].min() >= 10
    heads = stage.city.inbox("hrss")["f22-housing_fund-hrss-headcount"]
    assert heads["paid_headcount"].min() >= 3


def test_a_dead_source_stops_only_itself(stage: Rehearsal) -> None:
    broken = json.loads(stage.environment["AIRFLOW_CONN_HRSS_DB"]) | {
        "port": 1,
        "host": "127.0.0.1",
    }
    broken["extra"] = {}
    stage.environment["AIRFLOW_CONN_HRSS_DB"] = json.dumps(broken)
    results: dict[str, object] = {}
    outcome = night.run(stage.hub(0), results.__setitem__)
    assert outcome.exit_code == 1
    failed = {s for s in outcome.failed if "/" in s}
    assert failed == {
        "hrss/card_master",
        "hrss/consent_record",
        "hrss/ecard_binding",
        "hrss/pension_status",
        "hrss/employment_status",
        "hrss/subsidy_payment",
    }
    assert "cannot be reached" in outcome.failed["hrss/card_master"]
    assert counts(results)["health/health_visit"].published > 0
    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        left = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'staging'"
        ).fetchone()
        states = {t.subject: t.status for t in transfer_history.latest(connection)}
    assert left == (0,)
    assert states["hrss/card_master"] == "failed"


@pytest.mark.fault("F35", "without a key nothing leaves")
def test_nothing_leaves_without_a_key(stage: Rehearsal) -> None:
    run_collects = night.run_each(
        night.datasets(stage.hub(0)), lambda d: stage.hub(0).collect(d).run(), lambda *_: None
    )
    assert run_collects.failed == {}
    (stage.home / "keys.json").write_text('{"format": 2, "purposes": {}}')
    outcome = night.run_each(
        ["f07-hrss-operator-card-status"], lambda a: stage.hub(0).deliver(a).run(), lambda *_: None
    )
    assert "nothing leaves" in outcome.failed["f07-hrss-operator-card-status"]
    assert stage.city.inbox("operator") == {}


@pytest.mark.fault("F35", "an expired agreement lets nothing out")
def test_an_expired_agreement_lets_nothing_out(stage: Rehearsal) -> None:
    hub = stage.hub(0)
    hub.collect("hrss/card_status_event").run()
    late = stage.hub(365 * 5)
    outcome = night.run_each(
        ["f02-hrss-medical_insurance-card-status"], lambda a: late.deliver(a).run(), lambda *_: None
    )
    assert "expired on" in outcome.failed["f02-hrss-medical_insurance-card-status"]
    assert stage.city.inbox("medical_insurance") == {}
