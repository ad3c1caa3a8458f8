"""Records of JSON by the compiled scanner, where it is there; those that are odd by `records.part`.

Both give the same batches, damaged rows and refusals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.gather import OBJECT_ROWS, Part
from connectors.common.records import is_plain, part
from connectors.common.strict_json import at, parse_json
from onecard import native
from onecard.native import json_scan
from onecard.native.cells import LARGEST
from onecard.native.json_scan import ObjectKey
from onecard.ports.source import ReadRequest


def keys_of(request: ReadRequest) -> list[ObjectKey]:
    """The keys that records may have, as the scanner takes them.

    Args:
        request: names the columns.
    """
    return [
        ObjectKey(c.native, c.key, is_plain(c), c.required and c.required_to_read)
        for c in request.columns
    ]


def lines(
    data: bytes, parsed: Callable[[bytes], Any], request: ReadRequest, origin: str
) -> tuple[Part, int, int] | None:
    """The first JSON Lines as a batch, how many blank ones are among them, and their bytes.

    Args:
        data: whole lines.
        parsed: a line as an object, or as what stands for a damaged one.
        request: names the columns; the batch has them as text, by their contract names.
        origin: file, for messages.

    Returns:
        None where there is no scanner, or it cannot take them.

    Raises:
        SchemaMismatch: records hold a key that the contract does not name, or lack one.
    """
    library, keys = native.library(), keys_of(request)
    if library is None or len(data) > LARGEST or not json_scan.can_name([k.name for k in keys]):
        return None
    found = json_scan.lines(library, data, keys)
    batch = _batch(found.columns, request)
    if not len(found.odd):
        return (batch, {}), found.blank, found.taken
    places: list[int] = found.odd.tolist()
    damaged: dict[int, str] = {}
    parts = []
    for start in range(0, len(places), OBJECT_ROWS):
        rows = places[start : start + OBJECT_ROWS]
        spans = found.places[rows].tolist()
        made, spoilt = part([parsed(data[a:b]) for a, b in spans], request, origin)
        damaged |= {rows[place]: rule for place, rule in spoilt.items()}
        parts.append(made)
    whole = with_rows(batch, found.odd, pa.Table.from_batches(parts))
    return (whole, damaged), found.blank, found.taken


@dataclass(frozen=True, slots=True)
class ScannedRows:
    """A JSON document whose rows were scanned.

    Attributes:
        batch: the rows, as text, by their contract names.
        around: the document as parsed, with an empty list instead of the rows.
        listed: the list of rows as it stands in the document.
    """

    batch: pa.RecordBatch
    around: Any
    listed: bytes


def document(data: bytes, path: str, request: ReadRequest) -> ScannedRows | None:
    """A document with a list of rows.

    What stands around the list is read strictly, with an empty list instead: that tells whether the
    list stands at its path, and whether the whole is JSON.

    Args:
        data: the document, UTF-8 without a byte order mark.
        path: dotted path of the list.
        request: names the columns.

    Returns:
        None where there is no scanner, or anything in the list is odd.

    Raises:
        ValueError: not JSON.
        RecursionError: nested too deeply.
    """
    library, keys, steps = native.library(), keys_of(request), path.split(".")
    if library is None or not json_scan.can_name([k.name for k in keys], steps):
        return None
    found = json_scan.list_at(library, data, steps, keys)
    if found is None:
        return None
    around = parse_json((data[: found.begin] + b"[]" + data[found.end :]).decode("utf-8"))
    if at(around, path) != []:
        return None
    return ScannedRows(_batch(found.columns, request), around, data[found.begin : found.end])


def _batch(columns: Sequence[pa.Array], request: ReadRequest) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns), names=[c.name for c in request.columns])


def with_rows(batch: pa.RecordBatch, places: Any, rows: pa.Table) -> pa.RecordBatch:  # noqa: ANN401 - NumPy's
    """A batch with some of its rows replaced by others, in the same columns.

    Args:
        batch: all of them.
        places: of those that are replaced, upwards, as NumPy's numbers.
        rows: instead of them, in their order.
    """
    mask = np.zeros(batch.num_rows, np.bool_)
    mask[places] = True
    columns = [
        pc.replace_with_mask(column, pa.array(mask), rows.column(name).combine_chunks())
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
