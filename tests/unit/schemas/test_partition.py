"""What a contract may say of its source's partitions."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

import connectors
from schemas.lint.partition import _complaints
from schemas.models import catalogue
from schemas.models.contract import Contract
from schemas.models.partition import CHOICES, ByRange, Partition

CARDS, RIDES, SETTLEMENTS = (
    "hrss/card_master",
    "transport/transit_ride",
    "medical_insurance/med_settlement",
)
PARAMETER = {"by": "parameter", "parameter": "area", "values": ["1", "2"]}


def read(value: dict[str, Any]) -> Partition:
    return TypeAdapter(Partition).validate_python(value)


def divided(dataset: str, partition: dict[str, Any], **options: Any) -> Contract:
    """A contract of ours with partitions."""
    contract = catalogue.load().contract(dataset)
    more = {**contract.source.options, **options}
    source = contract.source.model_copy(update={"partition": read(partition), "options": more})
    return contract.model_copy(update={"source": source})


def complaints(contract: Contract) -> dict[str, str]:
    return dict(_complaints(contract))


def test_ranges_have_no_gap() -> None:
    found = ByRange(by="range", field="n", bounds=(0, 10))
    assert [found.ends(n) for n in range(found.count)] == [(None, 0), (0, 10), (10, None)]


@pytest.mark.parametrize(
    "value",
    [
        {"by": "hash", "parts": 1},
        {"by": "hash", "parts": 65},
        {"by": "range", "field": "n", "bounds": []},
        {"by": "range", "field": "n", "bounds": [5, 5]},
        {"by": "range", "field": "n", "bounds": [5, 4]},
        {"by": "parameter", "parameter": "p", "values": ["a"]},
        {"by": "parameter", "parameter": "p", "values": ["a", "a"]},
        {"by": "name", "parts": 2, "field": "n"},
        {"by": "page", "parts": 2},
    ],
)
def test_what_divides_nothing_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read(value)


def test_every_kind_of_system_has_its_way() -> None:
    assert set(CHOICES) == set(connectors.KINDS)


def test_a_table_by_a_hash_of_its_key() -> None:
    assert complaints(divided(CARDS, {"by": "hash", "parts": 4})) == {}


def test_a_range_needs_an_integer_of_the_key() -> None:
    found = complaints(divided(CARDS, {"by": "range", "field": "card_no", "bounds": [5]}))
    assert "must be an integer of the key" in found["field"]


def test_each_kind_names_its_choices() -> None:
    by_name = complaints(divided(CARDS, {"by": "name", "parts": 2}))
    assert by_name == {"by": "sql is not read by name; valid choices: hash, range"}
    by_hash = complaints(divided(RIDES, {"by": "hash", "parts": 2}))
    assert by_hash == {"by": "files is not read by hash; valid choices: name"}


def test_a_key_of_times_has_no_hash() -> None:
    contract = divided(CARDS, {"by": "hash", "parts": 2})
    fields = tuple(
        f.model_copy(update={"type": "timestamp"}) if f.name == "card_no" else f
        for f in contract.fields
    )
    found = complaints(contract.model_copy(update={"fields": fields}))
    assert "no one text" in found["by"]


def test_an_api_without_a_total_must_be_exhaustive() -> None:
    keyset = {"kind": "keyset", "cursor_param": "c", "next": "n", "size_param": "s"}
    assert complaints(divided(SETTLEMENTS, PARAMETER)) == {}
    assert "exhaustive" in complaints(divided(SETTLEMENTS, PARAMETER, paginator=keyset))
    stated = {**PARAMETER, "exhaustive": True}
    assert complaints(divided(SETTLEMENTS, stated, paginator=keyset)) == {}


def test_the_parameter_stands_once() -> None:
    found = complaints(divided(SETTLEMENTS, PARAMETER, params={"area": "1"}))
    assert list(found) == ["parameter"]
