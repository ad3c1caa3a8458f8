"""JSON records as Arrow batches of text columns, shared by the rest and files connectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import pyarrow as pa

from connectors.common.gather import Part
from connectors.common.strict_json import Written
from onecard.base import shown
from onecard.errors import SchemaMismatch
from onecard.ports.source import Column, ReadRequest

JSON_RULE, BOOLEAN_RULE = "record.json", "record.boolean"


def part(records: Sequence[Any], request: ReadRequest, origin: str, rule: str = JSON_RULE) -> Part:
    """Records (objects as parsed, numbers as text) as a batch; what is no flat object is damaged.

    A number of a key, an integer or a decimal has one form however it is written (1, 1.0, 1e0);
    true and false are no key.

    Args:
        records: one page or piece of objects as parsed.
        request: names the columns; the batch has them as text, by their contract names.
        origin: page or file, for messages.
        rule: that a record breaks which is no flat object.

    Raises:
        SchemaMismatch: records hold a key that the contract does not name, or lack one.
    """
    damaged = {i: rule for i, r in enumerate(records) if not _flat(r)}
    sound = [{} if i in damaged else r for i, r in enumerate(records)]
    _check_keys([r for i, r in enumerate(sound) if i not in damaged], request, origin)
    keys = [c.native for c in request.columns if c.key]
    spoilt = {i: BOOLEAN_RULE for i, r in enumerate(sound) if _no_key(r, keys)}
    arrays = [
        pa.array([_text(r.get(c.native), plain=is_plain(c)) for r in sound], pa.string())
        for c in request.columns
    ]
    names = [c.name for c in request.columns]
    return pa.RecordBatch.from_arrays(arrays, names=names), damaged | spoilt


def check_columns(found: Iterable[str], request: ReadRequest, origin: str) -> None:
    """Compare a file's columns with the contract's.

    Args:
        found: native names of the columns that are there.
        request: names those of the contract.
        origin: file, for messages.

    Raises:
        SchemaMismatch: names the unknown and the missing columns.
    """
    names = list(found)
    known = {c.native for c in request.columns}
    unknown = [place for place, name in enumerate(names) if name not in known]
    missing = [c for c in request.columns if c.required_to_read and c.native not in set(names)]
    if unknown:
        _refuse_unknown(shown.columns(names, known, unknown), request, origin)
    _refuse_missing(missing, request, origin)


def _check_keys(records: Sequence[dict[str, Any]], request: ReadRequest, origin: str) -> None:
    known = {c.native for c in request.columns}
    shapes = {tuple(r) for r in records}
    unknown = {
        (shown.column(key, shape, known) if key else "(without a name)")
        for shape in shapes
        for key in shape
        if key not in known
    }
    if unknown:
        _refuse_unknown(", ".join(sorted(unknown)), request, origin)
    needed = [c for c in request.columns if c.required and c.required_to_read]
    missing = [c for c in needed if any(c.native not in s for s in shapes)]
    _refuse_missing(missing, request, origin)


def _refuse_unknown(names: str, request: ReadRequest, origin: str) -> NoReturn:
    known = ", ".join(c.native for c in request.columns)
    msg = (
        f"{request.dataset} from {origin}: column {names} is not in the contract and is "
        f"refused; known: {known}"
    )
    raise SchemaMismatch(msg)


def _refuse_missing(missing: Sequence[Column], request: ReadRequest, origin: str) -> None:
    if missing:
        names = ", ".join(f"{c.native} ({c.name})" for c in missing)
        msg = f"{request.dataset} from {origin}: column {names} is missing"
        raise SchemaMismatch(msg)


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


def _no_key(record: Mapping[str, Any], keys: Sequence[str]) -> bool:
    return any(isinstance(record.get(native), bool) for native in keys)


def is_plain(column: Column) -> bool:
    """Whether numbers of a column have one form; elsewhere they are texts, as they are written."""
    return column.key or column.type in ("integer", "number")


def _text(value: object, *, plain: bool) -> str | None:
    if plain and isinstance(value, Written):
        return value.plain()
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None
