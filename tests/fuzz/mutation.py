"""Bytes that are wrong in ways nobody thought of: random ones, and sound ones spoilt."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

CASES = int(os.environ.get("ONECARD_FUZZ_CASES", "60"))
"""Cases of each target; ONECARD_FUZZ_CASES raises it, as `make test-nightly` does."""
SECRETS = ("410199194901010014", "13812345678", "6222021702001234566", "张秘密")
"""Values that stand in the sound inputs and may stand in no message."""
fuzzed = settings(
    max_examples=CASES,
    deadline=timedelta(seconds=5),
    suppress_health_check=list(HealthCheck),
    derandomize="ONECARD_FUZZ_CASES" not in os.environ,
)
"""Without ONECARD_FUZZ_CASES the same cases every time; a case that takes five seconds hangs."""


@st.composite
def spoilt(draw: Any, sound: bytes, marks: bytes) -> bytes:
    """A sound input with a few bytes changed, cut, doubled, moved or put in.

    Args:
        draw: Hypothesis's.
        sound: what the parser takes.
        marks: bytes that mean something in the format.
    """
    data = bytearray(sound)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        to = min(len(data), at + draw(st.integers(0, 40)))
        how = draw(st.sampled_from(("flip", "mark", "cut", "double", "move", "end", "random")))
        if how == "flip" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "mark":
            data[at:at] = draw(st.sampled_from([marks[i : i + 1] for i in range(len(marks))])) * (
                draw(st.sampled_from((1, 1, 1, 2, 3000)))
            )
        elif how == "cut":
            del data[at:to]
        elif how == "double":
            data[at:at] = data[at:to]
        elif how == "move":
            piece = bytes(data[at:to])
            del data[at:to]
            place = draw(st.integers(0, len(data)))
            data[place:place] = piece
        elif how == "end":
            del data[at:]
        else:
            data[at:to] = draw(st.binary(max_size=40))
    return bytes(data)


def inputs(sound: bytes, marks: bytes) -> st.SearchStrategy[bytes]:
    """Mostly spoilt sound input; now and then any bytes."""
    return st.one_of(spoilt(sound, marks), spoilt(sound, marks), st.binary(max_size=400))


def silent(error: BaseException) -> None:
    """No secret in a message or in what it was raised from."""
    seen: BaseException | None = error
    while seen is not None:
        for secret in SECRETS:
            assert secret not in str(seen), "a value is in a message"
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
