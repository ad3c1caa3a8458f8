"""A signal to end that comes between two steps of one command: noted as within one of them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.rehearsal import Rehearsal
from onecard.base.interrupts import Interruption
from onecard.model.signoffs import SignOff
from onecard.observe.log import LogListener
from onecard.ports.listener import Step
from onecard.store import database
from tests.cities import Cities

CARDS = "hrss/card_master"
INSURANCE = "f02-hrss-medical_insurance-card-status"


@pytest.fixture
def stage(tmp_path: Path, cities: Cities) -> Iterator[Rehearsal]:
    with cities.start(tmp_path / "stage", persons=60, seed=5) as found:
        yield found


@pytest.fixture
def stop_when(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Patches that a test makes, taken back where it goes on."""
    with monkeypatch.context() as patches:
        yield patches


def stop(patches: pytest.MonkeyPatch, moment: str, name: str) -> None:
    """A signal arrives when the log is told that a step `started`, was `opened` or has `ended`."""

    def arrives(_: LogListener, step: Step, *_more: object) -> None:
        if step.name == name:
            raise Interruption(signal.SIGTERM)

    patches.setattr(LogListener, moment, arrives)


def ledger(stage: Rehearsal, statement: str) -> list[tuple[object, ...]]:
    with database.connect(stage.environment["ONECARD_DATABASE_URL"], autocommit=True) as found:
        return list(found.execute(statement.encode()).fetchall())


TRANSFERS = "SELECT subject, status, message FROM ledger.transfer ORDER BY id"
FAILURES = (
    "SELECT body::jsonb ->> 'error' FROM ledger.audit WHERE kind IN"
    " ('collect.failed', 'delivery.failed')"
)
STAGED = "SELECT tablename FROM pg_tables WHERE schemaname = 'staging'"


@pytest.mark.case("people-15", "between two steps: closed as interrupted, nothing is left staged")
@pytest.mark.parametrize(
    ("moment", "name"),
    [
        ("opened", "collect.stage"),
        ("ended", "collect.stage"),
        ("started", "collect.audit"),
        ("ended", "collect.audit"),
        ("started", "collect.publish"),
    ],
)
def test_between_two_steps_of_a_collect(
    stage: Rehearsal, stop_when: pytest.MonkeyPatch, moment: str, name: str
) -> None:
    stop(stop_when, moment, name)
    with pytest.raises(Interruption):
        stage.hub(0).collect(CARDS).run()
    assert ledger(stage, TRANSFERS) == [(CARDS, "failed", "interrupted")]
    assert ledger(stage, FAILURES) == [("Interrupted",)]
    assert ledger(stage, STAGED) == []
    stop_when.undo()
    assert stage.hub(0).collect(CARDS).run().counts.published
    assert [status for _, status, _ in ledger(stage, TRANSFERS)] == ["failed", "published"]


@pytest.mark.case("people-15", "what is published before the signal came, stays so")
def test_after_the_publication(stage: Rehearsal, stop_when: pytest.MonkeyPatch) -> None:
    stop(stop_when, "ended", "collect.publish")
    with pytest.raises(Interruption):
        stage.hub(0).collect(CARDS).run()
    assert ledger(stage, TRANSFERS) == [(CARDS, "published", "")]
    assert ledger(stage, FAILURES) == []


@pytest.mark.case("people-15", "rows that a reconciliation publishes: closed as interrupted")
@pytest.mark.parametrize("accepted", [None, SignOff("王工", "来函核实")])
def test_between_two_steps_of_a_replay(
    stage: Rehearsal, stop_when: pytest.MonkeyPatch, accepted: SignOff | None
) -> None:
    stage.hub(0).collect(CARDS).run()
    stop(stop_when, "started", "collect.publish")
    with pytest.raises(Interruption):
        stage.hub(0).collect(CARDS).replay(accepted)
    assert ledger(stage, TRANSFERS)[1:] == [(CARDS, "failed", "interrupted")]
    assert ledger(stage, STAGED) == []


@pytest.mark.case("people-15", "a delivery that has begun and sent nothing: closed as interrupted")
def test_when_a_delivery_has_begun(stage: Rehearsal, stop_when: pytest.MonkeyPatch) -> None:
    hub = stage.hub(0)
    for dataset in ("hrss/card_status_event", CARDS, "health/death_notice"):
        hub.collect(dataset).run()
    stop(stop_when, "opened", "deliver")
    with pytest.raises(Interruption):
        hub.deliver(INSURANCE).run()
    assert ledger(stage, TRANSFERS)[-1] == (INSURANCE, "failed", "interrupted")
    stop_when.undo()
    assert hub.deliver(INSURANCE).run().rows
