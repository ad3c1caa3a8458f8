"""Persons of a list are found by a hash, and no hash decides about anybody."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from onecard.deliver import listed_persons
from onecard.deliver.listed_persons import ListedPersons

LISTED = pl.Series(["410105199001011234", None, "41010519900101123X", "410105199001011234"])
ASKED = pl.Series(["410105199001011234", "410105199001011235", None, "41010519900101123X", ""])
FOUND = [True, False, False, True, False]


@pytest.mark.parametrize("native", [True, False])
def test_listed_persons_are_found_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch, *, native: bool
) -> None:
    monkeypatch.setenv("ONECARD_NATIVE", "on" if native else "off")
    assert ListedPersons(LISTED).holds(ASKED).to_list() == FOUND


def test_nobody_is_found_in_a_list_of_nobody() -> None:
    for listed in (pl.Series([], dtype=pl.String), pl.Series([None], dtype=pl.String)):
        assert not ListedPersons(listed).holds(ASKED).any()


def test_no_rows_give_no_answers() -> None:
    assert ListedPersons(LISTED).holds(ASKED.head(0)).to_list() == []


def test_many_persons_are_found_as_by_comparing_each() -> None:
    persons = pl.Series(range(20_000)).cast(pl.String)
    listed = persons.gather_every(7)
    assert ListedPersons(listed).holds(persons).equals(persons.is_in(listed.implode()))


def test_a_person_who_shares_a_hash_with_a_listed_one_is_not_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listed_persons, "_hashes", lambda persons: np.zeros(len(persons), np.int64))
    one = ListedPersons(LISTED.head(1))
    assert one.holds(ASKED).to_list() == [True, False, False, False, False]


def test_two_listed_persons_with_one_hash_are_both_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed_persons, "_hashes", lambda persons: np.zeros(len(persons), np.int64))
    assert ListedPersons(LISTED).holds(ASKED).to_list() == FOUND
