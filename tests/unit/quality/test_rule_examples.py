"""Examples of right and wrong: the gate itself says so, for every rule of every contract."""

from __future__ import annotations

import pytest

from onecard.base import personal
from quality.rows.rule_examples import example, id_number
from quality.rows.rule_formulas import formula
from quality.rows.rules import main_field
from schemas.models import catalogue
from schemas.models.contract import Contract
from schemas.models.rules import Unique

CONTRACTS = sorted(catalogue.load().contracts.items())


@pytest.mark.parametrize(("name", "contract"), CONTRACTS, ids=[n for n, _ in CONTRACTS])
def test_every_rule_of_a_contract_has_an_example_and_words(name: str, contract: Contract) -> None:
    for rule in contract.rules:
        found = example(contract, main_field(rule), rule.name)
        assert (found is None) == isinstance(rule.check, Unique), f"{name} {rule.name}"
        for language in ("zh", "en"):
            words = formula(contract, rule.name, language)
            assert words
            assert "{" not in words
        if found is not None:
            assert found.right.keys() == found.wrong.keys() == set(rule.check.fields)
            assert found.right != found.wrong


@pytest.mark.parametrize(("name", "contract"), CONTRACTS, ids=[n for n, _ in CONTRACTS])
def test_rules_of_the_gate_have_an_example_for_each_field(name: str, contract: Contract) -> None:
    for field in contract.fields:
        rules = ["required"] if field.required else []
        if field.codes:
            rules.append("codes")
        elif field.type in ("date", "timestamp", "integer", "number"):
            rules.append("type")
        elif field.semantic_type.pattern:
            rules.append(f"{field.semantic}.format")
        elif field.semantic_type.validator == "id_number":
            rules += [f"id_number.{a}" for a in ("format", "checksum", "birth_date", "division")]
        elif field.semantic_type.validator:
            rules.append(f"{field.semantic}.format")
        else:
            rules += ["text.blanks", "text.control"]
        for rule in rules:
            found = example(contract, field.name, rule)
            assert found is not None, f"{name} {field.name} {rule}"
            assert found.right[field.name] is not None
            if rule == "required":
                assert found.wrong == {field.name: None}


def test_nobody_has_the_invented_number() -> None:
    number = id_number("410105", "19000101", "001")
    assert personal.is_id_number(number)
    assert number == "410105190001010010"


@pytest.mark.parametrize("rule", ["record.cells", "no_such", "file.total"])
def test_what_the_gate_does_not_judge_row_by_row_has_none(rule: str) -> None:
    contract = dict(CONTRACTS)["health/death_notice"]
    assert example(contract, "", rule) is None
    assert example(contract, "person_name", rule) is None
    assert formula(contract, rule, "zh") == ""
