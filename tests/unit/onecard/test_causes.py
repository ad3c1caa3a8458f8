"""Alarms: what has one cause stands together, and who receives what it concerns is named."""

from __future__ import annotations

from datetime import datetime

from onecard.base.times import ZONE
from onecard.operations.alarm_news import News
from onecard.operations.attention import LANE, Issue, IssueKind
from onecard.operations.causes import Causes, receivers_text, receiving
from schemas.models import catalogue

KNOWN = catalogue.load()
CARDS, EVENTS, PERSONS = "hrss/card_master", "hrss/card_status_event", "hrss/person"
DEATHS = "health/death_notice"
SOURCE = f"source {KNOWN.contract(CARDS).source.connection}"
EVENT_AGREEMENT = "f05-hrss-bank-card-event"
NOW = datetime(2026, 11, 27, 7, tzinfo=ZONE)


def issue(kind: IssueKind, subject: str) -> Issue:
    return Issue(kind, subject, "says", "todo")


def causes(*present: Issue) -> list[str]:
    found = Causes(KNOWN, present)
    return [found.of(i) for i in present]


def test_datasets_of_one_source_that_fail_have_one_cause() -> None:
    of_one_source = [
        d for d, c in KNOWN.contracts.items() if f"source {c.source.connection}" == SOURCE
    ]
    assert len(of_one_source) > 1
    present = [issue("failing", d) for d in of_one_source]
    present += [issue("late", CARDS), issue("volume", DEATHS)]
    assert causes(*present) == [*[SOURCE] * len(of_one_source), SOURCE, DEATHS]


def test_one_dataset_that_fails_says_nothing_of_its_source() -> None:
    assert causes(issue("failing", CARDS), issue("late", CARDS), issue("late", DEATHS)) == [
        CARDS,
        CARDS,
        DEATHS,
    ]


def test_a_consumer_is_slow_because_of_the_dataset_or_the_lane() -> None:
    slow = issue("slow", EVENT_AGREEMENT)
    assert causes(slow) == [EVENT_AGREEMENT]
    assert causes(issue("held", EVENTS), slow) == [EVENTS, EVENTS]
    assert causes(issue("lane", LANE), slow) == [LANE, LANE]
    assert causes(issue("failing", EVENT_AGREEMENT), slow) == [EVENT_AGREEMENT] * 2


def test_a_reconciliation_that_is_held_stands_for_its_dataset() -> None:
    assert causes(issue("held", f"reconciliation {CARDS}"), issue("late", CARDS)) == [CARDS, CARDS]


def test_everybody_who_receives_something_of_a_dataset_is_named() -> None:
    found = receiving(KNOWN, issue("late", CARDS))
    assert {a.id for a in found} == {
        a.id for a in KNOWN.agreements.values() if a.served and CARDS in a.datasets
    }
    assert any(a.dataset != CARDS for a in found), "joined datasets count too"
    text = receivers_text(KNOWN, found)
    assert all(a.id in text and KNOWN.agencies[a.consumer].short in text for a in found)
    assert receiving(KNOWN, issue("failing", EVENT_AGREEMENT)) == (
        KNOWN.agreement(EVENT_AGREEMENT),
    )
    assert receiving(KNOWN, issue("overdue", "ticket 7")) == ()
    lane = receiving(KNOWN, issue("lane", LANE))
    assert lane
    assert {a.mode for a in lane} == {"event"}


def item(kind: str, subject: str, cause: str, receivers: str = "") -> dict[str, str]:
    return {
        "kind": kind,
        "subject": subject,
        "says": "says",
        "who": "",
        "todo": "",
        "cause": cause,
        "receivers": receivers,
    }


def test_a_mail_groups_by_cause_and_says_which_was_told_before() -> None:
    new = (
        item("failing", CARDS, SOURCE, "公交 (f01)"),
        item("late", DEATHS, DEATHS),
        item("failing", EVENTS, SOURCE),
    )
    old = {k: v for k, v in item("held", "x/y", "x/y").items() if k not in ("cause", "receivers")}
    news = News(NOW, new, (old,), frozenset({DEATHS}))
    assert news.title == "[一卡通] 新告警 3（原因 2 个），已解除 1 (3 new of 2 causes, 1 over)"
    lines = news.text.splitlines()[3:]
    assert lines == [
        "== 新告警 New (3)",
        f"* 同一原因 one cause: {SOURCE} (2)",
        f"- 传输失败 failing: {CARDS}",
        "  says",
        "  受影响 affects: 公交 (f01)",
        f"- 传输失败 failing: {EVENTS}",
        "  says",
        f"* 原因已告知 of a cause told before: {DEATHS} (1)",
        f"- 逾期 late: {DEATHS}",
        "  says",
        "== 已解除 Over (1)",
        "- 待人工处理 held: x/y",
        "  says",
    ]
    alone = News(NOW, new[:1], ())
    assert alone.title == "[一卡通] 新告警 1，已解除 0 (1 new, 0 over)"
    assert "同一原因" not in alone.text
