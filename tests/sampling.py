"""Which cases of a long list run in `make test`; the others run in `make test-nightly`."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import Any

import pytest

LONG = os.environ.get("ONECARD_LONG") == "1"
"""Whether repetitions have their full length, as in `make test-long`."""


def how_often(usual: int, long: int) -> int:
    """How often something is repeated that is new each time; `long` in `make test-long`."""
    return long if LONG else usual


def sampled(cases: Iterable[Any], quick: Collection[Any]) -> list[Any]:
    """The cases for `pytest.mark.parametrize`, those that are not quick marked `nightly`.

    A sample keeps one case of each kind, so that a rule is never proved at night only.

    Args:
        cases: values of one parameter, or tuples of several.
        quick: those of them that run in `make test`.
    """
    listed = list(cases)
    assert all(case in listed for case in quick), "a quick case is not in the list"
    return [
        case
        if case in quick
        else pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=NIGHTLY)
        for case in listed
    ]


NIGHTLY = pytest.mark.nightly
