"""Columns of records that declare no schema, from a sample of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from onecard.model.drift import SourceColumn, shape

SAMPLE = 200
"""Records that are looked at."""


def of_records(records: Iterable[Any]) -> tuple[SourceColumn, ...]:
    """Name, usual width and shapes of each key; numbers come as their text."""
    sound = [r for r in islice(records, SAMPLE) if isinstance(r, Mapping)]
    there = Counter(key for record in sound for key in record)
    found = []
    for name, times in there.items():
        texts = [r[name] for r in sound if isinstance(r.get(name), str)]
        column = SourceColumn(
            str(name),
            "text",
            "text",
            width=_usual_width(texts),
            shapes=frozenset(map(shape, texts)),
            always=times == len(sound),
        )
        found.append(column)
    return tuple(found)


def _usual_width(texts: Sequence[str]) -> int | None:
    """The length that nine tenths of the values keep to."""
    lengths = sorted(map(len, filter(None, texts)))
    return lengths[(len(lengths) - 1) * 9 // 10] if lengths else None
