"""Every rule that the gate can report by itself has a Chinese title."""

from __future__ import annotations

import pytest

from quality.rows import rule_titles
from schemas.models import catalogue, semantic


def test_every_built_in_rule_of_every_contract_has_a_title() -> None:
    kinds = {f.semantic for c in catalogue.load().contracts.values() for f in c.fields}
    aspects = {
        "id_number": ("format", "checksum", "rounded", "birth_date", "division"),
        "uscc": ("format", "checksum"),
        "bank_account": ("format", "luhn"),
    }
    rules = [f"{k}.{a}" for k, names in aspects.items() for a in names]
    rules += [f"{k}.format" for k in kinds if semantic.semantic_type(k).pattern]
    rules += ["required", "type", "scale", "max_length", "text.control", "codes"]
    for rule in rules:
        assert rule_titles.title(rule) != rule
        assert rule_titles.title(rule).isascii() is False


@pytest.mark.parametrize("rule", ["no_such_rule", "no.such.format", "money.nothing"])
def test_an_unknown_rule_is_its_own_title(rule: str) -> None:
    assert rule_titles.title(rule) == rule


def test_every_rule_has_a_title_in_english_too() -> None:
    assert rule_titles.ENGLISH.keys() == rule_titles.BUILT_IN.keys()
    assert rule_titles.ASPECTS_IN_ENGLISH.keys() == rule_titles.ASPECTS.keys()
    assert rule_titles.title("id_number.checksum", "en") == "id number: wrong check character"
    assert rule_titles.title("required", "en").isascii()
    assert rule_titles.title("no_such_rule", "en") == "no_such_rule"
