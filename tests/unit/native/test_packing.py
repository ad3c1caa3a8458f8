"""Packed entries and the rows of COPY that hold them: the library writes what the plain path does."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecard import native
from onecard.store import holding, packed_copy
from onecard.store.packed_copy import Groups

T = TypeVar("T")


def entries(count: int, seed: int, *, alike: bool) -> pl.DataFrame:
    """Entries of random references; alike: many share their first half."""
    made = np.random.default_rng(seed)
    first = made.integers(0, 2**64, count, np.uint64)
    high = first[made.integers(0, max(count // 3, 1), count)] if alike and count else first
    low, digest = (made.integers(0, 2**bits, count, np.uint64) for bits in (64, 48))
    frame = pl.DataFrame({"high": high, "low": low, "digest": digest})
    return frame.with_columns(pl.Series("transfer", range(count), pl.UInt32))


@given(
    st.integers(0, 400), st.integers(0, 2**32), st.sampled_from([1, 2, 3, 20, 400]), st.booleans()
)
def test_entries_are_packed_alike(count: int, seed: int, groups: int, alike: bool) -> None:
    held = entries(count, seed, alike=alike)
    found, wanted = _both(lambda: holding._grouped(held, groups))
    for name in ("numbers", "starts", "records"):
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
    assert holding._unpacked(found.records.tobytes()).equals(
        held.sort(holding.KEY).select(list(holding.SCHEMA))
    )


@given(st.integers(0, 400), st.integers(0, 2**32), st.sampled_from([1, 3, 20, 400]))
def test_a_record_in_parts_is_the_same_record(count: int, seed: int, at_once: int) -> None:
    held = entries(count, seed, alike=True)
    whole = holding.packed(held)
    wanted = holding._grouped(held, whole.buckets)
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(holding, "_AT_ONCE", at_once)
        parts = list(whole.groups())
    assert len(parts) >= min(whole.buckets, count // (at_once + holding._EACH))
    assert [n for p in parts for n in p.numbers.tolist()] == wanted.numbers.tolist()
    assert [r for p in parts if len(p.numbers) for r in p.parts()] == wanted.parts()


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=20), st.integers(0, 5))
def test_groups_become_the_same_rows(parts: list[bytes], before: int) -> None:
    records = np.frombuffer(bytes(before) + b"".join(parts), np.uint8)
    starts = before + np.cumsum([0, *map(len, parts)], dtype=np.int64)
    numbers = np.arange(len(parts), dtype=np.int32) * 1_000_003
    head = struct.pack(">hiiii", 3, 4, 7, 4, 0)
    groups = Groups(numbers, starts, records)
    found, wanted = _both(lambda: packed_copy._rows(head, len(head) - 4, groups))
    assert bytes(found) == bytes(wanted)
    assert bytes(wanted) == b"".join(
        head[:-4] + struct.pack(">ii", number, len(part)) + part
        for number, part in zip(numbers.tolist(), parts, strict=True)
    )


def test_the_library_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert native.library() is not None
    monkeypatch.setattr(holding, "_sorted", _never)
    monkeypatch.setattr(packed_copy, "_joined", _never)
    groups = holding._grouped(entries(50, 1, alike=False), 3)
    assert packed_copy._rows(struct.pack(">hii", 2, 4, 0), 6, groups)


def _never(*_: object) -> npt.NDArray[np.uint8]:
    msg = "the plain path was taken"
    raise AssertionError(msg)


def _both(made: Callable[[], T]) -> tuple[T, T]:
    """What the library makes, and what is made without it."""
    found = made()
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(os.environ, "ONECARD_NATIVE", "off")
        return found, made()
