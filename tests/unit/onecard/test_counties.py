"""Counts by county: known counties by code, every other place as elsewhere, no value kept."""

from __future__ import annotations

import pyarrow as pa

from onecard.collect import counties
from schemas.models import catalogue


def test_rows_are_counted_where_people_live() -> None:
    tally = counties.Tally(catalogue.load().contract("hrss/card_master"))
    assert tally.field == "resid_division"
    values = ["410102001000", "410102002000", "110101001000", None, "<b>", "410103001000"]
    tally.add_read(pa.record_batch({"resid_division": pa.array(values)}))
    tally.add_quarantined([{"resid_division": "410102009000"}, {"resid_division": None}])
    assert tally.read == {"410102": 2, "410103": 1, "": 3}
    assert tally.quarantined == {"410102": 1, "": 1}


def test_a_dataset_without_division_is_not_counted() -> None:
    tally = counties.Tally(catalogue.load().contract("transport/transit_ride"))
    tally.add_read(pa.record_batch({"card_no": pa.array(["1"])}))
    tally.add_quarantined([{"card_no": "1"}])
    assert tally.field is None
    assert not tally.read
    assert not tally.quarantined
