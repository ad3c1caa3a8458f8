"""The night of `bench.night`: the same rows by number in any city, and room that is asked for."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from bench import night
from bench.night_rows import NIGHT, rows, wanted
from demo.world import World
from schemas.models import catalogue

SHARE = 0.001


def test_every_dataset_has_its_number() -> None:
    assert set(NIGHT) == set(catalogue.load().contracts)


@pytest.mark.parametrize("dataset", sorted(NIGHT))
def test_a_night_is_as_large_in_a_city_twice_as_large(dataset: str) -> None:
    half, whole = (
        pl.concat(rows(World(1, persons), dataset, SHARE)) for persons in (100_000, 200_000)
    )
    assert 0 < len(half) <= wanted(dataset, SHARE)
    assert len(whole) == pytest.approx(len(half), rel=0.3, abs=3)
    key = list(catalogue.load().contract(dataset).key)
    assert not whole.select(key).is_duplicated().any()


def test_a_city_without_room_is_refused(tmp_path: Path) -> None:
    assert night.fitting(10, tmp_path, fit=False) == 10
    with pytest.raises(SystemExit, match="there is room for"):
        night.fitting(10**12, tmp_path, fit=False)
    assert 0 < night.fitting(10**12, tmp_path, fit=True) < 10**12
