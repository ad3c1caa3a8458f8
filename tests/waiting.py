"""Waiting for a condition, with a generous limit."""

from __future__ import annotations

import time
from collections.abc import Callable

LIMIT_S = 120.0


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until it holds.

    Args:
        condition: asked again and again.
        what: is waited for; said where it never comes.
    """
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, f"not within {LIMIT_S:g} s: {what}"
        time.sleep(0.01)
