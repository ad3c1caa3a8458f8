"""CSV into batches of text: fast where the file is sound, record by record where it is not.

Both ways give the same rows; blank lines are none. A record that cannot be decoded or has the wrong
number of cells is damaged; an unterminated quote damages its own line and does not swallow the rows
after it (F25). Only LF and CR LF end a line: U+2028, NEL and a lone CR are data (F26).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from connectors.common.gather import Part, regrouped
from connectors.files import csv_header
from connectors.files.csv_cells import BadQuote, cells_of, plainly_quoted
from connectors.files.csv_header import BOM
from connectors.files.options import Csv
from connectors.files.skipped import Skipped
from onecard.errors import ProtocolError
from onecard.ports.source import Chunk, ReadRequest

CELLS, ENCODING, HEADER = "record.cells", "record.encoding", "record.header"
LONGEST = 5
"""Lines that one record with quoted line breaks may take."""
PIECE = 1 << 23
"""Bytes that are read at once; memory does not grow with the file."""
TELLING = 2
"""Ideographs in text that happens to be UTF-8 after which it is no accident (F27)."""
_IDEOGRAPH = re.compile("[\u4e00-\u9fff]")


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
        parts = _parts(stream, origin, header.names, options, skipped)
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
        parts = _parts(stream, origin, header.names, options, Skipped())
        return sum(batch.num_rows for batch, _ in parts)


def _chosen(batch: pa.RecordBatch, request: ReadRequest) -> pa.RecordBatch:
    there = [c for c in request.columns if c.native in batch.schema.names]
    columns = [batch.column(c.native) for c in there]
    return pa.RecordBatch.from_arrays(columns, names=[c.name for c in there])


def _parts(
    stream: BinaryIO, origin: str, header: list[str], options: Csv, skipped: Skipped
) -> Iterator[Part]:
    """The rows after the header, piece by piece; each piece goes the fast way if it can."""
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
        _check_encoding(whole, origin, options)
        table = _fast(whole, header, options, skipped) if whole else None
        if table is not None:
            yield from (_sifted(batch, header, options, skipped) for batch in table.to_batches())
        elif whole:
            part, tail = _careful(whole, header, options, skipped, final=not block)
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


def _fast(data: bytes, header: list[str], options: Csv, skipped: Skipped) -> pa.Table | None:
    """Arrow's reader, or None where it would not see what the careful way sees.

    Arrow takes a lone CR for a line's end, forgives text behind a closing quote, and lets an open
    quote run over the next rows: such pieces go the careful way.
    """
    if not options.delimiter.isascii() or data.count(b"\r") != data.count(b"\r\n"):
        return None
    try:
        text = data.decode(options.codec).encode()
        if b'"' in text and not plainly_quoted(text, options.delimiter):
            return None
        text = text if text.endswith(b"\n") else text + b"\n"  # else Arrow quotes a last empty cell
        table, text, blank = _without_blanks(text, header, options)
    except (UnicodeError, pa.ArrowInvalid):
        return None
    if table.num_rows != text.count(b"\n"):
        return None
    skipped.blank += blank
    return table


def _without_blanks(text: bytes, header: list[str], options: Csv) -> tuple[pa.Table, bytes, int]:
    """The rows of whole lines (no quote open at an end), those lines, how many blank ones went.

    Blank lines are looked for where Arrow stumbles, or where a first cell could be of one.
    """
    try:
        table = _arrow(text, header, options)
        if not _may_be_blank(table.column(0)):
            return table, text, 0
    except pa.ArrowInvalid:
        table = None
    kept = _blank_lines(options.blanks).sub(b"\n", b"\n" + text)[1:]
    blank = text.count(b"\n") - kept.count(b"\n")
    if table is None or blank:
        table = _arrow(kept, header, options)
    return table, kept, blank


def _may_be_blank(first: pa.ChunkedArray) -> bool:
    """Whether a cell is NULL or begins with a blank."""
    if first.null_count:
        return True
    starts = pc.utf8_slice_codeunits(first, 0, 1)
    return bool(pc.any(pc.less_equal(starts, " ")).as_py())


@cache
def _blank_lines(blanks: bytes) -> re.Pattern[bytes]:
    mark = re.escape(blanks.replace(b"\n", b""))
    return re.compile(rb"\n(?:[" + mark + rb"]*\n)+")


def _sifted(batch: pa.RecordBatch, header: list[str], options: Csv, skipped: Skipped) -> Part:
    """A batch without the header rows in it, or with them as damaged records."""
    first = batch.column(0)
    if not pc.any(pc.is_in(first, pa.array([header[0], BOM + header[0]]))).as_py():
        return batch, {}
    rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
    places = [place for place, row in enumerate(rows) if _repeats(row, header)]
    if not places:
        return batch, {}
    repeated = frozenset(places)
    kept = pa.array([place not in repeated for place in range(batch.num_rows)])
    if options.skips_headers:
        skipped.headers += len(places)
        return batch.filter(kept), {}
    columns = [pc.if_else(kept, column, None) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=header), dict.fromkeys(places, HEADER)


def _repeats(cells: Sequence[str | None], header: list[str]) -> bool:
    """Whether a record is the header row again, of a file that was put behind another."""
    first = (cells[0] or "").removeprefix(BOM)
    return [first, *cells[1:]] == header


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


def _careful(
    data: bytes, header: list[str], options: Csv, skipped: Skipped, *, final: bool
) -> tuple[Part, bytes]:
    """The records of whole lines, and the lines of a last one that may go on in the next piece."""
    nothing: list[str | None] = [None] * len(header)
    lines = data.removesuffix(b"\n").split(b"\n")
    rows: list[list[str | None]] = []
    damaged: dict[int, str] = {}
    place = 0
    while place < len(lines):
        if options.is_blank(lines[place]):
            skipped.blank += 1
            place += 1
            continue
        cells, used = nothing, 1
        try:
            cells, used = _record(lines, place, len(header), options)
        except UnicodeDecodeError:
            damaged[len(rows)] = ENCODING
        except BadQuote as error:
            if error.open and not final and len(lines) - place < LONGEST:
                break
            damaged[len(rows)] = CELLS
        place += used
        if _repeats(cells, header):
            if options.skips_headers:
                skipped.headers += 1
                continue
            cells, damaged[len(rows)] = nothing, HEADER
        if len(cells) != len(header):
            cells, damaged[len(rows)] = nothing, CELLS
        rows.append(cells)
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
    encoding, delimiter = options.codec, options.delimiter
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
