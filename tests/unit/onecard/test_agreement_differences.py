"""What `onecard agreements diff` says: nothing that needs approval anew is left out of it."""

from __future__ import annotations

from typing import Any

import pytest

from onecard.stewardship import agreement_words
from schemas.models import catalogue
from schemas.models.agreement import Agreement
from tests.asked import F09

ELSEWHERE = {"id", "fields"}
"""The first is the same in both texts; the second is told field by field."""


def _content(agreement: Agreement) -> dict[str, Any]:
    return agreement.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def test_every_part_of_the_model_has_its_word() -> None:
    parts = {info.alias or name for name, info in Agreement.model_fields.items()}
    assert set(agreement_words.PARTS) == parts - ELSEWHERE


@pytest.mark.parametrize("part", sorted(agreement_words.PARTS))
def test_a_part_that_was_another_is_told(part: str) -> None:
    agreement = catalogue.load().agreement(F09)
    before = {**_content(agreement), part: "another"}
    found = agreement_words.differences(before, agreement, catalogue.load().contracts)
    assert [line.split("改变：")[0] for line in found] == [agreement_words.PARTS[part]]


def test_the_same_text_has_no_difference() -> None:
    agreement = catalogue.load().agreement(F09)
    contracts = catalogue.load().contracts
    assert agreement_words.differences(_content(agreement), agreement, contracts) == []


def test_what_an_older_model_knew_is_told_by_its_own_name() -> None:
    agreement = catalogue.load().agreement(F09)
    before = {**_content(agreement), "watermark": "seq"}
    found = agreement_words.differences(before, agreement, catalogue.load().contracts)
    assert found == ["watermark改变：seq → 无"]
