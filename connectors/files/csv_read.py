"""CSV into batches of text: fast where the file is sound, record by record where it is not.

Both ways give the same rows. A record that cannot be decoded or has the wrong number of cells is
damaged; an unterminated quote damages its own line and does not swallow the rows after it (F25).
Only LF and CR LF end a line: U+2028, NEL and a lone CR are data (F26).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pacsv

from connectors.common.gather import Part, regrouped
from connectors.common.records import check_columns, describe
from connectors.files.csv_cells import BadQuote, cells_of, plainly_quoted
from connectors.files.options import Csv
from onecard.errors import ProtocolError, SchemaMismatch
from onecard.ports.source import Chunk, ReadRequest

CELLS, ENCODING = "record.cells", "record.encoding"
_BOM = "\ufeff"
LONGEST = 5
"""Lines that one record with quoted line breaks may take."""
PIECE = 1 << 23
"""Bytes that are read at once; memory does not grow with the file."""
LONGEST_LINE = 1 << 26
"""Bytes of one line; a longer one is no CSV."""
TELLING = 8
"""Ideographs in text that happens to be UTF-8 after which it is no accident (F27)."""
_IDEOGRAPH = re.compile("[\u4e00-\u9fff]")


def chunks(path: Path, origin: str, options: Csv, request: ReadRequest) -> Iterator[Chunk]:
    """The file's rows.

    Args:
        path: of a local copy.
        origin: name of the file, for messages.
        options: encoding and delimiter.
        request: names the columns; the batches have them as text, by their contract names.

    Raises:
        SchemaMismatch: unknown, missing or repeated columns.
        ProtocolError: no header row, an endless line, or UTF-8 where GB18030 is declared.
    """
    with path.open("rb") as stream:
        header = _header(stream, origin, options)
        _check(header, origin, request)
        yield from regrouped(
            (
                (_chosen(batch, request), damaged)
                for batch, damaged in _parts(stream, origin, header, options)
            ),
            origin,
            request.batch_rows,
        )


def count(path: Path, options: Csv) -> int:
    """Records of the file after its header, damaged ones included."""
    with path.open("rb") as stream:
        header = _header(stream, path.name, options)
        return sum(batch.num_rows for batch, _ in _parts(stream, path.name, header, options))


def _chosen(batch: pa.RecordBatch, request: ReadRequest) -> pa.RecordBatch:
    there = [c for c in request.columns if c.native in batch.schema.names]
    columns = [batch.column(c.native) for c in there]
    return pa.RecordBatch.from_arrays(columns, names=[c.name for c in there])


def _header(stream: BinaryIO, origin: str, options: Csv) -> list[str]:
    first = stream.readline(LONGEST_LINE).removesuffix(b"\n").removesuffix(b"\r")
    try:
        text = first.decode(options.encoding).removeprefix(_BOM)
    except UnicodeDecodeError:
        msg = f"{origin}: the header row is not {options.encoding}"
        raise ProtocolError(msg) from None
    try:
        names = next(csv.reader([text], delimiter=options.delimiter), [])
    except csv.Error:  # a lone CR, which some take for a line's end
        msg = f"{origin}: the header row is no CSV"
        raise ProtocolError(msg) from None
    if not names:
        msg = f"{origin}: no header row"
        raise ProtocolError(msg)
    return names


def _check(header: list[str], origin: str, request: ReadRequest) -> None:
    """Compare the header with the contract; a first row of data is never named in a message."""
    natives = {c.native for c in request.columns}
    if not natives.intersection(header):
        msg = f"{request.dataset} from {origin}: the first row names no column of the contract"
        raise SchemaMismatch(msg)
    check_columns(header, request, origin)
    if len(set(header)) != len(header):
        twice = describe(name for name in set(header) if header.count(name) > 1)
        msg = f"{request.dataset} from {origin}: column {twice} stands twice"
        raise SchemaMismatch(msg)


def _parts(stream: BinaryIO, origin: str, header: list[str], options: Csv) -> Iterator[Part]:
    """The rows after the header, piece by piece; each piece goes the fast way if it can."""
    rest = b""
    while True:
        block = stream.read(PIECE)
        data = rest + block
        cut = data.rfind(b"\n") + 1 if block else len(data)
        whole, rest = data[:cut], data[cut:]
        if len(rest) > LONGEST_LINE:
            msg = f"{origin}: a line is longer than {LONGEST_LINE} bytes"
            raise ProtocolError(msg)
        _check_encoding(whole, origin, options)
        table = _fast(whole, header, options) if whole else None
        if table is not None:
            yield from ((batch, {}) for batch in table.to_batches())
        elif whole:
            part, tail = _careful(whole, header, options, final=not block)
            rest = tail + rest
            yield part
        if not block:
            return


def _check_encoding(data: bytes, origin: str, options: Csv) -> None:
    """UTF-8 reads as GB18030 without an error, but as other characters (F27)."""
    if options.encoding == "utf-8" or data.isascii():
        return
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    if len(_IDEOGRAPH.findall(text)) >= TELLING:
        msg = f"{origin}: the file is UTF-8; the contract declares {options.encoding}"
        raise ProtocolError(msg)


def _fast(data: bytes, header: list[str], options: Csv) -> pa.Table | None:
    """Arrow's reader, or None where it would not see what the careful way sees.

    Arrow takes a lone CR for a line's end and a blank line for a row of NULLs, forgives text behind
    a closing quote, and lets an open quote run over the next rows: such pieces go the careful way.
    """
    if not options.delimiter.isascii() or data.count(b"\r") != data.count(b"\r\n"):
        return None
    try:
        text = data.decode(options.encoding).encode()
        blank = text.startswith((b"\n", b"\r\n")) or b"\n\n" in text or b"\n\r\n" in text
        if blank and len(header) > 1:
            return None
        if b'"' in text and not plainly_quoted(text, options.delimiter):
            return None
        text = text if text.endswith(b"\n") else text + b"\n"  # else Arrow quotes a last empty cell
        table = _arrow(text, header, options)
    except (UnicodeError, pa.ArrowInvalid):
        return None
    return table if table.num_rows == text.count(b"\n") else None


def _arrow(text: bytes, header: list[str], options: Csv) -> pa.Table:
    return pacsv.read_csv(
        pa.BufferReader(text),
        read_options=pacsv.ReadOptions(
            column_names=header, use_threads=False, block_size=max(PIECE, len(text) + 1)
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=options.delimiter, newlines_in_values=False, ignore_empty_lines=False
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()),
            strings_can_be_null=True,
            null_values=[""],
            quoted_strings_can_be_null=False,
        ),
    )


def _careful(data: bytes, header: list[str], options: Csv, *, final: bool) -> tuple[Part, bytes]:
    """The records of whole lines, and the lines of a last one that may go on in the next piece."""
    nothing: list[str | None] = [None] * len(header)
    lines = data.removesuffix(b"\n").split(b"\n")
    rows: list[list[str | None]] = []
    damaged: dict[int, str] = {}
    place = 0
    while place < len(lines):
        cells, used = nothing, 1
        try:
            cells, used = _record(lines, place, len(header), options)
        except UnicodeDecodeError:
            damaged[len(rows)] = ENCODING
        except BadQuote as error:
            if error.open and not final and len(lines) - place < LONGEST:
                break
            damaged[len(rows)] = CELLS
        if len(cells) != len(header):
            cells, damaged[len(rows)] = nothing, CELLS
        rows.append(cells)
        place += used
    tail = b"".join(line + b"\n" for line in lines[place:])
    columns = zip(*rows, strict=True) if rows else ((),) * len(header)
    arrays = [pa.array(values, pa.string()) for values in columns]
    return (pa.RecordBatch.from_arrays(arrays, names=header), damaged), tail


def _record(
    lines: list[bytes], place: int, width: int, options: Csv
) -> tuple[list[str | None], int]:
    """Cells of the record that starts at a line, and how many lines it takes.

    A quoted cell may hold line breaks (RFC 4180): a quote that stays open takes in the next lines,
    at most `LONGEST` of them, if that gives a record of the right width; else BadQuote.
    """
    encoding, delimiter = options.encoding, options.delimiter
    text = lines[place].removesuffix(b"\r").decode(encoding)
    try:
        return cells_of(text, delimiter), 1
    except BadQuote as error:
        if not error.open:
            raise
    for used in range(2, min(LONGEST, len(lines) - place) + 1):
        try:
            joined = b"\n".join(lines[place : place + used]).removesuffix(b"\r").decode(encoding)
            cells = cells_of(joined, delimiter)
        except UnicodeDecodeError:
            break
        except BadQuote as error:
            if not error.open:
                break
            continue
        if len(cells) == width:
            return cells, used
        break
    raise BadQuote(still_open=len(lines) - place < LONGEST)
