"""The file formats: reading in chunks, counting rows, writing deliveries."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.common.gather import OBJECT_ROWS, regrouped
from connectors.common.records import check_columns, part
from connectors.common.wire_text import as_text
from connectors.files import csv_read, jsonl_read, looks
from connectors.files.options import Csv, JsonDocument, JsonLines, Parquet
from connectors.files.skipped import Skipped
from onecard.errors import ProtocolError
from onecard.ports.sink import Parcel
from onecard.ports.source import Chunk, ReadRequest

UNPACKED_LIMIT = 64 * 1024**3
"""Uncompressed bytes that a Parquet file may promise, and unpack to; more is a bomb (F33)."""
BATCH_LIMIT = 2 * 1024**3
"""Unpacked bytes of one batch: it is held in memory as a whole."""


@dataclass(frozen=True, slots=True)
class Text:
    """A local copy of a file and what messages call it.

    Attributes:
        path: of the copy.
        origin: name of the file, as it may be shown.
        skipped: counts its lines that are no rows.
    """

    path: Path
    origin: str
    skipped: Skipped = field(default_factory=Skipped)


def chunks(file: Text, options: Csv | JsonLines | Parquet, request: ReadRequest) -> Iterator[Chunk]:
    """The file's rows; raises SchemaMismatch or ProtocolError naming the file.

    Args:
        file: a local copy.
        options: of the file's format.
        request: names the columns that the batches have.
    """
    if isinstance(options, Csv):
        yield from csv_read.chunks(file.path, file.origin, options, request, file.skipped)
    elif isinstance(options, Parquet):
        yield from _parquet(file.path, file.origin, request)
    else:
        records = jsonl_read.records(file.path, file.origin, file.skipped)
        parts = (part(some, request, file.origin) for some in records)
        yield from regrouped(parts, file.origin, request.batch_rows)


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


def count_rows(file: Text, options: Csv | JsonLines | JsonDocument | Parquet) -> int | None:
    """Rows of a file as its manifest counts them; None where it cannot be told cheaply."""
    if isinstance(options, Parquet):
        return int(_opened(file.path, file.origin).metadata.num_rows)
    if isinstance(options, JsonDocument):
        return None
    if isinstance(options, Csv):
        return csv_read.count(file.path, file.origin, options)
    return jsonl_read.count(file.path, file.origin)


def write(path: Path, options: Csv | Parquet, parcel: Parcel) -> int:
    """Write a parcel's rows; returns how many.

    Args:
        path: of the draft.
        options: of the file's format.
        parcel: schema and rows.
    """
    rows = 0
    if isinstance(options, Parquet):
        with pq.ParquetWriter(path, parcel.schema) as writer:
            for batch in parcel.batches:
                writer.write_batch(batch)
                rows += batch.num_rows
        return rows
    with path.open("w", encoding=options.codec, newline="") as stream:
        writer = csv.writer(stream, delimiter=options.delimiter, lineterminator="\r\n")
        writer.writerow(parcel.schema.names)
        for batch in parcel.batches:
            columns = [as_text(column).to_pylist() for column in batch.columns]
            writer.writerows(zip(*columns, strict=True))
            rows += batch.num_rows
    return rows


def _parquet(path: Path, origin: str, request: ReadRequest) -> Iterator[Chunk]:
    file = _opened(path, origin)
    check_columns(file.schema_arrow.names, request, origin)
    metadata = file.metadata
    size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    if size > UNPACKED_LIMIT:
        msg = f"{origin}: unpacks to {size} bytes; at most {UNPACKED_LIMIT} are read"
        raise ProtocolError(msg)
    wanted = [c for c in request.columns if c.native in file.schema_arrow.names]
    natives = [c.native for c in wanted]
    texts = [f.name for f in file.schema_arrow if pa.types.is_string(f.type)]
    first = unpacked = 0
    for batch in _opened(path, origin, texts).iter_batches(request.batch_rows, columns=natives):
        size = sum(map(_unpacked, batch.columns))
        unpacked += size
        if size > BATCH_LIMIT or unpacked > UNPACKED_LIMIT:
            msg = f"{origin}: unpacks to {unpacked} bytes after {first + batch.num_rows} rows"
            raise ProtocolError(msg)
        columns = [_plain(batch.column(name)) for name in natives]
        names = [c.name for c in wanted]
        yield Chunk(pa.RecordBatch.from_arrays(columns, names=names), origin, first + 1)
        first += batch.num_rows


def _unpacked(column: pa.Array) -> int:
    """Bytes of a column when every row holds its own text, told before that is done."""
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary).cast(pa.int64())
    return int(pc.sum(lengths.take(column.indices)).as_py() or 0)


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _opened(path: Path, origin: str, dictionaries: Sequence[str] = ()) -> pq.ParquetFile:
    """The file; columns of `dictionaries` keep each text once, however many rows hold it (F33)."""
    try:
        return pq.ParquetFile(path, read_dictionary=list(dictionaries))
    except (pa.ArrowInvalid, OSError):
        kind = looks.foreign(looks.head(path)) if path.is_file() else ""
        hint = f"; it looks like {kind}" if kind and kind != "Parquet" else ""
        msg = f"{origin}: not a Parquet file{hint}"
        raise ProtocolError(msg) from None
