"""Some rows of a file in writing, with the names of its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from connectors.common.record_columns import to_propose
from connectors.common.strict_json import parse_json, scalar_text
from connectors.common.wire_text import as_text
from connectors.files import (
    contents,
    csv_header,
    dbf_read,
    excel_read,
    jsonl_read,
    parquet_read,
    parquet_types,
    xml_read,
)
from connectors.files.describe import parquet_columns
from connectors.files.file_kinds import FileLayout
from connectors.files.layouts import Dbf, Excel, FixedWidth, Xml
from connectors.files.options import CsvSource, JsonDocument, JsonLines, ParquetSource, Zip
from connectors.files.skipped import Skipped
from connectors.files.text_file import Text
from onecard.base.shown import could_be_names
from onecard.errors import SchemaMismatch
from onecard.model.discovered import SAMPLE_ROWS, SampledColumn
from onecard.model.drift import SourceColumn
from onecard.ports.source import Chunk, Column, ReadRequest


@dataclass(frozen=True, slots=True)
class FileRows:
    """Columns of a file and the first of its rows.

    Attributes:
        rows: texts in the order of the columns.
        whole: whether the file has no more.
    """

    columns: tuple[SampledColumn, ...]
    rows: tuple[tuple[str | None, ...], ...] = field(repr=False)
    whole: bool
    remarks: tuple[str, ...] = ()


def rows_of(file: Text, layout: FileLayout) -> FileRows:
    """The first rows of a file.

    Args:
        file: a local copy.
        layout: how it is read.

    Raises:
        SchemaMismatch: what stands in its header's place may be a row.
        ProtocolError: it cannot be read as what the layout says.
    """
    with ExitStack() as stack:
        plain, kind = file, layout.format
        if isinstance(kind, Zip):
            members = stack.enter_context(closing(contents.members(file, kind)))
            plain, kind = stack.enter_context(next(members)), kind.of
        if isinstance(kind, ParquetSource):
            found = _parquet(plain, kind)
        elif isinstance(kind, JsonLines | JsonDocument | Xml):
            found = _records(plain, kind)
        else:
            found = _table(plain, kind)
    remarks = (*layout.remarks, *found.remarks)
    return FileRows(found.columns, found.rows, found.whole, remarks)


def _table(file: Text, kind: CsvSource | Excel | Dbf | FixedWidth) -> FileRows:
    """Kinds with a header, read as a collect reads them."""
    names = _names(file, kind)
    if not could_be_names(names):
        msg = (
            f"{file.origin}: what stands in the header's place may be a row; nothing of it is"
            " shown. A file needs a header row: say `above` where lines stand above it"
        )
        raise SchemaMismatch(msg)
    columns = tuple(Column(name, name, required=False) for name in names)
    request = ReadRequest("a sample", columns, kind, batch_rows=SAMPLE_ROWS)
    with closing(_generated(contents.chunks(file, kind, request))) as chunks:
        chunk = next(chunks, None)
    rows = _texts(chunk, names) if chunk is not None else []
    return FileRows(
        tuple(SampledColumn(SourceColumn(name, "text", "text")) for name in names),
        tuple(rows),
        whole=chunk is None or chunk.batch.num_rows < SAMPLE_ROWS,
        remarks=tuple(_said(chunk) if chunk is not None else ()),
    )


def _generated(chunks: Iterable[Chunk]) -> Any:  # noqa: ANN401 - a generator of chunks
    yield from chunks


def _names(file: Text, kind: CsvSource | Excel | Dbf | FixedWidth) -> list[str]:
    if isinstance(kind, CsvSource):
        with file.path.open("rb") as stream:
            return csv_header.read(stream, file.origin, kind).names
    if isinstance(kind, Excel):
        with excel_read.opened(file, kind, (), file.origin) as sheet:
            return list(sheet.names)
    if isinstance(kind, Dbf):
        with dbf_read.opened(file, kind) as table:
            return dbf_read.names(table)
    return kind.names


def _texts(chunk: Chunk, names: Sequence[str]) -> list[tuple[str | None, ...]]:
    columns = [as_text(chunk.batch.column(name)).to_pylist() for name in names]
    rows = list(zip(*columns, strict=True))
    return [row for place, row in enumerate(rows) if place not in chunk.damaged]


def _said(chunk: Chunk) -> Iterator[str]:
    """What could not be read, by rule and column."""
    for rule, rows in sorted(Counter(chunk.damaged.values()).items()):
        yield f"{rows} of {chunk.batch.num_rows:,} rows cannot be read ({rule})"
    for name, rules in sorted(chunk.because.items()):
        for rule, rows in sorted(Counter(rules.values()).items()):
            yield f"{name}: {rows} of {chunk.batch.num_rows:,} values cannot be read ({rule})"


def _records(file: Text, kind: JsonLines | JsonDocument | Xml) -> FileRows:
    """Kinds whose rows have names of their own."""
    some = list(islice(_each(file, kind), SAMPLE_ROWS + 1))
    sound = [r for r in some[:SAMPLE_ROWS] if isinstance(r, Mapping)]
    columns, remarks = to_propose(sound)
    return FileRows(
        tuple(map(SampledColumn, columns)),
        tuple(tuple(scalar_text(r.get(c.name)) for c in columns) for r in sound),
        whole=len(some) <= SAMPLE_ROWS,
        remarks=tuple(remarks),
    )


def _each(file: Text, kind: JsonLines | JsonDocument | Xml) -> Iterator[Any]:
    if isinstance(kind, JsonDocument):
        document = parse_json(file.path.read_text(encoding="utf-8-sig"))
        found = kind.rows_of(document)
        return iter(found if isinstance(found, list) else ())
    if isinstance(kind, Xml):
        return chain.from_iterable(xml_read.records(file, kind))
    return chain.from_iterable(jsonl_read.records(file.path, file.origin, Skipped()))


def _parquet(file: Text, kind: ParquetSource) -> FileRows:
    """Only columns of a type that is taken for anything are read."""
    opened = parquet_read.opened(file.path, file.origin)
    columns = list(parquet_columns(file, kind.timezone, file.origin, []))
    there = parquet_types.declared(opened, kind.timezone)
    taken = [c.name for c in columns if c.accepts is not None and c.accepts.accepts]
    batch = next(iter(opened.iter_batches(SAMPLE_ROWS, columns=taken)), None)
    texts: dict[str, list[str | None]] = {}
    number = 0
    if batch is not None:
        number = batch.num_rows
        for name in taken:
            column, type_ = batch.column(name), there[name].type
            found = parquet_types.values(column, type_, "string", kind.timezone)
            texts[name] = as_text(found).to_pylist()
    rows = zip(*(texts.get(c.name, [None] * number) for c in columns), strict=True)
    return FileRows(
        tuple(map(SampledColumn, columns)),
        tuple(rows),
        whole=opened.metadata.num_rows <= SAMPLE_ROWS,
    )
