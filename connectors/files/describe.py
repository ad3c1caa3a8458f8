"""The columns of the newest file of a folder: its header, its Parquet schema, its records' keys."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import closing
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa

from connectors.common.record_columns import SAMPLE, of_records
from connectors.common.source_types import drift_family
from connectors.common.strict_json import parse_json
from connectors.files import (
    contents,
    csv_header,
    dbf_read,
    excel_read,
    fixed_read,
    jsonl_read,
    parquet_read,
    parquet_types,
    xml_read,
)
from connectors.files.folders import opened
from connectors.files.layouts import Dbf, Excel, FixedWidth, Xml
from connectors.files.manifest import file_digest
from connectors.files.options import Csv, FilesSource, JsonDocument, ParquetSource, PlainFormat, Zip
from connectors.files.skipped import Skipped
from connectors.files.text_file import Text
from onecard.base import shown
from onecard.base.connections import Connection
from onecard.errors import ProtocolError, SchemaMismatch
from onecard.model.drift import Described, SourceColumn
from onecard.ports.source import Column
from schemas.models.contract import Contract

LINE = 1 << 20
"""Bytes of one line that are read at most."""


def describe(contract: Contract, connection: Connection) -> Described | None:
    """The newest file by name; None without one, or without a record where only those have names.

    Raises:
        ProtocolError: it cannot be read as what the contract says it is.
        SchemaMismatch: what stands in its header's place names no column of the contract.
    """
    options = FilesSource.model_validate(dict(contract.source.options))
    with opened(connection) as folder:
        names = [
            e.name
            for e in folder.entries(options.directory)
            if options.names(e.name) and e.size <= options.max_bytes
        ]
        if not names:
            return None
        newest = max(names)
        with folder.local(f"{options.directory}/{newest}") as copy:
            origin = _name(copy, newest)
            try:
                file = Text(copy, origin, limit=options.max_bytes)
                columns = _columns(file, options, contract)
            except (pa.ArrowException, OSError, ValueError, RecursionError, csv.Error) as error:
                kind = f"{options.format.kind} ({type(error).__name__})"
                msg = f"{contract.id}: file {origin} cannot be read as {kind}"
                raise ProtocolError(msg) from None
    optional = _plain(options).kind in ("json", "jsonl", "xml")
    if optional and not columns:
        return None
    if not shown.is_header([c.name for c in columns], [f.native for f in contract.fields]):
        msg = f"{contract.id} from {origin}: none of its {len(columns)} names is the contract's"
        raise SchemaMismatch(msg)
    return Described(origin, columns, optional=optional)


def _name(copy: Path, listed: str) -> str:
    """The file's name as a reading of it will show it."""
    return (
        listed if shown.file_name(listed) == listed else shown.file_name(listed, file_digest(copy))
    )


def _plain(options: FilesSource) -> PlainFormat:
    """The format of the rows, whatever they are packed in."""
    return options.format.of if isinstance(options.format, Zip) else options.format


def _columns(file: Text, options: FilesSource, contract: Contract) -> tuple[SourceColumn, ...]:
    if not isinstance(options.format, Zip):
        return _unpacked(file, options.format, contract)
    with closing(contents.members(file, options.format)) as members, next(members) as inner:
        return _unpacked(inner, options.format.of, contract)


def _unpacked(file: Text, layout: PlainFormat, contract: Contract) -> tuple[SourceColumn, ...]:
    copy = file.path
    if isinstance(layout, ParquetSource):
        where = f"{contract.id} from {file.origin}"
        natives = [f.native for f in contract.fields]
        return tuple(parquet_columns(file, layout.timezone, where, natives))
    if isinstance(layout, Csv):
        return of_records(_csv(file, layout, contract))
    if isinstance(layout, JsonDocument):
        found = layout.rows_of(parse_json(copy.read_text(encoding="utf-8-sig")))
        return of_records(found if isinstance(found, list) else ())
    if isinstance(layout, Excel | Dbf | Xml | FixedWidth):
        return of_records(_office(file, layout, contract))
    records = chain.from_iterable(jsonl_read.records(copy, file.origin, Skipped()))
    return of_records(islice(records, SAMPLE))


def _office(
    file: Text, layout: Excel | Dbf | Xml | FixedWidth, contract: Contract
) -> Iterator[object]:
    """Names as a record without values where the file has them, then a sample of its rows."""
    where = f"{contract.id} from {file.origin}"
    known = {
        f.native: Column(f.name, f.native, type=f.type, format=f.format) for f in contract.fields
    }
    if isinstance(layout, Excel):
        return excel_read.sample(file, layout, (list(known.values()), where), SAMPLE)
    if isinstance(layout, Dbf):
        return dbf_read.sample(file, layout, (known, where), SAMPLE)
    if isinstance(layout, FixedWidth):
        return fixed_read.sample(file, layout, SAMPLE)
    return islice(chain.from_iterable(xml_read.records(file, layout)), SAMPLE)


def _csv(file: Text, options: Csv, contract: Contract) -> Iterator[dict[str, str]]:
    """The header as a record without values, then a sample; what fails the gate fails there."""
    natives = [f.native for f in contract.fields]
    with file.path.open("rb") as stream:
        found = csv_header.read(stream, file.origin, options)
        csv_header.check_form(found, f"{contract.id} from {file.origin}", natives, options)
        header = found.names
        yield dict.fromkeys(header, "")
        lines = (stream.readline(LINE).decode(options.codec, "replace") for _ in range(SAMPLE))
        rows = csv.reader((line for line in lines if line), delimiter=options.delimiter)
        yield from (dict(zip(header, r, strict=True)) for r in rows if len(r) == len(header))


def parquet_columns(
    copy: Text, zone: str | None, where: str, natives: list[str]
) -> Iterator[SourceColumn]:
    """The columns that a Parquet file declares.

    Args:
        copy: a local copy.
        zone: of times without one; None: such columns are refused.
        where: dataset and file, for messages.
        natives: names that the contract has for columns.

    Raises:
        SchemaMismatch: a column stands twice.
    """
    file = parquet_read.opened(copy.path, copy.origin)
    parquet_read.each_once(file.schema_arrow.names, natives, where)
    for column in parquet_types.declared(file, zone).values():
        kind = file.schema_arrow.field(column.name).type
        decimal = pa.types.is_decimal(kind)
        yield SourceColumn(
            column.name,
            drift_family(column.type),
            column.declared,
            accepts=column.type,
            precision=kind.precision if decimal else None,
            scale=kind.scale if decimal else None,
        )
