"""Rows of XML by the compiled scanner, where it is there; those that are odd by `xml_rows`.

Both give the same batches, damaged rows and refusals.
"""

from __future__ import annotations

import ctypes
from collections.abc import Generator
from itertools import compress

import numpy as np
import pyarrow as pa

from connectors.common import xml_cut
from connectors.common.gather import Part
from connectors.common.scanned import with_rows
from connectors.common.xml_cut import CutDocument, CutOut
from connectors.common.xml_rows import Columns, Record, Rows
from connectors.common.xml_stream import SEPARATOR, is_name
from onecard.native.xml_scan import Shape, XmlTable


def parts(
    library: ctypes.CDLL, document: CutDocument, handler: Rows, columns: Columns
) -> Generator[Part, None, None]:
    """The rows of a document as batches, one or more for each piece of it that is held.

    Args:
        library: the compiled one.
        document: from its beginning.
        handler: takes the rows that are not plain.
        columns: makes batches of those.

    Raises:
        ProtocolError: not well formed, or not whole.
        SchemaMismatch: rows hold an element or attribute that the contract does not name.
    """
    return xml_cut.given(document, _Held(library, document, handler, columns), handler.ready)


class _Held(CutOut[Record, Part]):
    """Rows that are read and not given yet."""

    def __init__(
        self, library: ctypes.CDLL, document: CutDocument, handler: Rows, columns: Columns
    ) -> None:
        self._library, self._document, self._handler = library, document, handler
        self._columns, self._natives = columns, [c.native for c in columns.request.columns]
        self._uri: str | None = None
        self._known: list[str] = []
        self._shape = Shape(b"", ())
        self._data = document.data
        self._table: XmlTable | None = None
        self._records: list[Record] = []
        self._places: list[int] = []

    @property
    def full(self) -> bool:
        """Whether no more rows have room."""
        return self._table is not None and self._table.full

    def can_scan(self) -> bool:
        """Whether the scanner knows how rows are written that stand here."""
        around = self._handler.around_name
        uri = around[: around.rfind(SEPARATOR) + 1]
        if self._uri is None:
            self._uri = uri
            self._shape, self._known = self._shape_in(uri)
        found = bool(self._known) and uri == self._uri
        self._document.is_cut = found
        return found

    def is_of_this_piece(self) -> bool:
        """Whether the rows stand in the piece of the document that is held."""
        return self._table is None or self._data is self._document.data

    def scan(self) -> None:
        """Cut plain rows out of the document."""
        document, table = self._document, self._here()
        rows = table.rows
        lines = table.scan(document.at)
        document.took(table.at, lines)
        self._handler.rows += table.rows - rows

    def leave_out(self, element: Record) -> None:
        """Take a row that was not plain."""
        self._places.append(self._here().leave_out())
        self._records.append(element)

    def given(self) -> Generator[Part, None, None]:
        """All rows as a batch, where there are any."""
        table, records, places = self._table, self._records, self._places
        self._table, self._records, self._places = None, [], []
        if table is None or not table.rows:
            return
        if len(records) == table.rows:
            yield self._columns.part(records)
            return
        self._columns.saw(compress(self._known, table.seen.tolist()))
        batch = self._batch(table)
        if not records:
            yield batch, {}
            return
        read, damaged = self._columns.part(records)
        whole = with_rows(batch, np.array(places), pa.Table.from_batches([read]))
        yield whole, {places[i]: rule for i, rule in damaged.items()}

    def _here(self) -> XmlTable:
        if self._table is None:
            self._data = self._document.data
            self._table = XmlTable(self._library, self._shape, self._data, self._document.at)
        return self._table

    def _batch(self, table: XmlTable) -> pa.RecordBatch:
        found = dict(zip(self._known, table.arrays(), strict=True))
        absent = pa.nulls(table.rows, pa.string())
        arrays = [found.get(native, absent) for native in self._natives]
        return pa.RecordBatch.from_arrays(arrays, [c.name for c in self._columns.request.columns])

    def _shape_in(self, uri: str) -> tuple[Shape, list[str]]:
        """How rows are written, and which columns the scanner finds in them.

        Elements have the namespace of the element around them, as none has a prefix.

        Args:
            uri: of the namespace, and what separates it from a name; empty: there is none.
        """
        names, record = self._handler.names, self._handler.record
        written = {n: n.rpartition(":")[2] for n in (*self._natives, record)}
        same = {n: w for n, w in written.items() if names.of(uri + w) == n and is_name(w)}
        row = same.get(record)
        known = [n for n in self._natives if n in same]
        if row is None or len(set(known)) < len(known):
            return Shape(b"", ()), []
        return Shape(row.encode(), tuple(same[n].encode() for n in known)), known
