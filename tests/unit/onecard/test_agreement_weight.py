"""Which changes of an agreement are named first."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from onecard.stewardship.agreement_weight import Weight, weights

TEXT: dict[str, Any] = {
    "dataset": "health/visit",
    "consumer": "hrss",
    "purpose": "A7-03",
    "mode": "batch",
    "basis": {"item": "13-1-3", "statute": "法", "article": "一"},
    "approvers": 2,
    "notice": "N-1",
    "fields": [
        {"name": "person", "treatment": "token"},
        {"name": "day", "treatment": "month"},
        {"name": "yes", "when": {"filters": [{"field": "a", "null": True}]}},
    ],
    "key": ["person"],
    "scope": {
        "title": "部分",
        "filters": [
            {"field": "status", "in": ["1", "2"]},
            {"field": "kind", "not_in": ["9"]},
            {"field": "born", "min_age": 18},
            {"field": "gone", "null": True},
        ],
        "exists": [{"dataset": "hrss/card", "match": {"a": "b"}}],
    },
    "validity": {"from": "2026-01-01", "to": "2028-12-31"},
    "retention": "P30D",
    "delivery": {"connector": "rest", "connection": "api", "options": {"path": "/x"}},
    "asking": {
        "by": ["name"],
        "quotas": {"operator": {"hour": 1, "day": 2}, "person": {"hour": 1, "day": 1}},
    },
    "statistics": {"count": "n", "contributor": "p", "minimum": 5, "margins": [["a"], ["b"]]},
}


def changed(place: str, value: object) -> list[Weight]:
    """What weighs when one thing is another; None: it is gone."""
    new = copy.deepcopy(TEXT)
    *way, last = place.split(".")
    parent: Any = new
    for step in way:
        parent = parent[int(step)] if isinstance(parent, list) else parent[step]
    if value is None:
        del parent[int(last) if isinstance(parent, list) else last]
    else:
        parent[int(last) if isinstance(parent, list) else last] = value
    return weights(TEXT, new)


@pytest.mark.parametrize(
    ("place", "value", "heavy"),
    [
        ("fields.0.treatment", "as_is", "weaker"),
        ("fields.0.treatment", "mask", "weaker"),
        ("fields.1.treatment", "day", "weaker"),
        ("fields.1.treatment", "county", "weaker"),
        ("fields.1.from", "other", "elsewhere"),
        ("fields.2.when", {"filters": [{"field": "a", "null": False}]}, "elsewhere"),
        ("fields.2.name", "no", "new_field"),
        ("scope.filters.0.in", ["1", "3"], "scope"),
        ("scope.filters.1.not_in", [], "scope"),
        ("scope.filters.2.min_age", 14, "scope"),
        ("scope.filters.3.null", False, "scope"),
        ("scope.filters.0", None, "scope"),
        ("scope.exists.0", None, "scope"),
        ("scope.exists.0.match", {"a": "c"}, "scope"),
        ("joins", [{"alias": "c"}], "joins"),
        ("first_by", ["-a"], "joins"),
        ("retention", "P31D", "retention"),
        ("retention", "one month", "retention"),
        ("validity.to", "2029-01-01", "validity"),
        ("validity.from", "2025-12-31", "validity"),
        ("consumer", "bank", "other"),
        ("purpose", "A7-04", "other"),
        ("mode", "event", "other"),
        ("dataset", "health/death", "other"),
        ("basis.item", "13-1-2", "other"),
        ("delivery.options.path", "/y", "other"),
        ("delivery.connection", "other", "other"),
        ("unusual_factor", 11, "other"),
        ("notice", None, "dropped"),
        ("child_rules", "CR-1", "dropped"),
        ("after_death", "deliver", "after_death"),
        ("approvers", 1, "approvers"),
        ("asking.quotas.operator.day", 3, "quotas"),
        ("asking.by", None, "quotas"),
        ("statistics.minimum", 4, "statistics"),
        ("statistics.margins", [["a"]], "statistics"),
        ("statistics.contributor", "q", "statistics"),
        ("credit", {"domain": "public_transport", "automated_decision": True}, "automated"),
    ],
)
def test_what_weighs_is_named(place: str, value: object, heavy: str) -> None:
    assert heavy in [weight.heavy for weight in changed(place, value)]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("fields.1.treatment", "year"),
        ("scope.title", "别的说法"),
        ("scope.filters.0.in", ["1"]),
        ("scope.filters.1.not_in", ["8", "9"]),
        ("scope.filters.2.min_age", 60),
        ("retention", "P20D"),
        ("validity.to", "2027-12-31"),
        ("title", "别的名称"),
        ("responsible", "别的人"),
        ("statistics.minimum", 6),
        ("asking.quotas.operator.day", 1),
        ("assessment", "PIA-1"),
        ("fields.2", None),
    ],
)
def test_what_narrows_or_only_says_it_otherwise_does_not_weigh(place: str, value: object) -> None:
    assert changed(place, value) == []


def test_more_filters_are_no_wider() -> None:
    filters = [*TEXT["scope"]["filters"], {"field": "x", "in": ["1"]}]
    assert changed("scope.filters", filters) == []


def test_of_a_first_text_all_fields_are_new() -> None:
    assert weights(None, TEXT) == [Weight("new_field", ("person", "day", "yes"))]


def test_a_flow_that_was_only_declared_begins() -> None:
    (found,) = weights({**TEXT, "served": False}, TEXT)
    assert (found.heavy, found.names) == ("other", ("served",))


def test_seals_and_consent_are_safeguards() -> None:
    old = {**TEXT, "delivery": {**TEXT["delivery"], "sealed": True}, "consent": {"dataset": "a/b"}}
    (found,) = weights(old, TEXT)
    assert (found.heavy, found.names) == ("dropped", ("consent", "delivery.sealed"))
