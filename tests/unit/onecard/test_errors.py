"""A foreign error leaves as type and place, never with its text."""

from __future__ import annotations

import pytest

from onecard.errors import ConfigError, InternalError, as_onecard_error, nearest, unknown


def test_a_foreign_error_loses_its_text() -> None:
    try:
        int("410199194901010014X")
    except ValueError as error:
        found = as_onecard_error(error)
    assert isinstance(found, InternalError)
    assert "410199" not in str(found)
    assert "ValueError in test_errors.py:" in str(found)


def test_our_own_errors_stay_as_they_are() -> None:
    error = ConfigError("unknown dataset")
    assert as_onecard_error(error) is error


MANY = [f"agency{n}/dataset_{n}" for n in range(40)]


@pytest.mark.case("people-14", "few names are listed, of many only those that look alike")
def test_what_is_said_of_an_unknown_name() -> None:
    assert unknown("suite", "gm", ["b", "a"]) == "unknown suite 'gm'; known: a, b"
    assert unknown("suite", "x", []) == "unknown suite 'x'; known: none"
    near = unknown("dataset", "agency7/datset_7", MANY)
    assert near.startswith("unknown dataset 'agency7/datset_7'; did you mean agency7/dataset_7")
    assert "known:" not in near
    far = unknown("dataset", "zzz", MANY)
    assert far.endswith("and 28 more")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("hrss/card_mster", "hrss/card_master"),
        ("CARD_MASTER", "hrss/card_master"),
        ("  bank ", "bank"),
        ("f07", "f07-hrss-operator-card-status"),
        ("operator-card", "f07-hrss-operator-card-status"),
    ],
)
def test_the_nearest_names(written: str, meant: str) -> None:
    known = ["hrss/card_master", "bank", "f07-hrss-operator-card-status", "health/visit"]
    assert nearest(written, known)[0] == meant


@pytest.mark.parametrize("nothing", ["", " ", "zzzz", "\u3000"])
def test_nothing_is_near_to_nothing(nothing: str) -> None:
    assert nearest(nothing, ["hrss", "bank"]) == []
