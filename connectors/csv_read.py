"""CSV into batches of text: fast where the file is sound, record by record where it is not.

Both ways give the same rows. A record that cannot be decoded or has the wrong number of cells is
damaged; an unterminated quote damages its own line and does not swallow the rows after it (F25).
Only LF and CR LF end a line: U+2028 and NEL are data (F26).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from connectors.files_options import Csv
from connectors.records import check_columns
from onecard.errors import ProtocolError
from onecard.ports import Chunk, ReadRequest

CELLS, ENCODING = "record.cells", "record.encoding"
_BOM = "\ufeff"
LONGEST = 5
"""Lines that one record with quoted line breaks may take."""


def chunks(path: Path, origin: str, options: Csv, request: ReadRequest) -> Iterator[Chunk]:
    """The file's rows.

    Raises:
        SchemaMismatch: unknown or missing columns.
        ProtocolError: no header row.
    """
    data = path.read_bytes()
    header = _header(data, origin, options)
    check_columns(header, request, origin)
    try:
        table = _fast(data.decode(options.encoding), header, options)
    except (UnicodeDecodeError, pa.ArrowInvalid):
        yield from _careful(data, origin, (header, options), request)
        return
    first = 1
    chosen = table.select([c.native for c in request.columns])
    chosen = chosen.rename_columns([c.name for c in request.columns])
    for batch in chosen.to_batches(max_chunksize=request.batch_rows):
        yield Chunk(batch, origin, first)
        first += batch.num_rows


def _header(data: bytes, origin: str, options: Csv) -> list[str]:
    first = data.split(b"\n", 1)[0].rstrip(b"\r")
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


def _fast(text: str, header: list[str], options: Csv) -> pa.Table:
    """Arrow's reader; it refuses what the careful way must look at."""
    return pacsv.read_csv(
        pa.BufferReader(text.removeprefix(_BOM).encode()),
        read_options=pacsv.ReadOptions(use_threads=False, block_size=1 << 24),
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


def count(path: Path, options: Csv) -> int:
    """Records of the file after its header, damaged ones included."""
    data = path.read_bytes()
    width = len(_header(data, path.name, options))
    return sum(1 for _ in _records(data, width, options))


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
        except csv.Error:
            yield nothing, CELLS
        place += 1


def _record(
    lines: list[bytes], place: int, width: int, options: Csv
) -> tuple[list[str | None], int]:
    """Cells of the record that starts at a line, and how many lines it takes.

    A quoted cell may hold line breaks (RFC 4180): a quote that stays open takes in the next lines,
    at most `LONGEST` of them, if that gives a record of the right width; else csv.Error.
    """
    try:
        return _cells(lines[place].removesuffix(b"\r").decode(options.encoding), options), 1
    except csv.Error:
        for used in range(2, LONGEST + 1):
            joined = b"\n".join(lines[place : place + used]).removesuffix(b"\r")
            try:
                cells = _cells(joined.decode(options.encoding), options)
            except csv.Error:
                continue
            except UnicodeDecodeError:
                break
            if len(cells) == width:
                return cells, used
            break
        raise


def _cells(text: str, options: Csv) -> list[str | None]:
    """Cells of one record; an empty unquoted cell is NULL. csv.Error when a quote stays open."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=options.delimiter, strict=True)
    cells = next(reader, [])
    return [cell or None for cell in cells]


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
