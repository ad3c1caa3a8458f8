"""Durations of contracts and agreements: read once, and still what their author wrote."""

from __future__ import annotations

import pickle
from datetime import timedelta

import pytest
from pydantic import BaseModel, ValidationError

from onecard.base.timespan import duration
from schemas.models import catalogue
from schemas.models.values import Duration


class Timed(BaseModel):
    wait: Duration


@pytest.mark.parametrize("text", ["P90D", "PT10M", "PT24H", "P1DT2H3M4S", "PT0S"])
def test_a_duration_is_a_span_and_stays_its_text(text: str) -> None:
    found = Timed.model_validate({"wait": text})
    assert found.wait.span == duration(text)
    assert found.wait == text
    assert found.model_dump(mode="json") == {"wait": text}
    assert pickle.loads(pickle.dumps(found)).wait.span == found.wait.span


@pytest.mark.parametrize("text", ["3 days", "P3W", "", "p3d", "P999999999999D"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Timed.model_validate({"wait": text})


def test_every_contract_has_spans_without_a_default_left_as_text() -> None:
    for contract in catalogue.load().contracts.values():
        for found in (contract.freshness, contract.source.overlap, contract.source.lag):
            assert isinstance(found.span, timedelta)
    assert all(
        isinstance(a.retention.span, timedelta) for a in catalogue.load().agreements.values()
    )
