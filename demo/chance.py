"""Chance without state: everything is a function of (seed, index, salt), vectorised in numpy."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Index = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


class Chance:
    """Draws for an array of indices; two salts give independent draws."""

    def __init__(self, seed: int, index: Index) -> None:
        self.index = index
        self._seed = seed

    def bits(self, salt: str) -> npt.NDArray[np.uint64]:
        """64 uniform bits for each index (splitmix64)."""
        start = (
            self._seed * 0x9E3779B97F4A7C15 + zlib.crc32(salt.encode()) * 0xBF58476D1CE4E5B9
        ) % 2**64
        x = self.index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))

    def below(self, salt: str, limit: int) -> Index:
        """A whole number from 0 to limit - 1 for each index."""
        return (self.bits(salt) % np.uint64(limit)).astype(np.int64)

    def share(self, salt: str, probability: float) -> npt.NDArray[np.bool_]:
        """True with that probability."""
        return (self.bits(salt) >> np.uint64(11)).astype(np.float64) < probability * 2.0**53

    def pick(self, salt: str, choices: list[str]) -> pl.Series:
        """One of the choices for each index."""
        return pl.Series(choices)[self.below(salt, len(choices))]


def digits(numbers: Index, width: int) -> Bytes:
    """The numbers as ASCII digits, an (n, width) matrix."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def constant(text: str, rows: int) -> Bytes:
    """ASCII text repeated, an (n, len) matrix."""
    return np.broadcast_to(np.frombuffer(text.encode(), np.uint8), (rows, len(text)))


def text(*parts: Bytes) -> pl.Series:
    """Byte matrices side by side as a text column."""
    table = np.ascontiguousarray(np.hstack(parts))
    rows, width = table.shape
    offsets = np.arange(rows + 1, dtype=np.int64) * width
    array = pa.LargeStringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(table))
    return pl.Series(pl.from_arrow(array))


def luhn_digit(matrix: Bytes) -> Bytes:
    """The Luhn check digit of each row of ASCII digits, an (n, 1) matrix."""
    values = (matrix - ord("0")).astype(np.int32)
    doubled = values[:, ::-2] * 2
    doubled -= 9 * (doubled > 9)
    total = doubled.sum(axis=1) + values[:, -2::-2].sum(axis=1)
    found: Bytes = ((10 - total % 10) % 10 + ord("0")).astype(np.uint8)[:, None]
    return found


def id_check(matrix: Bytes) -> Bytes:
    """The MOD 11-2 check character (GB 11643-1999) of seventeen ASCII digits, an (n, 1) matrix."""
    weights = np.array([2 ** (17 - i) % 11 for i in range(17)], np.int64)
    total = (matrix - ord("0")).astype(np.int64) @ weights
    found: Bytes = np.frombuffer(b"10X98765432", np.uint8)[total % 11][:, None]
    return found


def uscc(numbers: Index) -> pl.Series:
    """A valid unified social credit code (GB 32100-2015) for each number."""
    head = np.hstack([constant("9141", len(numbers)), digits(numbers, 13)])
    weights = np.array([3**i % 31 for i in range(17)], np.int64)
    total = (head - ord("0")).astype(np.int64) @ weights
    alphabet = np.frombuffer(b"0123456789ABCDEFGHJKLMNPQRTUWXY", np.uint8)
    return text(head, alphabet[(31 - total % 31) % 31][:, None])
