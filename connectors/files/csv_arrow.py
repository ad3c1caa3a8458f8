"""Whole pieces of CSV by Arrow's reader, where it sees what the careful way sees."""

from __future__ import annotations

import re
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from connectors.common.gather import Part
from connectors.files.csv_careful import HEADER, repeats
from connectors.files.csv_cells import plainly_quoted
from connectors.files.csv_header import BOM
from connectors.files.options import Csv
from connectors.files.skipped import Skipped


def fast(data: bytes, header: list[str], options: Csv, skipped: Skipped) -> pa.Table | None:
    """Arrow's reader, or None where it would not see what the careful way sees.

    Arrow takes a lone CR for a line's end, forgives text behind a closing quote, and lets an open
    quote run over the next rows: such pieces go the careful way.

    Args:
        data: whole lines.
        header: names of the columns.
        options: encoding and delimiter.
        skipped: counts blank lines.
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


def sifted(batch: pa.RecordBatch, header: list[str], options: Csv, skipped: Skipped) -> Part:
    """A batch without the header rows in it, or with them as damaged records.

    Args:
        batch: as Arrow read it.
        header: names of the columns.
        options: whether header rows are left out.
        skipped: counts them.
    """
    first = batch.column(0)
    if not pc.any(pc.is_in(first, pa.array([header[0], BOM + header[0]]))).as_py():
        return batch, {}
    rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
    places = [place for place, row in enumerate(rows) if repeats(row, header)]
    if not places:
        return batch, {}
    repeated = frozenset(places)
    kept = pa.array([place not in repeated for place in range(batch.num_rows)])
    if options.skips_headers:
        skipped.headers += len(places)
        return batch.filter(kept), {}
    columns = [pc.if_else(kept, column, None) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=header), dict.fromkeys(places, HEADER)


def _arrow(text: bytes, header: list[str], options: Csv) -> pa.Table:
    return pacsv.read_csv(
        pa.BufferReader(text),
        read_options=pacsv.ReadOptions(
            column_names=header, use_threads=False, block_size=len(text) + 1
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
