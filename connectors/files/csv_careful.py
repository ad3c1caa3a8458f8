"""CSV record by record: what is damaged is told, and damages no other."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from connectors.common.gather import Part
from connectors.files.csv_cells import BadQuote, cells_of
from connectors.files.csv_header import BOM
from connectors.files.options import Csv
from connectors.files.skipped import Skipped

CELLS, ENCODING, HEADER = "record.cells", "record.encoding", "record.header"
LONGEST = 5
"""Lines that one record with quoted line breaks may take."""


def careful(
    data: bytes, header: list[str], options: Csv, skipped: Skipped, *, final: bool
) -> tuple[Part, bytes]:
    """The records of whole lines, and the lines of a last one that may go on in the next piece.

    Args:
        data: the lines.
        header: names of the columns.
        options: encoding and delimiter.
        skipped: counts what is no row.
        final: nothing follows these lines.
    """
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
        if repeats(cells, header):
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


def repeats(cells: Sequence[str | None], header: list[str]) -> bool:
    """Whether a record is the header row again, of a file that was put behind another.

    Args:
        cells: of the record.
        header: names of the columns.
    """
    first = (cells[0] or "").removeprefix(BOM)
    return [first, *cells[1:]] == header


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
