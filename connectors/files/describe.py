"""The columns of the newest file of a folder: its header, its Parquet schema, its records' keys."""

from __future__ import annotations

import csv
import fnmatch
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.common.record_columns import SAMPLE, of_records
from connectors.common.strict_json import at, parse_json
from connectors.files.folders import opened
from connectors.files.options import Csv, FilesSource, JsonDocument
from onecard.base.connections import Connection
from onecard.errors import ProtocolError
from onecard.model.drift import Described, Family, SourceColumn
from schemas.models.contract import Contract

LINE = 1 << 20
"""Characters of one line that are read at most."""


def describe(contract: Contract, connection: Connection) -> Described | None:
    """The newest file by name; None without one.

    Raises:
        ProtocolError: it cannot be read as what the contract says it is.
    """
    options = FilesSource.model_validate(dict(contract.source.options))
    note = options.manifest.suffix if options.manifest else None
    with opened(connection) as folder:
        names = [
            e.name
            for e in folder.entries(options.directory)
            if fnmatch.fnmatchcase(e.name, options.pattern)
            and not (note and e.name.endswith(note))
            and e.size <= options.max_bytes
        ]
        if not names:
            return None
        newest = max(names)
        with folder.local(f"{options.directory}/{newest}") as copy:
            try:
                columns = _columns(copy, options)
            except (pa.ArrowException, OSError, ValueError, RecursionError, csv.Error) as error:
                kind = f"{options.format.kind} ({type(error).__name__})"
                msg = f"{contract.id}: file {newest} cannot be read as {kind}"
                raise ProtocolError(msg) from None
    return Described(newest, columns, optional=options.format.kind in ("json", "jsonl"))


def _columns(copy: Path, options: FilesSource) -> tuple[SourceColumn, ...]:
    layout = options.format
    if layout.kind == "parquet":
        return tuple(_of_arrow(field) for field in pq.read_schema(copy))
    if isinstance(layout, Csv):
        return of_records(_csv(copy, layout))
    if isinstance(layout, JsonDocument):
        found = at(parse_json(copy.read_text(encoding="utf-8-sig")), layout.records)
        return of_records(found if isinstance(found, list) else ())
    with copy.open(encoding="utf-8") as stream:
        return of_records([parse_json(line) for line in islice(stream, SAMPLE)])


def _csv(copy: Path, options: Csv) -> Iterator[dict[str, str]]:
    """The header as a record without values, then a sample; what fails the gate fails there."""
    with copy.open(encoding=options.encoding, errors="replace", newline="") as stream:
        lines = (stream.readline(LINE) for _ in range(SAMPLE))
        rows = csv.reader((line for line in lines if line), delimiter=options.delimiter)
        header = [name.removeprefix("\ufeff") for name in next(rows, [])]
        yield dict.fromkeys(header, "")
        yield from (dict(zip(header, r, strict=True)) for r in rows if len(r) == len(header))


def _of_arrow(field: Any) -> SourceColumn:  # noqa: ANN401 - pyarrow has no types
    kind, types = field.type, pa.types
    family: Family = "other"
    if types.is_string(kind) or types.is_large_string(kind):
        family = "text"
    elif types.is_integer(kind):
        family = "integer"
    elif types.is_decimal(kind):
        family = "number"
    elif types.is_date(kind):
        family = "date"
    elif types.is_timestamp(kind):
        family = "timestamp"
    decimal = family == "number"
    return SourceColumn(
        field.name,
        family,
        str(kind),
        precision=kind.precision if decimal else None,
        scale=kind.scale if decimal else None,
    )
