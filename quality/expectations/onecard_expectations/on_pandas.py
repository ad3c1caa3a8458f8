"""What is wrong with the values of one column, on pandas: numpy masks by name of the rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from . import forms
from .forms import Spec

PandasMask = Any
Faults = dict[str, PandasMask]
"""True where a value breaks the rule; NULL breaks only `required`."""


def faults(spec: Spec, column: Any, now: str | None) -> Faults:  # noqa: ANN401 - pandas Series
    """Every check of a field by itself.

    Args:
        spec: what the field's values must be, as the suite has it.
        column: the field's column, texts or None.
        now: ISO 8601 instant of the check; None: not asked for.
    """
    values = column.astype(object).to_numpy()
    null = pd.isna(values)
    found: Faults = {"required": null} if spec.get("required") else {}
    here = np.flatnonzero(~null)
    texts = values[here].astype(str) if len(here) else np.array([], dtype=str)
    for rule, broken in _of_texts(spec, texts.tolist(), now).items():
        mask = np.zeros(len(values), dtype=bool)
        mask[here] = broken
        found[rule] = mask
    return found


def _of_texts(spec: Spec, texts: list[str], now: str | None) -> Faults:
    if spec["type"] != "string":
        return _types(spec, texts)
    validator, semantic = spec.get("validator"), spec.get("semantic")
    found: Faults = {}
    if spec.get("codes"):
        found["codes"] = ~np.isin(np.array(texts, dtype=object), np.array(spec["codes"], object))
    elif spec.get("regex"):
        right = matches(texts, spec["regex"])
        found[f"{semantic}.format"] = ~right
        found["text.control"] = right & matches(texts, forms.CONTROL)
        found["text.blanks"] = right & matches(texts, forms.AROUND)
    elif not validator:
        found["text.control"] = matches(texts, forms.CONTROL)
        found["text.blanks"] = matches(texts, forms.AROUND)
    if spec.get("max_length"):
        found["max_length"] = np.array([len(t) > spec["max_length"] for t in texts], dtype=bool)
    if validator:
        judged = _VALIDATORS[validator](texts, spec, now)
        found |= {f"{semantic}.{aspect}": mask for aspect, mask in judged.items()}
    return found


def matches(texts: list[str], regex: str) -> PandasMask:
    """Where a regular expression is found."""
    plain = pd.Series(texts, dtype=object)
    return plain.str.contains(regex, regex=True).to_numpy(dtype=bool)


def _types(spec: Spec, texts: list[str]) -> Faults:
    if spec["type"] == "number":
        numeric = matches(texts, forms.NUMBER)
        return {"scale": numeric & ~matches(texts, forms.fits(spec)), "type": ~numeric}
    if spec["type"] == "integer":
        return {"type": ~matches(texts, forms.INTEGER)}
    return {"type": np.isnat(moments(spec, texts))}


def moments(spec: Spec, texts: list[str]) -> Any:  # noqa: ANN401 - numpy array
    """Dates and instants (UTC) as datetime64 in microseconds, NaT where the text is none."""
    found = np.full(len(texts), np.datetime64("NaT"), dtype="datetime64[us]")
    if spec["type"] == "date":
        written = spec.get("format")
        dated = forms.written_date(written) if written else forms.Dated(forms.DATE)
        texts = [forms.padded(text) for text in texts] if written else texts
    else:
        dated = forms.Dated(forms.INSTANT)
    shaped = np.flatnonzero(matches(texts, dated.regex))
    chosen = [texts[i] for i in shaped]
    days = [_iso(text, dated) for text in chosen]
    real = np.flatnonzero(_real([int(day.replace("-", "")) for day in days]))
    found[shaped[real]] = np.array([days[i] for i in real], dtype="datetime64[us]")
    if spec["type"] == "timestamp" and len(real):
        found[shaped[real]] += _clock([chosen[i] for i in real])
        low, high = (np.datetime64(t, "us") for t in (forms.FIRST_INSTANT, forms.LAST_INSTANT))
        found[(found < low) | (found > high)] = np.datetime64("NaT")
    return found


def _iso(text: str, dated: forms.Dated) -> str:
    year, month, day = dated.year, dated.month, dated.day
    return f"{text[year : year + 4]}-{text[month : month + 2]}-{text[day : day + 2]}"


def _clock(texts: list[str]) -> Any:  # noqa: ANN401 - numpy array
    """Time of day less the offset, as timedelta64."""
    parts = pd.Series(texts, dtype=object).str.extract(
        r"[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))\Z"
    )
    hour, minute, second = (parts[i].astype(np.int64).to_numpy() for i in range(3))
    fraction = parts[3].fillna("").str.ljust(6, "0").astype(np.int64).to_numpy()
    away = [parts[i].fillna("0").astype(np.int64).to_numpy() for i in (5, 6)]
    east = np.where(parts[4].fillna("+").to_numpy() == "-", -1, 1) * (away[0] * 60 + away[1])
    total = ((hour * 60 + minute - east) * 60 + second) * 1_000_000 + fraction
    return total.astype("timedelta64[us]")


def _real(numbers: Any) -> PandasMask:  # noqa: ANN401 - list or array of yyyymmdd
    """Which numbers yyyymmdd are days of the calendar, from year 1 on."""
    given = np.asarray(numbers, dtype=np.int64)
    year, month, day = given // 10000, given // 100 % 100, given % 100
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    longest = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])[np.minimum(month, 12)]
    longest = longest - ((month == 2) & ~leap)
    return (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= longest)


def _id_number(texts: list[str], spec: Spec, now: str | None) -> Faults:
    right = matches(texts, forms.ID_NUMBER)
    bytes_ = _bytes(texts, right, 18)
    digits = bytes_[:, :17].astype(np.int64) - 48
    total = digits @ np.array(forms.ID_WEIGHTS)
    expected = np.frombuffer(forms.ID_CHECK.encode(), np.uint8)[total % 11]
    powers = 10 ** np.arange(7, -1, -1)
    birth, division = digits[:, 6:14] @ powers, digits[:, :6] @ powers[2:]
    wrong = expected != bytes_[:, 17]
    rounded = (digits[:, 15] == 0) & (digits[:, 16] == 0) & (bytes_[:, 17] == 48)
    day = _real(birth) & (birth >= forms.FIRST_BIRTH) & (birth <= forms.yyyymmdd(now))
    refused = np.isin(division, [int(code) for code in spec.get("refused", ())])
    found = {
        "format": ~right,
        "checksum": _spread(right, wrong),
        "rounded": _spread(right, wrong & rounded),
        "birth_date": _spread(right, ~day),
        "division": _spread(right, refused),
    }
    if spec.get("known"):
        known = np.isin(division, [int(code) for code in forms.divisions(spec)])
        known |= (division // 10000 >= 81) & (division // 10000 <= 83) | (division >= 900000)
        found["listed"] = _spread(right, ~known)
    return found


def _uscc(texts: list[str], _spec: Spec, _now: str | None) -> Faults:
    right = matches(texts, forms.USCC)
    value = np.zeros(256, np.int64)
    value[np.frombuffer(forms.USCC_ALPHABET.encode(), np.uint8)] = np.arange(31)
    digits = value[_bytes(texts, right, 18)]
    expected = (31 - digits[:, :17] @ np.array(forms.USCC_WEIGHTS) % 31) % 31
    return {"format": ~right, "checksum": _spread(right, expected != digits[:, 17])}


def _bank_account(texts: list[str], _spec: Spec, _now: str | None) -> Faults:
    right = matches(texts, forms.BANK_ACCOUNT)
    digits = _bytes([t.rjust(20, "0") for t in texts], right, 20).astype(np.int64) - 48
    doubled = np.array([int(d) for d in forms.DOUBLED])[digits[:, ::2]]
    total = doubled.sum(axis=1) + digits[:, 1::2].sum(axis=1)
    return {"format": ~right, "luhn": _spread(right, total % 10 != 0)}


def _bytes(texts: list[str], right: PandasMask, width: int) -> Any:  # noqa: ANN401 - numpy array
    """The right ASCII texts as a matrix of bytes."""
    joined = "".join(t for t, ok in zip(texts, right, strict=True) if ok).encode("ascii")
    return np.frombuffer(joined, np.uint8).reshape(-1, width)


def _spread(right: PandasMask, broken: PandasMask) -> PandasMask:
    """A mask over the right texts as a mask over all of them."""
    mask = np.zeros(len(right), dtype=bool)
    mask[right] = broken
    return mask


_VALIDATORS: dict[str, Callable[[list[str], Spec, str | None], Faults]] = {
    "id_number": _id_number,
    "uscc": _uscc,
    "bank_account": _bank_account,
}
