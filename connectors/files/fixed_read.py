"""Lines of fixed widths in bytes, whole pieces at once; a line of another length costs itself."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

import pyarrow as pa

from connectors.common.gather import Part, regrouped
from connectors.common.records import check_columns
from connectors.files import looks
from connectors.files.csv_careful import CELLS, ENCODING
from connectors.files.csv_header import LONGEST_LINE
from connectors.files.fixed_cells import check_encoding, records, texts
from connectors.files.layouts import FixedWidth
from connectors.files.text_file import Text
from onecard.errors import ProtocolError
from onecard.ports.source import Chunk, ReadRequest

PIECE = 1 << 22
"""Bytes that are read at once."""
_NOTHING = b" \t\v\f\r\x1a"
"""What a blank line holds; CTRL-Z is where old systems end a text."""


def chunks(file: Text, options: FixedWidth, request: ReadRequest) -> Iterator[Chunk]:
    """The file's rows as text by contract names.

    Args:
        file: a local copy.
        options: widths and encoding.
        request: names the columns.

    Raises:
        SchemaMismatch: the options name other columns than the contract.
        ProtocolError: no text, an endless line, or UTF-8 where GB18030 is declared.
    """
    check_columns(options.names, request, file.origin)
    there = [c for c in request.columns if c.native in options.names]
    names = [c.name for c in there]

    def chosen(part: Part) -> Part:
        batch, damaged = part
        columns = [batch.column(c.native) for c in there]
        return pa.RecordBatch.from_arrays(columns, names=names), damaged

    parts = map(chosen, _parts(file, options))
    yield from regrouped(parts, file.origin, request.batch_rows)


def count(file: Text, options: FixedWidth) -> tuple[int, tuple[str, ...]]:
    """Lines that are not blank, and the titles above them.

    Args:
        file: a local copy.
        options: how many are titles.
    """
    own = Text(file.path, file.origin)
    with file.path.open("rb") as stream:
        titles = _titles(stream, own, options)
        return sum(len(lines) for lines in _lines(stream, own)), titles


def sample(file: Text, options: FixedWidth, most: int) -> Iterator[dict[str, str | None]]:
    """The names as a record without values, then some rows.

    Args:
        file: a local copy.
        options: widths and encoding.
        most: rows.
    """
    yield dict.fromkeys(options.names, "")
    for batch, _ in islice(_parts(Text(file.path, file.origin), options), 1):
        yield from batch.slice(0, most).to_pylist()


def _parts(file: Text, options: FixedWidth) -> Iterator[Part]:
    with file.path.open("rb") as stream:
        _titles(stream, file, options)
        for lines in _lines(stream, file):
            yield _part(lines, file, options)


def _titles(stream: BinaryIO, file: Text, options: FixedWidth) -> tuple[str, ...]:
    """The lines above the rows; the stream stands behind them."""
    head = stream.read(looks.HEAD)
    if kind := looks.foreign(head):
        msg = f"{file.origin}: no lines of fixed widths; it looks like {kind}"
        raise ProtocolError(msg)
    stream.seek(len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0)
    if head.startswith(codecs.BOM_UTF8) and options.encoding != "utf-8":
        msg = f"{file.origin}: the file is UTF-8; the contract declares {options.encoding}"
        raise ProtocolError(msg)
    found = [stream.readline(LONGEST_LINE) for _ in range(options.above)]
    file.skipped.titles += len(found)
    return tuple(line.decode(options.codec, "replace").rstrip("\r\n") for line in found)


def _lines(stream: BinaryIO, file: Text) -> Iterator[list[bytes]]:
    """Lines that hold something, without their ends."""
    rest = b""
    while True:
        block = stream.read(PIECE)
        data = rest + block
        if not block:
            data = data.removesuffix(b"\x1a")
        cut = data.rfind(b"\n") + 1 if block else len(data)
        whole, rest = data[:cut], data[cut:]
        if len(rest) > LONGEST_LINE:
            msg = f"{file.origin}: a line is longer than {LONGEST_LINE} bytes"
            raise ProtocolError(msg)
        lines = whole.removesuffix(b"\n").split(b"\n") if whole else []
        full = [line.removesuffix(b"\r") for line in lines if line.strip(_NOTHING)]
        file.skipped.blank += len(lines) - len(full)
        if full:
            yield full
        if not block:
            return


def _part(lines: list[bytes], file: Text, options: FixedWidth) -> Part:
    """Lines as a batch of text."""
    length = sum(c.width for c in options.columns)
    pads = options.short_lines == "pad"
    damaged: dict[int, str] = {}
    for place, line in enumerate(lines):
        if len(line) == length:
            continue
        if len(line) > length or not pads:
            damaged[place] = CELLS
            line = b""  # noqa: PLW2901 - nothing of it is taken
        lines[place] = line.ljust(length)
    data = b"".join(lines)
    check_encoding(data, file.origin, options.encoding)
    rows, begin = records(data, length), 0
    arrays = []
    for column in options.columns:
        if column.name is not None:
            block = rows[:, begin : begin + column.width].tobytes()
            cells, bad = texts(block, column.width, options.codec)
            damaged |= {place: ENCODING for place in bad if place not in damaged}
            bare = [(cell.strip(" ") or None) if cell else None for cell in cells]
            arrays.append(pa.array(bare, pa.string()))
        begin += column.width
    return pa.RecordBatch.from_arrays(arrays, names=options.names), damaged
