"""Who has ended is asked for row by row of few rows, and as a list beside all rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from onecard.deliver.query import Selection
from onecard.model import gate_inputs
from schemas.models import catalogue, registers

STOPS, DELIVERS = "f16-hrss-bank-subsidy-payment", "f04-hrss-education-card-status"


def selection(agreement: str) -> Selection:
    """All rows of an agreement, with the gate's inputs."""
    known = catalogue.load()
    people = registers.load().people
    return Selection(known.agreement(agreement), known.contracts, date(2026, 10, 16), people)


def test_all_rows_are_selected_without_it_and_the_list_is_there() -> None:
    whole = selection(STOPS)
    asked, left_out = whole.statement(), whole.statement(ended=False)
    assert gate_inputs.ENDED in asked.as_string(None)
    assert gate_inputs.ENDED not in left_out.as_string(None)
    listed = whole.ended()
    assert listed is not None
    assert listed.as_string(None) in asked.as_string(None)


def test_there_is_no_list_for_rows_that_somebody_chose() -> None:
    whole = selection(STOPS)
    for some in (replace(whole, keys=("1",)), replace(whole, chosen="some_table")):
        assert some.ended() is None
        assert gate_inputs.ENDED in some.statement().as_string(None)


def test_there_is_no_list_where_the_gate_does_not_ask() -> None:
    assert selection(DELIVERS).ended() is None
    assert replace(selection(STOPS), people=None).ended() is None
