"""CSV into batches of text: fast where the file is sound, record by record where it is not.

All ways give the same rows; blank lines are none. A record that cannot be decoded or has the wrong
number of cells is damaged; an unterminated quote damages its own line and does not swallow the rows
after it (F25). Only LF and CR LF end a line: U+2028, NEL and a lone CR are data (F26).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from connectors.common.gather import Part, regrouped
from connectors.files import csv_arrow, csv_header, gb18030
from connectors.files.csv_careful import careful
from connectors.files.fixed_cells import check_encoding
from connectors.files.options import Csv
from connectors.files.skipped import Skipped
from onecard import native
from onecard.errors import ProtocolError
from onecard.native.csv_scan import Layout, Scanner
from onecard.ports.source import Chunk, ReadRequest

PIECE = 1 << 22
"""Bytes that are read at once; memory does not grow with the file."""
ODD_LINES = 64
"""Lines that are read record by record from an odd one on, before the scanner goes on."""


@dataclass(frozen=True, slots=True)
class _Records:
    """How the records behind a header are read.

    Attributes:
        header: names of the columns.
        options: encoding and delimiter.
        skipped: counts what is no row.
    """

    header: list[str]
    options: Csv
    skipped: Skipped


def chunks(
    path: Path, origin: str, options: Csv, request: ReadRequest, skipped: Skipped
) -> Iterator[Chunk]:
    """The file's rows.

    Args:
        path: of a local copy.
        origin: name of the file, for messages.
        options: encoding and delimiter.
        request: names the columns; the batches have them as text, by their contract names.
        skipped: counts what is no row.

    Raises:
        SchemaMismatch: unknown, missing or repeated columns.
        ProtocolError: no header row, an endless line, or UTF-8 where GB18030 is declared.
    """
    with path.open("rb") as stream:
        header = csv_header.read(stream, origin, options)
        csv_header.check(header, origin, request, options)
        skipped.blank += header.blank
        skipped.titles += len(header.titles)
        parts = _parts(stream, origin, _Records(header.names, options, skipped))
        chosen = ((_chosen(batch, request), damaged) for batch, damaged in parts)
        yield from regrouped(chosen, origin, request.batch_rows)


def count(path: Path, origin: str, options: Csv) -> int:
    """Records of the file after its header, damaged ones included.

    Args:
        path: of a local copy.
        origin: name of the file, for messages.
        options: encoding and delimiter.
    """
    with path.open("rb") as stream:
        header = csv_header.read(stream, origin, options)
        parts = _parts(stream, origin, _Records(header.names, options, Skipped()))
        return sum(batch.num_rows for batch, _ in parts)


def _chosen(batch: pa.RecordBatch, request: ReadRequest) -> pa.RecordBatch:
    there = [c for c in request.columns if c.native in batch.schema.names]
    columns = [batch.column(c.native) for c in there]
    return pa.RecordBatch.from_arrays(columns, names=[c.name for c in there])


def _parts(stream: BinaryIO, origin: str, records: _Records) -> Iterator[Part]:
    """The rows after the header, piece by piece."""
    rest = b""
    while True:
        block = stream.read(PIECE)
        data = rest + block
        cut = data.rfind(b"\n") + 1 if block else len(data)
        whole, rest = data[:cut], data[cut:]
        if len(rest) > csv_header.LONGEST_LINE:
            msg = f"{origin}: a line is longer than {csv_header.LONGEST_LINE} bytes"
            raise ProtocolError(msg)
        if not block:
            whole = whole.removesuffix(b"\x1a")
        check_encoding(whole, origin, records.options.encoding)
        if whole:
            rest = (yield from _piece(whole, records, final=not block)) + rest
        if not block:
            return


def _piece(whole: bytes, records: _Records, *, final: bool) -> Generator[Part, None, bytes]:
    """The rows of whole lines; returns those of a last record that may go on in the next piece."""
    header, options, skipped = records.header, records.options, records.skipped
    library = native.library()
    if library is not None and options.delimiter.isascii():
        scanner = Scanner(library, whole, _layout(header, options))
        return (yield from _scanned(scanner, whole, records, final=final))
    table = csv_arrow.fast(whole, header, options, skipped)
    if table is not None:
        for batch in table.to_batches():
            yield csv_arrow.sifted(batch, header, options, skipped)
        return b""
    part, tail = careful(whole, header, options, skipped, final=final)
    yield part
    return tail


def _scanned(
    scanner: Scanner, whole: bytes, records: _Records, *, final: bool
) -> Generator[Part, None, bytes]:
    """The sound rows by the scanner; from an odd one on, some lines record by record."""
    header, options, skipped = records.header, records.options, records.skipped
    place, tail = 0, b""
    while True:
        found = scanner.scan(place)
        skipped.blank += found.blank
        if found.batch.num_rows:
            yield found.batch, {}
        if found.end == len(whole):
            return b""
        end = _behind_lines(whole, found.end, ODD_LINES)
        at_end = end == len(whole)
        lines = whole[found.end : end]
        part, tail = careful(lines, header, options, skipped, final=final and at_end)
        yield part
        if at_end:
            return tail
        place = end - len(tail)


def _behind_lines(data: bytes, start: int, count: int) -> int:
    """The place behind so many lines, or the data's end."""
    for _ in range(count):
        start = data.find(b"\n", start) + 1
        if not start:
            return len(data)
    return start


def _layout(header: list[str], options: Csv) -> Layout:
    codes = gb18030.codes() if options.encoding == "gb18030" else None
    return Layout(tuple(header), options.delimiter, options.blanks, codes)
