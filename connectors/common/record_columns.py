"""Columns of records that declare no schema, from a sample of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from onecard.base.shown import is_like_a_value
from onecard.model.drift import SourceColumn, shape

_HIDDEN = "name(s) that may be values are left out, and not shown"
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


def place_of_rows(document: object) -> str:
    """The dotted path of the longest list of objects in a document; empty: there is none.

    A path with a name in it that may be a value is none: it would be shown.

    Args:
        document: as it was parsed; lists are not entered.
    """
    lists = {
        place: found
        for place, found in parts_of(document)
        if _is_rows(found) and not any(map(is_like_a_value, place.split(".")))
    }
    return max(lists, key=lambda place: len(lists[place]), default="")


def parts_of(document: object, place: str = "") -> Iterator[tuple[str, Any]]:
    """What stands in the objects of a document, by dotted path.

    Args:
        document: as it was parsed; lists are not entered.
        place: its own path.
    """
    if not isinstance(document, Mapping):
        return
    for name, value in document.items():
        below = f"{place}.{name}" if place else str(name)
        yield below, value
        yield from parts_of(value, below)


def _is_rows(found: object) -> bool:
    return isinstance(found, list) and bool(found) and all(isinstance(r, Mapping) for r in found)


def to_propose(records: Sequence[Any]) -> tuple[list[SourceColumn], list[str]]:
    """Columns that a contract can take, and what is to be said of the others.

    A name that may be a value is shown nowhere.

    Args:
        records: as they were parsed.
    """
    deep, found = _nested(records), of_records(records)
    hidden = {c.name for c in found if is_like_a_value(c.name)} | {*filter(is_like_a_value, deep)}
    said = [f"{len(hidden)} {_HIDDEN}"] if hidden else []
    said += [
        f"{name}: lists or objects, which no contract takes; left out"
        for name in deep
        if name not in hidden
    ]
    return [c for c in found if c.name not in hidden and c.name not in deep], said


def _nested(records: Iterable[Any]) -> tuple[str, ...]:
    """Keys under which lists or objects stand: no column of a contract takes them."""
    found = {
        str(name): None
        for record in records
        if isinstance(record, Mapping)
        for name, value in record.items()
        if isinstance(value, list | dict)
    }
    return tuple(found)


def _usual_width(texts: Sequence[str]) -> int | None:
    """The length that nine tenths of the values keep to."""
    lengths = sorted(map(len, filter(None, texts)))
    return lengths[(len(lengths) - 1) * 9 // 10] if lengths else None
