"""Columns of rows that were given back: by which names a file has them, and what is passed over."""

from __future__ import annotations

import pyarrow as pa

from onecard.collect import drift_policy
from onecard.operations import own_columns
from onecard.ports.source import Chunk
from schemas.models import catalogue


def natives(*there: str) -> dict[str, str]:
    contract = catalogue.load().contract("education/edu_enrolment")
    found = own_columns.named(contract, drift_policy.columns(contract), there)
    return {column.name: column.native for column in found}


def test_a_column_is_known_by_three_forms_of_its_name() -> None:
    assert natives()["person_name"] == "XM"
    assert natives("XM", "SFZJH")["person_name"] == "XM"
    assert natives("person_name")["person_name"] == "person_name"
    assert natives("姓名 XM")["person_name"] == "姓名 XM"
    assert natives("学生姓名 XM")["person_name"] == "XM"  # another title: no column of ours


def test_the_hubs_own_columns_are_known_by_their_last_word() -> None:
    assert set(own_columns.OWN).isdisjoint(natives("XM"))
    found = natives("行号 hub_row", "Row number hub_row", "hub_record", "my_hub_origin")
    assert found["hub_record"] == "hub_record"
    assert found["hub_row"].endswith(" hub_row")
    assert "hub_origin" not in found


def test_they_are_passed_over_and_nothing_else_is() -> None:
    batch = pa.RecordBatch.from_pydict({"hub_row": ["1"], "a": ["x"], "hub_reasons": ["y"]})
    chunk = Chunk(batch, "f", unread={"hub_row": {0: "z"}, "a": {0: "q"}}, because={"a": {0: "r"}})
    left = own_columns.without(chunk)
    assert left.batch.to_pydict() == {"a": ["x"]}
    assert (left.unread, left.because) == ({"a": {0: "q"}}, {"a": {0: "r"}})
    assert own_columns.without(left) is left
