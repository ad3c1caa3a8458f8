"""Vectorised checks of Chinese identifiers, on fixed-width byte matrices (no per-row Python).

GB 11643-1999 (citizen identification number, MOD 11-2 after ISO 7064), GB 32100-2015 (unified
social credit code, MOD 31-3), ISO/IEC 7812-1 annex B (Luhn).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import polars as pl

Bytes = npt.NDArray[np.uint8]
RowMask = npt.NDArray[np.bool_]

ID_LENGTH = 18
ID_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2], np.float32)
"""GB 11643-1999: 2^(18-i) mod 11 for the first seventeen digits."""
ID_CHECK = np.frombuffer(b"10X98765432", np.uint8)
"""The check character by the remainder of 11."""
EARLIEST_BIRTH = 18800101
ACCOUNT_WIDTHS = range(16, 20)
"""Digits of a bank account or card number."""

_USCC_ALPHABET = b"0123456789ABCDEFGHJKLMNPQRTUWXY"
"""GB 32100-2015 table 1: no I, O, S, V, Z."""
USCC_WEIGHTS = np.array([3**i % 31 for i in range(17)], np.float32)
USCC_VALUE = np.full(256, 255, np.uint8)
USCC_VALUE[np.frombuffer(_USCC_ALPHABET, np.uint8)] = np.arange(31, dtype=np.uint8)

_DAYS_IN_MONTH = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int32)


def matrix(values: pl.Series, width: int) -> tuple[Bytes, RowMask]:
    """UTF-8 bytes of a text column as an (n, width) matrix.

    Returns:
        The matrix, zero where a value is NULL or not exactly `width` bytes, and the mask of rows
        that are exactly `width` bytes.
    """
    sized = (values.str.len_bytes() == width).fill_null(value=False)
    mask: RowMask = sized.to_numpy()
    everything = bool(mask.all())
    chosen = values if everything else values.filter(sized)
    table = np.zeros((len(values), width), np.uint8)
    if len(chosen):
        array = chosen.to_arrow(compat_level=pl.CompatLevel.oldest())
        offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset :]
        data = np.frombuffer(array.buffers()[2], np.uint8)
        start = int(offsets[0])
        rows = data[start : start + len(chosen) * width].reshape(-1, width)
        if everything:
            return rows, mask
        table[mask] = rows
    return table, mask


DIVISION_UNKNOWN, DIVISION_KNOWN, DIVISION_REFUSED = 0, 1, 2
Divisions = npt.NDArray[np.uint8]
"""For each number below a million: what a division code of that number is."""


def divisions(known: Iterable[str], refused: Iterable[str]) -> Divisions:
    """The lookup table of division codes; HK, Macau, Taiwan (81-83) and foreigners (9) count."""
    table = np.zeros(1_000_000, np.uint8)
    table[[int(code) for code in known]] = DIVISION_KNOWN
    table[810000:840000] = DIVISION_KNOWN
    table[900000:] = DIVISION_KNOWN
    table[[int(code) for code in refused]] = DIVISION_REFUSED
    return table


def id_number(values: pl.Series, today: int, known: Divisions) -> dict[str, RowMask]:
    """Aspects of an ID number; each mask is True where the value is right (or not looked at).

    Args:
        values: text column.
        today: the transfer's date as yyyymmdd.
        known: lookup table of division codes.

    Returns:
        `format`, and for rows of right format: `checksum`, `birth_date`, `division`; `rounded`
        is False where the checksum is wrong and the number ends in 000, as numbers do that went
        through a float or a spreadsheet; `listed` is False where the division is unknown.
    """
    table, sized = matrix(values, ID_LENGTH)
    raw = table - np.uint8(ord("0"))
    digits = np.minimum(raw, 9)
    last = table[:, 17]
    right = sized & (raw[:, :17] <= 9).all(axis=1) & ((raw[:, 17] <= 9) | (last == ord("X")))
    total = digits[:, :17].astype(np.float32) @ ID_WEIGHTS
    expected = ID_CHECK[total.astype(np.int32) % 11]
    checksum = ~right | (expected == last)
    ends = (digits[:, 15] == 0) & (digits[:, 16] == 0) & (raw[:, 17] == 0)
    birth = _number(digits, 6, 14)
    division = known[_number(digits, 0, 6)]
    year, month, day = birth // 10000, birth // 100 % 100, birth % 100
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    longest = _DAYS_IN_MONTH[np.clip(month, 0, 12)] - ((month == 2) & ~leap)
    real = (month >= 1) & (month <= 12) & (day >= 1) & (day <= longest)
    plausible = real & (birth >= EARLIEST_BIRTH) & (birth <= today)
    return {
        "format": right | values.is_null().to_numpy(),
        "checksum": checksum,
        "rounded": checksum | ~ends,
        "birth_date": ~right | plausible,
        "division": ~right | (division != DIVISION_REFUSED),
        "listed": ~right | (division != DIVISION_UNKNOWN),
    }


def _number(digits: Bytes, start: int, end: int) -> npt.NDArray[np.int32]:
    """The decimal number that columns start to end of a digit matrix spell."""
    powers = 10.0 ** np.arange(end - start - 1, -1, -1)
    found: npt.NDArray[np.int32] = (digits[:, start:end].astype(np.float64) @ powers).astype(
        np.int32
    )
    return found


def uscc(values: pl.Series) -> dict[str, RowMask]:
    """Aspects `format` and `checksum` of a unified social credit code."""
    table, sized = matrix(values, 18)
    digits = USCC_VALUE[table]
    right = sized & (digits < 31).all(axis=1)
    total = np.where(right[:, None], digits[:, :17], 0).astype(np.float32) @ USCC_WEIGHTS
    expected = (31 - total.astype(np.int32) % 31) % 31
    return {
        "format": right | values.is_null().to_numpy(),
        "checksum": ~right | (expected == digits[:, 17]),
    }


def bank_account(values: pl.Series) -> dict[str, RowMask]:
    """Aspects `format` (16 to 19 digits) and `luhn` of a bank account or card number."""
    right = values.is_null().to_numpy().copy()
    luhn = np.ones(len(values), np.bool_)
    for width in ACCOUNT_WIDTHS:
        table, sized = matrix(values, width)
        if not sized.any():
            continue
        digits = table - np.uint8(ord("0"))
        numeric = sized & (digits <= 9).all(axis=1)
        right |= numeric
        doubled = digits[:, -2::-2] * np.uint8(2)
        doubled -= np.uint8(9) * (doubled > 9)
        total = digits[:, -1::-2].sum(axis=1, dtype=np.int32) + doubled.sum(axis=1, dtype=np.int32)
        luhn &= ~numeric | (total % 10 == 0)
    return {"format": right, "luhn": luhn}
