"""What waits for its consumer and what came too late: figures, alarms, Prometheus, the command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from onecard.cli import status_reaction
from onecard.errors import SourceUnavailable
from onecard.observe.exposition import exposition
from onecard.operations import attention, reactions
from onecard.operations.attention import Issue
from onecard.operations.reactions import ReactionLine
from onecard.store import agreement_lives, database
from schemas.models.agreement_parts import Join
from tests.unit.core.fake_hub import AGREEMENT, ECARDS, KNOWN, NOW, FakeHub, ecards

FILE = """\
datasets:
  hrss/ecard_binding:
    since: source_updated_at
    kinds:
      loss: {title: 停用, title_en: Loss, when: {ecard_status: ['2']}}
      restore: {title: 启用, title_en: Restored, when: {ecard_status: ['1']}}
limits: {}
others: {loss: PT60S}
"""


@pytest.fixture
def filled(hub: FakeHub, tmp_path: Path) -> Iterator[FakeHub]:
    """Two e-cards are with their consumer, who must know of losses within a minute."""
    root = tmp_path / "schemas"
    root.mkdir()
    (root / "reaction.yaml").write_text(FILE, encoding="utf-8")
    hub.catalogue = replace(KNOWN, root=root)
    agreement, contract = KNOWN.agreement(AGREEMENT), KNOWN.contract(ECARDS)
    hub.expectation = hub.catalogue.reaction.expected(agreement, contract)
    hub.with_people()
    hub.offers(ecards(1, 2))
    hub.collect().run()
    return hub


def clock(hub: FakeHub, seconds: float) -> None:
    at = NOW + timedelta(seconds=seconds)
    hub.settings = hub.settings.model_copy(update={"fixed_now": at})


def happens(hub: FakeHub, number: int, seconds: float, status: str = "2") -> None:
    hub.offers(ecards(number, status=status, at=NOW + timedelta(seconds=seconds)))
    hub.collect().run()


def lines(hub: FakeHub) -> dict[str, ReactionLine]:
    with database.connect(hub.address, autocommit=True) as connection:
        found = reactions.lately(connection, hub.catalogue, hub.settings.now())
    assert {line.agreement.id for line in found} == {AGREEMENT}
    return {line.name: line for line in found}


def slow(hub: FakeHub) -> list[Issue]:
    with database.connect(hub.address, autocommit=True) as connection:
        return [i for i in attention.issues(connection, hub) if i.kind == "slow"]


def test_the_oldest_that_waits_is_told_by_kind(filled: FakeHub) -> None:
    happens(filled, 3, -500)
    assert lines(filled)["loss"].waiting is None  # the first delivery will bring a history
    filled.deliver().run()
    clock(filled, 100)
    for number, seconds in ((4, 20), (5, 10), (6, 30)):
        happens(filled, number, seconds)
    happens(filled, 7, 50, status="1")
    happens(filled, 3, 90)  # is with the consumer already, and only changed
    found = lines(filled)
    loss, restore = found["loss"], found["restore"]
    assert loss.waiting is not None
    assert restore.waiting is not None
    assert (loss.waiting.events, loss.waited_s, loss.late) == (3, 90.0, True)
    assert (restore.waiting.events, restore.waited_s, restore.late) == (1, 50.0, False)
    filled.deliver().run()
    assert [line.waiting for line in lines(filled).values()] == [None, None]


@pytest.mark.parametrize("how", ["suspended", "stopped"])
def test_nothing_waits_for_who_may_get_nothing(filled: FakeHub, how: str) -> None:
    filled.deliver().run()
    happens(filled, 3, -500)
    assert lines(filled)["loss"].waiting is not None
    with database.connect(filled.address, autocommit=True) as connection:
        if how == "suspended":
            agreement = KNOWN.agreement(AGREEMENT)
            agreement_lives.suspend(connection, agreement, "值班员", "演练")
        else:
            agreement_lives.set_stop(connection, "operator", "值班员", "演练", stopped=True)
    assert lines(filled)["loss"].waiting is None


@pytest.mark.parametrize("why", ["never collected", "broken"])
def test_nothing_waits_where_a_dataset_cannot_be_looked_at(filled: FakeHub, why: str) -> None:
    filled.deliver().run()
    happens(filled, 3, -500)
    known = filled.catalogue
    other = "education/edu_enrolment" if why == "never collected" else KNOWN.registers.people.cards
    join = Join(alias="other", dataset=other, match={"person_id18": "person_id18"})
    agreement = known.agreement(AGREEMENT).model_copy(update={"version": "9.0.0", "joins": (join,)})
    with database.connect(filled.address, autocommit=True) as connection:
        agreement_lives.approve(connection, agreement, "批准人", "批〔2〕号")
    contracts = {d: c for d, c in known.contracts.items() if (d, why) != (other, "broken")}
    filled.catalogue = replace(known, agreements={AGREEMENT: agreement}, contracts=contracts)
    assert lines(filled)["loss"].waiting is None


def test_a_consumer_that_waits_or_knew_too_late_is_an_issue_until_it_is_over(
    filled: FakeHub,
) -> None:
    filled.deliver().run()
    happens(filled, 3, -10)
    assert slow(filled) == []
    clock(filled, 600)
    (issue,) = slow(filled)
    assert (issue.subject, issue.who, issue.times) == (AGREEMENT, "operator", 1)
    assert "1 event(s) of kind loss wait, the oldest for 610 s (limit PT60S)" in issue.says
    assert issue.since == NOW - timedelta(seconds=10)
    filled.system.fails = SourceUnavailable("away")
    with pytest.raises(SourceUnavailable):
        filled.deliver().run()
    filled.system.fails = None
    clock(filled, 700)
    filled.deliver().run()
    (issue,) = slow(filled)
    assert "1 event(s) of kind loss were confirmed too late" in issue.says
    assert issue.says.endswith("(limit PT60S): consumer")
    clock(filled, 700 + 3_600 + 300)
    assert slow(filled) == []
    assert lines(filled)["loss"].beyond == 1


def test_prometheus_and_the_command_say_the_same(filled: FakeHub) -> None:
    filled.deliver().run()
    clock(filled, 1_000)
    happens(filled, 3, 0)
    happens(filled, 4, 5_000)
    filled.deliver().run()
    happens(filled, 5, 700)
    found = list(lines(filled).values())
    samples = {
        (
            s.name,
            s.labels["kind"],
            s.labels.get("quantile") or s.labels.get("cause") or s.labels.get("why"),
        ): s.value
        for family in text_string_to_metric_families(exposition([], [], found))
        for s in family.samples
        if s.labels.get("agreement") == AGREEMENT
    }
    told, other = status_reaction.lines(found)
    assert (told["kind"], told["events"], told["ahead"], told["late"]) == ("loss", 1, 1, 1)
    assert (told["limit"], told["waiting"], told["oldest_waiting_s"]) == ("PT60S", 1, 300.0)
    assert [b["cause"] for b in told["breaches"]] == ["collect"]
    for share in ("0.5", "0.95", "0.99"):
        name = f"p{round(float(share) * 100)}_s"
        assert samples["onecard_reaction_seconds", "loss", share] == told[name]
        assert 950 <= told[name] <= 1_120
    assert samples["onecard_reaction_events", "loss", None] == 1
    assert samples["onecard_reaction_unmeasured_events", "loss", "ahead"] == 1
    assert samples["onecard_reaction_late_events", "loss", "collect"] == 1
    assert samples["onecard_reaction_limit_seconds", "loss", None] == 60
    assert samples["onecard_reaction_waiting_events", "loss", None] == 1
    assert samples["onecard_reaction_oldest_waiting_seconds", "loss", None] == 300
    assert (other["events"], other["p95_s"], other["limit"]) == (0, None, None)
    assert ("onecard_reaction_seconds", "restore", "0.5") not in samples


def test_the_tables_of_the_command(filled: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    status_reaction.show(lines(filled).values())
    assert capsys.readouterr().out == ""
    filled.deliver().run()
    clock(filled, 1_000)
    happens(filled, 3, 0)
    filled.deliver().run()
    status_reaction.show(lines(filled).values())
    said = capsys.readouterr().out
    assert "n below 20: percentiles say little" in said
    assert "confirmed too late in the last 24 h" in said
    assert "restore" not in said
