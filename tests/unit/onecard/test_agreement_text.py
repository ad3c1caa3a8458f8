"""Two texts of an agreement piece by piece: nothing of the model can be forgotten."""

from __future__ import annotations

import copy
import json

import pytest

from onecard.stewardship import agreement_text
from onecard.stewardship.agreement_text import Difference
from schemas.models import catalogue
from tests import agreement_pieces

TEXT = agreement_pieces.everything()
CHANGES = dict(agreement_pieces.changes(TEXT))
KNOWN = catalogue.load().agreements


def differing(old: agreement_pieces.Content, new: agreement_pieces.Content) -> list[Difference]:
    parts = agreement_text.compare(old, new)
    return [d for part in parts for d in part.differences if d.mark != "same"]


def test_the_text_of_the_test_says_everything_that_the_model_can() -> None:
    named = {p.kind for p in agreement_text.pieces(TEXT)} | {
        step.kind for p in agreement_text.pieces(TEXT) for step in p.place
    }
    fields = {
        f"{model.__name__}.{info.alias or name}"
        for model in agreement_pieces.models()
        for name, info in model.model_fields.items()
    }
    apart = {f"{model.__name__}.{name}" for model, name in agreement_text.NAMED.items()}
    assert apart < fields
    assert named - {""} == fields - apart
    assert len(fields) > 80
    assert len(CHANGES) > 200


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_anything_is_a_difference(name: str) -> None:
    assert differing(TEXT, CHANGES[name])
    assert differing(CHANGES[name], TEXT)


@pytest.mark.parametrize("name", KNOWN)
def test_one_text_beside_itself_is_the_same_and_whole(name: str) -> None:
    content = json.loads(KNOWN[name].canonical_text)
    assert differing(content, content) == []
    found = agreement_text.pieces(content)
    said = [piece.value for piece in found]
    said += [step.name for piece in found for step in piece.place]
    listed = list(agreement_pieces.places(content))
    inner = {place[:-1] for place in listed}
    for place in listed:
        value = content
        for step in place:
            value = value[step]
        if place not in inner:
            assert value in said, place


def test_one_field_more_moves_no_other() -> None:
    new = copy.deepcopy(TEXT)
    new["fields"].insert(0, {"name": "more"})
    found = differing(TEXT, new)
    assert {d.mark for d in found if not d.piece.order} == {"added"}
    assert {d.piece.place[1].name for d in found if not d.piece.order} == {"more"}


def test_fields_in_another_order_are_another_text() -> None:
    old = {**TEXT, "fields": [{"name": "a"}, {"name": "b"}]}
    new = {**TEXT, "fields": [{"name": "b"}, {"name": "a"}]}
    (found,) = differing(old, new)
    assert (found.piece.order, found.mark) == (True, "changed")


def test_two_filters_on_one_field_are_two() -> None:
    old = {**TEXT, "scope": {"title": "t", "filters": [{"field": "a", "in": ["1"]}] * 2}}
    new = copy.deepcopy(old)
    new["scope"]["filters"][1] = {"field": "a", "in": ["2"]}
    (found,) = differing(old, new)
    assert [step.name for step in found.piece.place] == ["scope", "filters", "a (2)", "in"]


def test_what_a_text_leaves_out_is_as_by_default() -> None:
    assert differing({"id": "x"}, {"id": "x", "served": True, "joins": [], "approvers": 1}) == []


@pytest.mark.parametrize(("old", "new"), [(1, "1"), (True, 1), ("true", True), ({}, []), ("", {})])
def test_values_of_other_kinds_are_others(old: object, new: object) -> None:
    first, second = ({"delivery": {"options": {"a": value}}} for value in (old, new))
    (found,) = differing(first, second)
    assert found.mark == "changed"


def test_what_the_model_knows_no_more_stands_there_by_its_name() -> None:
    (found,) = differing({"id": "x", "state": {"approved": "1"}}, {"id": "x"})
    assert found.mark == "removed"
    assert [step.name for step in found.piece.place] == ["state", "approved"]


def test_what_is_gone_stands_where_it_stood() -> None:
    names = [{"name": name} for name in "abc"]
    parts = agreement_text.compare(
        {**TEXT, "fields": names}, {**TEXT, "fields": [names[0], names[2]]}
    )
    (fields,) = [part for part in parts if part.name == "fields"]
    listed = [d.piece.place[1].name for d in fields.differences if not d.piece.order]
    assert list(dict.fromkeys(listed)) == ["a", "b", "c"]
    assert parts[0].name == agreement_text.GENERAL
