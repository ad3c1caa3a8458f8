"""Match, no match, not decidable: by what the field is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from onecard.serve.compare import compared
from schemas.models import catalogue
from schemas.models.asking import COMPARED
from schemas.models.contract import Field

CARD = catalogue.load().contract("hrss/card_master")
PENSION = catalogue.load().contract("hrss/pension_status")


@pytest.mark.parametrize(
    ("field", "registered", "given", "found"),
    [
        (CARD.field("bank_account"), "6222", "6222", "match"),
        (CARD.field("bank_account"), "6222", "６２２２", "no_match"),
        (CARD.field("bank_account"), "6222", "6222 ", "no_match"),
        (CARD.field("bank_account"), None, "6222", "undecidable"),
        (CARD.field("person_name"), "阿依·古丽", "阿依•古丽", "match"),
        (CARD.field("person_name"), "张三", "张\ufffd", "undecidable"),
        (CARD.field("birth_date"), date(1990, 5, 1), "1990-05-01", "match"),
        (CARD.field("birth_date"), date(1990, 5, 1), "1990-05-02", "no_match"),
        (CARD.field("birth_date"), date(1990, 5, 1), "1.5.1990", "undecidable"),
        (CARD.field("source_seq"), 12, "12", "match"),
        (CARD.field("source_seq"), 12, "１２", "undecidable"),
        (CARD.field("source_seq"), 12, "twelve", "undecidable"),
        (PENSION.field("benefit_amount"), "1200.50", "1200.5", "match"),
        (PENSION.field("benefit_amount"), "1200.50", "1200.51", "no_match"),
        (PENSION.field("benefit_amount"), "1200.50", "x", "undecidable"),
        (CARD.field("source_updated_at"), datetime(2026, 1, 1, tzinfo=UTC), "x", "undecidable"),
    ],
)
def test_values_are_compared_by_their_kind(
    field: Field, registered: Any, given: str, found: str
) -> None:
    assert compared(field, registered, given) == found


def test_what_an_agreement_may_ask_by_can_be_decided() -> None:
    values = {"string": "1", "integer": 1, "number": "1", "date": date(1990, 5, 1)}
    for kind in COMPARED:
        field = CARD.field("card_no").model_copy(update={"type": kind})
        given = "1990-05-01" if kind == "date" else "1"
        assert compared(field, values[kind], given) == "match"
    moment = CARD.field("source_updated_at")
    assert moment.type not in COMPARED
