"""Numbers are found where they stand, by both paths."""

from __future__ import annotations

import numpy as np
import pytest

from onecard.native.lookup import Lookup

EDGES = [-(2**63), -(2**63) + 1, -1, 0, 1, 2**62, 2**63 - 1]


@pytest.fixture(params=["on", "off"], autouse=True)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONECARD_NATIVE", request.param)


@pytest.mark.parametrize("size", [0, 1, 2, 7, 8, 1000, 50_000])
@pytest.mark.parametrize("kind", ["even", "narrow", "edges"])
def test_every_number_is_found_and_no_other(size: int, kind: str) -> None:
    rng = np.random.default_rng(size)
    most = 5 if kind == "narrow" else 2**62
    values = np.sort(rng.integers(-most, most, size))
    if kind == "edges":
        values = np.sort(np.append(values, EDGES)).astype(np.int64)
    others = rng.integers(-(2**63), 2**63 - 1, 1000)
    wanted = rng.permutation(np.concatenate([values, others, np.array(EDGES, np.int64)]))
    first = {value: place for place, value in reversed(list(enumerate(values.tolist())))}
    expected = [first.get(value, -1) for value in wanted.tolist()]
    assert Lookup(values).places(wanted).tolist() == expected


def test_a_view_with_steps_is_read_as_what_it_shows() -> None:
    values = np.arange(0, 100, dtype=np.int64)
    assert Lookup(values[::10]).places(values[::-5]).tolist() == [
        -1 if n % 10 else n // 10 for n in range(99, -1, -5)
    ]
