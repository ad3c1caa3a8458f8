"""Reading Parquet: its types looked at before the first row, its promises before it is unpacked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.common import source_types
from connectors.common.records import check_columns
from connectors.files import looks, parquet_types
from connectors.files.int96 import Witnesses
from onecard.base import shown
from onecard.errors import ProtocolError, SchemaMismatch
from onecard.model.source_types import DeclaredColumn
from onecard.native import listed
from onecard.ports.source import Chunk, Column, ReadRequest

UNPACKED_LIMIT = 64 * 1024**3
"""Uncompressed bytes that a Parquet file may promise, and unpack to; more is a bomb (F33)."""
BATCH_LIMIT = 2 * 1024**3
"""Unpacked bytes of one batch: it is held in memory as a whole."""
MOST_ROWS = 32_768
"""Rows of one batch: pages and dictionaries of its row group stand in memory beside it."""
_EACH_ITSELF = frozenset({"PLAIN", "RLE", "BIT_PACKED", "DELTA_LENGTH_BYTE_ARRAY"})
"""Encodings in which every value of a column stands by itself; RLE is of levels."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """The columns to read of one file.

    Attributes:
        zone: of times without one, where the contract says so.
    """

    wanted: tuple[Column, ...]
    there: Mapping[str, DeclaredColumn]
    zone: str | None

    @property
    def natives(self) -> list[str]:
        return [c.native for c in self.wanted]

    def batch(self, batch: pa.RecordBatch, unread: Mapping[str, Mapping[int, str]]) -> Chunk:
        """A batch under the contract's names, as the gate takes it."""
        columns, lost = [], {}
        for item in self.wanted:
            found, kind = batch.column(item.native), self.there[item.native].type
            if item.native in unread:
                lost[item.name] = unread[item.native]
                bad = pa.array([i in lost[item.name] for i in range(len(found))], pa.bool_())
                found = pc.if_else(bad, pa.scalar(None, found.type), found)
            columns.append(parquet_types.values(found, kind, item.type, self.zone))
        names = [c.name for c in self.wanted]
        return Chunk(pa.RecordBatch.from_arrays(columns, names=names), "", unread=lost)


def chunks(path: Path, origin: str, request: ReadRequest, zone: str | None) -> Iterator[Chunk]:
    """The file's rows.

    Args:
        path: of a local copy.
        origin: name of the file, for messages.
        request: names the columns that the batches have.
        zone: of times without one; None: such columns are refused.

    Raises:
        SchemaMismatch: a column is missing, unknown, twice, or of a type that is refused.
        ProtocolError: not a Parquet file, or one that unpacks to more than is read.
    """
    file = opened(path, origin)
    plan = _plan(file, origin, request, zone)
    old = [name for name in parquet_types.int96(file) if name in plan.natives]
    rows = min(request.batch_rows, MOST_ROWS)
    witnesses = Witnesses(path, old, rows) if old else None
    first = unpacked = 0
    reading = opened(path, origin, _each_text_once(file)).iter_batches(rows, columns=plan.natives)
    for batch in reading:
        size = sum(map(_unpacked, batch.columns))
        unpacked += size
        if size > BATCH_LIMIT or unpacked > UNPACKED_LIMIT:
            msg = f"{origin}: unpacks to {unpacked} bytes after {first + batch.num_rows} rows"
            raise ProtocolError(msg)
        made = plan.batch(batch, witnesses.unread(batch) if witnesses else {})
        yield Chunk(made.batch, origin, first + 1, unread=made.unread)
        first += batch.num_rows


def opened(path: Path, origin: str, dictionaries: Sequence[str] = ()) -> pq.ParquetFile:
    """The file; columns of `dictionaries` keep each text once, however many rows hold it (F33).

    Args:
        path: of a local copy.
        origin: name of the file, for messages.
        dictionaries: columns of text.

    Raises:
        ProtocolError: not a Parquet file.
    """
    try:
        return pq.ParquetFile(
            path, read_dictionary=list(dictionaries), coerce_int96_timestamp_unit="us"
        )
    except (pa.ArrowInvalid, OSError):
        kind = looks.foreign(looks.head(path)) if path.is_file() else ""
        hint = f"; it looks like {kind}" if kind and kind != "Parquet" else ""
        msg = f"{origin}: not a Parquet file{hint}"
        raise ProtocolError(msg) from None


def each_once(names: Sequence[str], natives: Sequence[str], where: str) -> None:
    """Refuse a file that has a column twice: nobody knows which one is meant.

    Args:
        names: of its columns.
        natives: names that the contract has for columns.
        where: dataset and file, for the message.

    Raises:
        SchemaMismatch: names the columns.
    """
    if twice := [place for place, name in enumerate(names) if name in names[:place]]:
        msg = f"{where}: column {shown.columns(names, natives, twice)} stands twice"
        raise SchemaMismatch(msg)


def _plan(file: pq.ParquetFile, origin: str, request: ReadRequest, zone: str | None) -> _Plan:
    names = file.schema_arrow.names
    where = f"{request.dataset} from {origin}"
    each_once(names, [c.native for c in request.columns], where)
    check_columns(names, request, origin)
    _limit(file, origin)
    there = parquet_types.declared(file, zone)
    wanted = tuple(c for c in request.columns if c.native in there)
    source_types.require(parquet_types.SYSTEM, where, wanted, there.get)
    return _Plan(wanted, there, zone)


def _limit(file: pq.ParquetFile, origin: str) -> None:
    metadata = file.metadata
    size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    if size > UNPACKED_LIMIT:
        msg = f"{origin}: unpacks to {size} bytes; at most {UNPACKED_LIMIT} are read"
        raise ProtocolError(msg)


def _each_text_once(file: pq.ParquetFile) -> list[str]:
    """Columns of text that may unpack to far more than they hold, where a text repeats another.

    Long texts (`large_string`, as Polars writes them) are left out where no row group says that it
    has a dictionary or differences: making one for values that never repeat doubles the time.
    """
    metadata = file.metadata
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    columns = [group.column(i) for group in groups for i in range(group.num_columns)]
    repeating = {c.path_in_schema for c in columns if not set(c.encodings) <= _EACH_ITSELF}
    return [
        f.name
        for f in file.schema_arrow
        if pa.types.is_string(f.type) or (pa.types.is_large_string(f.type) and f.name in repeating)
    ]


def _unpacked(column: pa.Array) -> int:
    """Bytes of a column when every row holds its own text, told before that is done."""
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    if (size := listed.row_bytes(column)) is not None:
        return size
    lengths = pc.binary_length(column.dictionary).cast(pa.int64())
    return int(pc.sum(lengths.take(column.indices)).as_py() or 0)
