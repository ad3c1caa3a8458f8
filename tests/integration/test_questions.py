"""The demo's questions: asked of the service in a process of its own, proved, and shown to nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from demo import questions, service, show
from demo.questions import Questions
from demo.rehearsal import Rehearsal
from onecard.errors import FatalError
from onecard.store import agreement_lives, database
from tests.cities import Cities

F09, F10 = "f09-hrss-health-card-query", "f10-hrss-bank-payee-verify"
READ = ("hrss/card_master", "hrss/pension_status", "hrss/employment_status", "health/death_notice")


@dataclass(frozen=True)
class Asked:
    """A city whose service was asked, what came of it, and what was seen."""

    stage: Rehearsal
    found: Questions
    exit_code: int | None
    told: list[str]
    log: Path


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Asked]:
    home = tmp_path_factory.mktemp("questions")
    with cities.start(home / "stage", persons=1_000, seed=5) as stage:
        hub, told = stage.hub(0), []
        for dataset in READ:
            hub.collect(dataset).run()
        with service.running(stage.at(0), stage.home / "serve.log") as process:
            found = questions.ask_all(hub, process, ended=told.append)
        yield Asked(stage, found, process.exit_code, told, process.log)


def test_each_of_the_four_flows_answers_and_is_proved(asked: Asked) -> None:
    found = asked.found
    assert [a.agreement[:3] for a in found.answers] == ["f09", "f10", "f11", "f12"]
    assert [a.outcome for a in found.answers[:2]] == ["answered", "match, match"]
    assert all(a.outcome in ("answered", "none") for a in found.answers[2:])
    assert all(a.code == "00" and a.proved and 0 < a.seconds < 60 for a in found.answers)
    assert (found.refused, found.calls) == ("64", 4)
    assert (found.well, asked.exit_code) == (True, 0)
    assert len(asked.told) == questions.steps(asked.stage.hub(0))


def test_what_was_asked_counts_in_the_figures_of_its_month(asked: Asked) -> None:
    with database.connect(asked.stage.hub(0).address, autocommit=True) as connection:
        timed = connection.execute(
            "SELECT agreement, sum(calls)::int FROM ledger.question_time GROUP BY 1 ORDER BY 1"
        ).fetchall()
        refused = connection.execute("SELECT code, calls::int FROM ledger.question_refusal")
        assert refused.fetchall() == [("64", 1)]
        recorded = connection.execute("SELECT count(*)::int FROM ledger.question").fetchone()
    assert [number for _, number in timed] == [1, 2, 2, 2, 2], "each was repeated; one look-up"
    assert recorded == (4,), "and each is on record once"


def test_nobody_sees_of_whom(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    show.questions(asked.found)
    said = capsys.readouterr().out + repr(asked.found) + asked.log.read_text()
    assert "match, match" in said
    with database.connect(asked.stage.hub(0).address, autocommit=True) as connection:
        values = connection.execute(
            "SELECT person_id18, person_name, card_no, bank_account FROM registry.hrss__card_master"
        ).fetchall()
    of_persons = {str(v) for line in values for v in line if v is not None and len(str(v)) > 1}
    assert len(of_persons) > 2_000
    assert [v for v in of_persons if v in said] == []
    assert not re.search(r"(?<![.\d])\d{17}[\dX]", said)


def test_an_answer_that_fails_is_seen(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    first, *others = asked.found.answers
    for bad in (replace(first, proved=False), replace(first, code="61", outcome="")):
        wrong = replace(asked.found, answers=(bad, *others))
        assert not wrong.well
        show.questions(wrong)
        assert "NOT " in capsys.readouterr().out
    assert not replace(asked.found, refused="00").well
    assert not replace(asked.found, calls=2).well


def test_every_agreement_is_served_and_in_force(asked: Asked) -> None:
    hub = asked.stage.hub(0)
    today = hub.settings.now().date()
    with database.connect(hub.address, autocommit=True) as connection:
        states = {
            a.id: agreement_lives.life(connection, a, today).state
            for a in hub.catalogue.agreements.values()
        }
    assert set(states.values()) == {"in_force"}


def test_a_service_that_cannot_start_is_an_error_that_names_its_log(
    asked: Asked, tmp_path: Path
) -> None:
    environment = asked.stage.at(0) | {"ONECARD_PROFILE": "neither"}
    with (
        service.running(environment, tmp_path / "serve.log") as process,
        pytest.raises(FatalError, match=r"has ended by itself \(1\); see .*serve\.log"),
    ):
        process.wait_until_ready()


def test_before_the_first_collect_there_is_nobody_to_ask_for(
    tmp_path: Path, cities: Cities
) -> None:
    with (
        cities.start(tmp_path / "stage", persons=300, seed=5) as stage,
        service.running(stage.at(0), tmp_path / "serve.log") as process,
        pytest.raises(FatalError, match="nobody in this city"),
    ):
        questions.ask_all(stage.hub(0), process, ended=lambda _step: None)
