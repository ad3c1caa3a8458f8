"""CSV into batches of text: fast where the file is sound, record by record where it is not.

Both ways give the same rows. A record that cannot be decoded or has the wrong number of cells is
damaged; an unterminated quote damages its own line and does not swallow the rows after it (F25).
Only LF and CR LF end a line: U+2028, NEL and a lone CR are data (F26).
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from connectors.csv_cells import BadQuote, cells_of, plainly_quoted
from connectors.files_options import Csv
from connectors.records import check_columns
from onecard.errors import ProtocolError, SchemaMismatch
from onecard.ports import Chunk, ReadRequest

CELLS, ENCODING = "record.cells", "record.encoding"
_BOM = "\ufeff"
LONGEST = 5
"""Lines that one record with quoted line breaks may take."""
PIECE = 1 << 24
"""Bytes that are decoded at once."""


def chunks(path: Path, origin: str, options: Csv, request: ReadRequest) -> Iterator[Chunk]:
    """The file's rows.

    Raises:
        SchemaMismatch: unknown, missing or repeated columns.
        ProtocolError: no header row.
    """
    data = path.read_bytes()
    header = _header(data, origin, options)
    _check(header, origin, request)
    table = _fast(data, header, options)
    if table is None:
        yield from _careful(data, origin, (header, options), request)
        return
    del data
    first = 1
    chosen = table.select([c.native for c in request.columns])
    chosen = chosen.rename_columns([c.name for c in request.columns])
    for batch in chosen.to_batches(max_chunksize=request.batch_rows):
        yield Chunk(batch, origin, first)
        first += batch.num_rows


def count(path: Path, options: Csv) -> int:
    """Records of the file after its header, damaged ones included."""
    data = path.read_bytes()
    header = _header(data, path.name, options)
    table = _fast(data, header, options)
    if table is not None:
        return int(table.num_rows)
    return sum(1 for _ in _records(data, len(header), options))


def _header(data: bytes, origin: str, options: Csv) -> list[str]:
    first = data[: data.find(b"\n") if b"\n" in data else len(data)].removesuffix(b"\r")
    try:
        text = first.decode(options.encoding).removeprefix(_BOM)
    except UnicodeDecodeError:
        msg = f"{origin}: the header row is not {options.encoding}"
        raise ProtocolError(msg) from None
    names = next(csv.reader([text], delimiter=options.delimiter), [])
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
        twice = ", ".join(sorted({name for name in header if header.count(name) > 1}))
        msg = f"{request.dataset} from {origin}: column {twice} stands twice"
        raise SchemaMismatch(msg)


def _fast(data: bytes, header: list[str], options: Csv) -> pa.Table | None:
    """Arrow's reader, or None where it would not see what the careful way sees.

    Arrow takes a lone CR for a line's end and a blank line for a row of NULLs, forgives text behind
    a closing quote, and lets an open quote run over the next rows: such files go the careful way.
    """
    if not options.delimiter.isascii() or data.count(b"\r") != data.count(b"\r\n"):
        return None
    try:
        text = _utf8(data, options.encoding)
        if len(header) > 1 and (b"\n\n" in text or b"\n\r\n" in text):
            return None
        if b'"' in text and not plainly_quoted(text, options.delimiter):
            return None
        text = text if text.endswith(b"\n") else text + b"\n"  # else Arrow quotes a last empty cell
        table = _arrow(text, header, options)
    except (UnicodeError, pa.ArrowInvalid):
        return None
    return table if table.num_rows == text.count(b"\n") - 1 else None


def _arrow(text: bytes, header: list[str], options: Csv) -> pa.Table:
    return pacsv.read_csv(
        pa.BufferReader(text),
        read_options=pacsv.ReadOptions(
            column_names=header, skip_rows=1, use_threads=False, block_size=PIECE
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


def _utf8(data: bytes, encoding: str) -> bytes:
    """The content in UTF-8, strictly decoded piece by piece; raises UnicodeError."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
    view = memoryview(data)
    same = encoding == "utf-8"
    pieces: list[bytes] = []
    for start in range(0, len(data), PIECE):
        text = decoder.decode(view[start : start + PIECE])
        if not same:
            pieces.append(text.encode())
    decoder.decode(b"", final=True)
    return data if same else b"".join(pieces)


def _careful(
    data: bytes, origin: str, layout: tuple[list[str], Csv], request: ReadRequest
) -> Iterator[Chunk]:
    header, options = layout
    rows: list[list[str | None]] = []
    damaged: dict[int, str] = {}
    first = 1
    for cells, rule in _records(data, len(header), options):
        if rule:
            damaged[len(rows)] = rule
        rows.append(cells)
        if len(rows) >= request.batch_rows:
            yield _chunk(rows, damaged, (origin, first, header), request)
            first += len(rows)
            rows, damaged = [], {}
    if rows:
        yield _chunk(rows, damaged, (origin, first, header), request)


def _records(data: bytes, width: int, options: Csv) -> Iterator[tuple[list[str | None], str]]:
    """Each record after the header: its cells, and the rule it breaks as a record (or "")."""
    nothing: list[str | None] = [None] * width
    lines = data.split(b"\n")[1:]
    if lines and lines[-1] == b"":
        lines.pop()
    place = 0
    while place < len(lines):
        try:
            cells, used = _record(lines, place, width, options)
            yield (cells, "") if len(cells) == width else (nothing, CELLS)
            place += used
            continue
        except UnicodeDecodeError:
            yield nothing, ENCODING
        except BadQuote:
            yield nothing, CELLS
        place += 1


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
    raise BadQuote(still_open=True)


def _chunk(
    rows: list[list[str | None]],
    damaged: dict[int, str],
    place: tuple[str, int, list[str]],
    request: ReadRequest,
) -> Chunk:
    origin, first, header = place
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    arrays = [pa.array(columns[c.native], pa.string()) for c in request.columns]
    names = [c.name for c in request.columns]
    return Chunk(pa.RecordBatch.from_arrays(arrays, names=names), origin, first, dict(damaged))
