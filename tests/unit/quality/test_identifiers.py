"""The kernels against python-stdnum's checksum functions and the published vectors."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from stdnum import luhn
from stdnum.cn import ric
from stdnum.cn import uscc as stdnum_uscc

from quality.rows import identifiers

TODAY = 20261124
KNOWN = identifiers.divisions(["110105", "440524", "440308", "360426", "410199"], ["410171"])


def id_aspects(values: list[str | None]) -> dict[str, list[bool]]:
    found = identifiers.id_number(pl.Series(values, dtype=pl.String), TODAY, KNOWN)
    return {aspect: mask.tolist() for aspect, mask in found.items()}


@pytest.fixture(scope="module")
def vectors(domain: Path) -> dict[str, object]:
    return json.loads((domain / "oracle_vectors.json").read_text("utf-8"))


def test_published_numbers_are_right(vectors) -> None:
    for name in ("id18_valid_published_examples", "id18_demo_410199"):
        assert all(all(masks) for masks in id_aspects(vectors[name]).values())
    for mask in identifiers.uscc(pl.Series(vectors["uscc_valid"])).values():
        assert mask.all()
    for mask in identifiers.bank_account(pl.Series(vectors["luhn_valid"])).values():
        assert mask.all()
    assert not identifiers.uscc(pl.Series(vectors["uscc_invalid"]))["checksum"].any()


def test_published_wrong_numbers_are_wrong_for_their_reason(vectors) -> None:
    reasons = {
        "checksum wrong": "checksum",
        "checksum right, month 13": "birth_date",
        "checksum right, 29 Feb 1989 impossible": "birth_date",
        "checksum right, birth in the future": "birth_date",
        "17 digits": "format",
        "lower-case x: normalise to X then valid": "format",
    }
    for number, why in vectors["id18_invalid"].items():
        wrong = [aspect for aspect, mask in id_aspects([number]).items() if not mask[0]]
        assert wrong == [reasons[why]], why


def test_checksums_agree_with_stdnum_on_random_numbers() -> None:
    random = np.random.default_rng(1)
    heads = ["".join(map(str, row)) for row in random.integers(0, 10, (3000, 17))]
    numbers = [head + str(random.choice(list("0123456789X"))) for head in heads]
    expected = [ric.calc_check_digit(n) == n[-1] for n in numbers]
    assert id_aspects(numbers)["checksum"] == expected
    assert any(expected)
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    codes = ["".join(random.choice(list(alphabet), 18)) for _ in range(3000)]
    codes += [c[:17] + stdnum_uscc.calc_check_digit(c[:17]) for c in codes]
    expected = [stdnum_uscc.calc_check_digit(c[:17]) == c[-1] for c in codes]
    assert identifiers.uscc(pl.Series(codes))["checksum"].tolist() == expected
    accounts = ["".join(map(str, random.integers(0, 10, n))) for n in [16, 17, 18, 19] * 500]
    found = identifiers.bank_account(pl.Series(accounts))
    assert found["luhn"].tolist() == [luhn.is_valid(a) for a in accounts]
    assert found["format"].all()


def test_every_day_of_four_centuries_is_judged_as_the_calendar_does() -> None:
    years = [*range(1879, 1905), *range(1996, 2005), *range(2025, 2028), 2100]
    days = [(y, m, d) for y in years for m in range(14) for d in range(33)]
    heads = [f"110105{y:04}{m:02}{d:02}0011" for y, m, d in days]

    def real(y: int, m: int, d: int) -> bool:
        try:
            return date(1880, 1, 1) <= date(y, m, d) <= date(2026, 11, 24)
        except ValueError:
            return False

    assert id_aspects(heads)["birth_date"] == [real(*day) for day in days]


@pytest.mark.parametrize("kernel", [identifiers.uscc, identifiers.bank_account])
def test_empty_null_and_sliced_columns(kernel) -> None:
    for values in ([], [None, None]):
        for mask in kernel(pl.Series(values, dtype=pl.String)).values():
            assert len(mask) == len(values)
            assert mask.all()


def test_slices_and_chunks_see_their_own_rows() -> None:
    good, bad = "11010519491231002X", "110105194912310021"
    column = pl.Series([bad, good, None, bad, good])
    found = identifiers.id_number(column[1:4], TODAY, KNOWN)
    assert found["checksum"].tolist() == [True, True, False]
    chunked = pl.concat([column[:2], column[3:]], rechunk=False)
    assert identifiers.id_number(chunked, TODAY, KNOWN)["checksum"].tolist() == [
        False,
        True,
        False,
        True,
    ]


def test_divisions() -> None:
    numbers = ["410171199001010010", "129999199001010010", "820000199001010010"]
    found = id_aspects(numbers)
    assert found["division"] == [False, True, True]
    assert found["listed"] == [True, False, True]
