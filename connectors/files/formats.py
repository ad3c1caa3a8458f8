"""The file formats: reading in chunks, counting rows, writing deliveries."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.common.gather import OBJECT_ROWS, regrouped
from connectors.common.records import part
from connectors.common.wire_text import as_text
from connectors.files import (
    csv_header,
    csv_read,
    dbf_read,
    excel_read,
    fixed_read,
    jsonl_read,
    parquet_read,
    xml_read,
)
from connectors.files.layouts import Dbf, Excel, FixedWidth, Xml
from connectors.files.options import Csv, CsvSource, JsonDocument, JsonLines, Parquet, ParquetSource
from connectors.files.text_file import Text
from onecard.errors import ProtocolError
from onecard.ports.sink import Parcel
from onecard.ports.source import Chunk, ReadRequest

LONGEST_TITLE = 1000
"""Characters of a line above the rows in which a number of rows is looked for."""
Streamed = Csv | JsonLines | Parquet | Excel | Dbf | Xml | FixedWidth
"""Formats whose files are read piece by piece."""


def chunks(file: Text, options: Streamed, request: ReadRequest) -> Iterator[Chunk]:
    """The file's rows; raises SchemaMismatch or ProtocolError naming the file.

    Args:
        file: a local copy.
        options: of the file's format.
        request: names the columns that the batches have.
    """
    if isinstance(options, Csv):
        yield from csv_read.chunks(file.path, file.origin, options, request, file.skipped)
    elif isinstance(options, Parquet):
        zone = options.timezone if isinstance(options, ParquetSource) else None
        yield from parquet_read.chunks(file.path, file.origin, request, zone)
    elif isinstance(options, JsonLines):
        parts = jsonl_read.parts(file.path, file.origin, request, file.skipped)
        yield from regrouped(parts, file.origin, request.batch_rows)
    else:
        yield from _office(file, options, request)


def _office(
    file: Text, options: Excel | Dbf | Xml | FixedWidth, request: ReadRequest
) -> Iterator[Chunk]:
    if isinstance(options, Excel):
        return excel_read.chunks(file, options, request)
    if isinstance(options, Dbf):
        return dbf_read.chunks(file, options, request)
    if isinstance(options, Xml):
        return xml_read.chunks(file, options, request)
    return fixed_read.chunks(file, options, request)


def json_chunks(records: object, origin: str, request: ReadRequest) -> Iterator[Chunk]:
    """The rows of a JSON document's list.

    Args:
        records: what stands at the document's path of rows.
        origin: name of the file, for messages.
        request: names the columns that the batches have, as text.
    """
    if not isinstance(records, list):
        msg = f"{request.dataset}: file {origin} has no list of rows where the contract says"
        raise ProtocolError(msg)
    starts = range(0, len(records), OBJECT_ROWS)
    parts = (part(records[n : n + OBJECT_ROWS], request, origin) for n in starts)
    yield from regrouped(parts, origin, request.batch_rows)


def count_rows(file: Text, options: Streamed | JsonDocument) -> int | None:
    """Rows of a file as its manifest counts them; None where it cannot be told cheaply."""
    if isinstance(options, Parquet):
        return int(parquet_read.opened(file.path, file.origin).metadata.num_rows)
    if isinstance(options, JsonDocument):
        return None
    if isinstance(options, Csv):
        return csv_read.count(file.path, file.origin, options)
    if isinstance(options, JsonLines):
        return jsonl_read.count(file.path, file.origin)
    return _count_office(Text(file.path, file.origin, limit=file.limit), options)


def _count_office(file: Text, options: Excel | Dbf | Xml | FixedWidth) -> int:
    if isinstance(options, Excel):
        return excel_read.count(file, options)[0]
    if isinstance(options, FixedWidth):
        return fixed_read.count(file, options)[0]
    if isinstance(options, Dbf):
        return dbf_read.count(file, options)
    return xml_read.count(file, options)


def is_total_kept(file: Text, options: Streamed | JsonDocument) -> bool:
    """Whether the file has as many rows as a line above them says; True where none must say so.

    Args:
        file: a local copy.
        options: of the file's format.
    """
    if not isinstance(options, Excel | FixedWidth | CsvSource) or options.total is None:
        return True
    own = Text(file.path, file.origin, limit=file.limit)
    if isinstance(options, Excel):
        rows, titles = excel_read.count(own, options)
    elif isinstance(options, FixedWidth):
        rows, titles = fixed_read.count(own, options)
    else:
        with file.path.open("rb") as stream:
            titles = csv_header.read(stream, file.origin, options).titles
        rows = csv_read.count(file.path, file.origin, options)
    return options.total.number_in([line[:LONGEST_TITLE] for line in titles]) == rows


def write(path: Path, options: Csv | Parquet, parcel: Parcel) -> int:
    """Write a parcel's rows; returns how many.

    Args:
        path: of the draft.
        options: of the file's format.
        parcel: schema and rows.
    """
    if isinstance(options, Parquet):
        return _parquet(path, parcel)
    rows = 0
    with path.open("w", encoding=options.codec, newline="") as stream:
        writer = csv.writer(stream, delimiter=options.delimiter, lineterminator="\r\n")
        writer.writerow(parcel.schema.names)
        for batch in parcel.batches:
            columns = [as_text(column).to_pylist() for column in batch.columns]
            writer.writerows(zip(*columns, strict=True))
            rows += batch.num_rows
    return rows


SAMPLE = 10_000
"""Rows of the first batch that tell in which columns values repeat."""


def _parquet(path: Path, parcel: Parcel) -> int:
    """Write Parquet; tokens and the like without a dictionary, which would hold all of them."""
    batches, rows = iter(parcel.batches), 0
    first = next(batches, None)
    sample = None if first is None else first.slice(0, SAMPLE)
    repeating = [] if sample is None else list(_repeating(sample))
    dense = {} if sample is None else dict.fromkeys(_dense(sample.drop_columns(repeating)), "NONE")
    packing = dict.fromkeys(parcel.schema.names, "SNAPPY") | dense
    with pq.ParquetWriter(
        path, parcel.schema, use_dictionary=repeating, compression=packing
    ) as writer:
        for batch in chain([] if first is None else [first], batches):
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _repeating(batch: pa.RecordBatch) -> Iterator[str]:
    """Columns of which at most half of the values are the first of their kind."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_null(column.type) or _kinds(column) <= len(column) / 2:
            yield name


def _dense(batch: pa.RecordBatch) -> Iterator[str]:
    """Columns of text that compression takes less than a tenth from: tokens."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_large_string(column.type) or pa.types.is_string(column.type):
            text = "".join(filter(None, column.to_pylist())).encode()
            if 10 * len(pa.compress(text, codec="snappy", asbytes=True)) > 9 * len(text):
                yield name


def _kinds(column: pa.Array) -> int:
    return int(pc.count_distinct(column, mode="all").as_py())
