"""What needs a person, from the ledger alone: each kind begins, is told once, and ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from onecard.errors import AuditFailed, SourceUnavailable
from onecard.operations import attention
from onecard.operations.attention import Issue
from onecard.ports.auditor import Finding
from onecard.ports.fakes import FakeAuditor
from onecard.store import database
from tests.unit.core.fake_hub import ECARDS, NOW, FakeHub, ecards


def of(hub: FakeHub, kind: str, days: int = 0) -> list[Issue]:
    """Issues of a kind about the e-cards, so many days later."""
    later = hub.settings.model_copy(update={"fixed_now": NOW + timedelta(days=days)})
    hub.settings, before = later, hub.settings
    try:
        with database.connect(hub.address, autocommit=True) as connection:
            found = attention.issues(connection, hub)
    finally:
        hub.settings = before
    return [i for i in found if i.kind == kind and i.subject == ECARDS]


def test_a_dataset_is_late_until_it_is_published_and_again_when_its_time_is_over(
    hub: FakeHub,
) -> None:
    assert [i.says for i in of(hub, "late")] == ["never published"]
    hub.offers(ecards(1))
    hub.collect().run()
    assert of(hub, "late") == []
    assert [i.since is not None for i in of(hub, "late", days=30)] == [True]


def test_failures_are_counted_until_a_success(hub: FakeHub) -> None:
    hub.offers(ecards(1), fails=SourceUnavailable("away"))
    for times in (1, 2):
        with pytest.raises(SourceUnavailable):
            hub.collect().run()
        (issue,) = of(hub, "failing")
        assert (issue.times, issue.who) == (times, "hrss")
    hub.offers(ecards(1))
    hub.collect().run()
    assert of(hub, "failing") == []


def test_what_is_held_names_who_may_release_it(hub: FakeHub) -> None:
    hub.offers(ecards(1))
    hub.auditor = FakeAuditor((Finding("shrinkage", "critical", passed=False),))
    with pytest.raises(AuditFailed):
        hub.collect().run()
    (issue,) = of(hub, "held")
    assert "hrss" in issue.who
    assert "onecard release" in issue.todo
    assert of(hub, "failing") == [], "a hold is no failure"
