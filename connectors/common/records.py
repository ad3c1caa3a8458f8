"""JSON records as Arrow batches of text columns, shared by the rest and files connectors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from connectors.common.gather import Part
from onecard.errors import SchemaMismatch
from onecard.ports.source import Column, ReadRequest

JSON_RULE = "record.json"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_DIGITS = re.compile(r"[0-9]{6}")


def part(records: Sequence[Any], request: ReadRequest, origin: str) -> Part:
    """Records (objects as parsed, numbers as text) as a batch; what is no flat object is damaged.

    Args:
        records: one page or piece of objects as parsed.
        request: names the columns; the batch has them as text, by their contract names.
        origin: page or file, for messages.

    Raises:
        SchemaMismatch: records hold a key that the contract does not name, or lack one.
    """
    damaged = {i: JSON_RULE for i, r in enumerate(records) if not _flat(r)}
    sound = [{} if i in damaged else r for i, r in enumerate(records)]
    _check_keys([r for i, r in enumerate(sound) if i not in damaged], request, origin)
    arrays = [
        pa.array([_text(r.get(c.native)) for r in sound], pa.string()) for c in request.columns
    ]
    names = [c.name for c in request.columns]
    return pa.RecordBatch.from_arrays(arrays, names=names), damaged


def check_columns(found: Iterable[str], request: ReadRequest, origin: str) -> None:
    """Compare a file's columns with the contract's.

    Args:
        found: native names of the columns that are there.
        request: names those of the contract.
        origin: file, for messages.

    Raises:
        SchemaMismatch: names the unknown and the missing columns.
    """
    there = set(found)
    unknown = sorted(there - {c.native for c in request.columns})
    missing = [c for c in request.columns if c.required_to_read and c.native not in there]
    _refuse(unknown, missing, request, origin)


def _check_keys(records: Sequence[dict[str, Any]], request: ReadRequest, origin: str) -> None:
    known = {c.native for c in request.columns}
    shapes = {frozenset(r) for r in records}
    unknown = sorted({key for shape in shapes for key in shape - known})
    needed = [c for c in request.columns if c.required and c.required_to_read]
    missing = [c for c in needed if any(c.native not in s for s in shapes)]
    _refuse(unknown, missing, request, origin)


def _refuse(unknown: list[str], missing: list[Column], request: ReadRequest, origin: str) -> None:
    if unknown:
        known = ", ".join(c.native for c in request.columns)
        msg = (
            f"{request.dataset} from {origin}: column {describe(unknown)} is not in the "
            f"contract and is refused; known: {known}"
        )
        raise SchemaMismatch(msg)
    if missing:
        names = ", ".join(f"{c.native} ({c.name})" for c in missing)
        msg = f"{request.dataset} from {origin}: column {names} is missing"
        raise SchemaMismatch(msg)


def describe(names: Iterable[str]) -> str:
    """Column names for a message; what may be a value in a header's place is only counted."""
    listed = list(names)
    plain = sorted(n for n in listed if _PLAIN.fullmatch(n) and not _DIGITS.search(n))
    hidden = len(listed) - len(plain)
    return ", ".join([*plain, *([f"({hidden} not shown: no plain names)"] if hidden else [])])


def _flat(record: object) -> bool:
    return (
        isinstance(record, dict)
        and all(v is None or isinstance(v, str | bool) for v in record.values())
        and all(_encodable(v) for v in record.values())
    )


def _encodable(value: object) -> bool:
    if not isinstance(value, str) or value.isascii():
        return True
    return not any("\ud800" <= c <= "\udfff" for c in value)


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None
