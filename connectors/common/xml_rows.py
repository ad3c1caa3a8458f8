"""Rows of an XML document: an element each; its leaves and attributes are the columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from connectors.common.gather import Part
from connectors.common.records import check_columns, part
from connectors.common.strict_json import BadRecord
from connectors.common.xml_names import Names
from connectors.common.xml_stream import DEEPEST, LONGEST_ROW, Handler
from onecard.base.shown import LONGEST
from onecard.ports.source import ReadRequest

RULE = "record.xml"
MOST_SHOWN = 10
"""Paths of elements that a message shows."""
Record = dict[str, str | None] | BadRecord


class Rows(Handler):
    """Rows as they end.

    Attributes:
        around: whether the element in which rows stand was there.
        beside: elements of other names in it.
        rows: that have begun.
        there: paths of elements, no deeper than rows would be, outside of rows.
        parted: names of elements beside the rows that have attributes or elements of their own.
        around_name: of the last element in which rows stand, as expat has it.
    """

    def __init__(self, path: Sequence[str], names: Names) -> None:
        """Nothing was read yet.

        Args:
            path: names of the elements down to those that are rows, as `names` gives them.
            names: of elements and attributes.
        """
        super().__init__()
        self.names, self._known = names, names.known
        self._path = path
        self._fits = 0
        self._found: list[Record] = []
        self._open: list[_Element] = []
        self._values: dict[str, str | None] = {}
        self._bad, self._own_text = False, ""
        self._leaf: str | None = None
        self._parts: list[str] = []
        self._outer: list[str] = []
        self.around = False
        self.beside = self.rows = 0
        self.there: dict[str, None] = {}
        self.parted: dict[str, None] = {}
        self.around_name = ""

    @property
    def record(self) -> str:
        """Name of the elements that are rows."""
        return self._path[-1]

    def is_between(self) -> bool:
        """Whether rows stand here, and none is open."""
        above = len(self._path) - 1
        return self._fits == self.depth == above <= DEEPEST - 2 and not self._open

    def ready(self) -> list[Record]:
        """The rows that have ended and were not given yet."""
        found, self._found = self._found, []
        return found

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        """An element of a row without attributes waits until it is known whether others are in it.

        Most elements hold text alone and are done with when they end.
        """
        if self._leaf is not None:
            leaf, self._leaf = self._leaf, None
            self.start(leaf, {})
            self._open[-1].parts, self._parts = self._parts, []
        if self._open and not attributes and self.depth < DEEPEST:
            self.depth += 1
            self._leaf = name
            return
        super().opened(name, attributes)

    def closed(self, name: str) -> None:
        """An element ends; one that has waited is put into its row here."""
        if self._leaf is None:
            super().closed(name)
            return
        self.depth -= 1
        self._leaf = None
        path, above = self._known.get(name) or self.names.of(name), self._open[-1]
        above.leaf = False
        if above.path:
            path = f"{above.path}/{path}"
        text = None
        if self._parts:
            text, self._parts = "".join(self._parts), []
        values = self._values  # as `_put`, without a call: this is done for each value
        self._bad = self._bad or path in values
        values[path] = text

    def said(self, text: str) -> None:
        """Text, of an element that waits or of another."""
        if self._leaf is None or self.text + len(text) > LONGEST_ROW:
            super().said(text)
            return
        self.text += len(text)
        self._parts.append(text)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins: a row, a part of one, or something around them."""
        own = self._known.get(name) or self.names.of(name)
        if self._open:
            above = self._open[-1]
            above.leaf = False
            self._begin(f"{above.path}/{own}" if above.path else own, attributes)
            return
        fits = self._fits
        if fits == self.depth - 1 and fits < len(self._path) and own == self._path[fits]:
            self._fits += 1
        if self._fits == self.depth == len(self._path):
            self.begin_row(attributes)
        else:
            self._outside(own, attributes)
            if self._fits == self.depth == len(self._path) - 1:
                self.around_at, self.around_name = self.here(), name
        self.around = self.around or self._fits == self.depth >= len(self._path) - 1

    def begin_row(self, attributes: dict[str, str], own_text: str = "") -> None:
        """From here to its end the element that has begun is a row.

        Args:
            attributes: of the element.
            own_text: path of its text, where it has no parts; empty: it is to have parts.
        """
        self._values, self._bad, self._own_text, self.text = {}, False, own_text, 0
        self.rows += 1
        self._begin("", attributes)

    def end(self, name: str) -> None:  # noqa: ARG002 - expat's
        """An element ends."""
        if not self._open:
            self._outer.pop()
            self._fits = min(self._fits, self.depth)
            return
        element = self._open.pop()
        text = "".join(element.parts)
        if element.leaf and (path := element.path or self._own_text):
            self._put(path, text or None)
        elif text.strip(" \t\r\n"):
            self._bad = True  # text between elements: of which column?
        if not self._open:
            self.row_ended(BadRecord() if self._bad else self._values)
            self._fits = min(self._fits, self.depth)
            self.text, self.ended_at = 0, self.here()

    def row_ended(self, record: Record) -> None:
        """Take a row.

        Args:
            record: the row by path.
        """
        self._found.append(record)

    def characters(self, text: str) -> None:
        """Text of a row; text around rows is none."""
        if self._open:
            self._open[-1].parts.append(text)

    def is_unread(self, name: str) -> bool:
        """Whether an attribute says how a value is written, and is none."""
        return name in ("xsi:nil", "xml:space")

    def _outside(self, own: str, attributes: dict[str, str]) -> None:
        """An element that is no row and stands in none."""
        self._outer.append(own[:LONGEST])
        rows = len(self._path)
        if self.depth <= rows and len(self.there) <= MOST_SHOWN:
            self.there["/" + "/".join(self._outer)] = None
        if self._fits != rows - 1:
            return
        self.beside += self.depth == rows
        part = self.depth == rows + 1 or (self.depth == rows and bool(attributes))
        if part and len(self.parted) <= MOST_SHOWN:
            self.parted[self._outer[rows - 1]] = None

    def _begin(self, path: str, attributes: dict[str, str]) -> None:
        self._open.append(_Element(path))
        for name, value in attributes.items():
            own = self._known.get(name) or self.names.of(name)
            if not self.is_unread(own):
                self._put(f"{path}/@{own}" if path else f"@{own}", value or None)

    def _put(self, path: str, value: str | None) -> None:
        if path in self._values:
            self._bad = True  # twice: which one counts?
        self._values[path] = value


class _Element:
    """An element of a row that is open."""

    __slots__ = ("leaf", "parts", "path")

    def __init__(self, path: str) -> None:
        self.path, self.leaf = path, True
        self.parts: list[str] = []


class Columns:
    """Rows as batches; an element that a row lacks is NULL there, one that all lack is missing.

    Attributes:
        request: names the columns.
    """

    def __init__(self, request: ReadRequest, origin: str) -> None:
        """No row was seen yet.

        Args:
            request: names the columns.
            origin: file or operation, for messages.
        """
        self.request, self._origin = request, origin
        self._absent: Mapping[str, str | None] = {c.native: None for c in request.columns}
        self._names = [c.name for c in request.columns]
        self._seen: set[str] = set()

    def part(self, records: Sequence[Record]) -> Part:
        """Rows as a batch of text, with the contract's names as columns.

        Args:
            records: some thousands of them.

        Raises:
            SchemaMismatch: they hold an element or attribute that the contract does not name.
        """
        sound = [r for r in records if isinstance(r, dict)]
        self._seen.update(*sound)
        if len(sound) < len(records) or not self._seen <= self._absent.keys():
            filled = [r if isinstance(r, BadRecord) else {**self._absent, **r} for r in records]
            return part(filled, self.request, self._origin, RULE)
        arrays = [pa.array([r.get(n) for r in sound], pa.string()) for n in self._absent]
        return pa.RecordBatch.from_arrays(arrays, names=self._names), {}

    def saw(self, natives: Iterable[str]) -> None:
        """Rows that others have made batches of had these columns.

        Args:
            natives: their names, of the contract's.
        """
        self._seen.update(natives)

    def check(self) -> None:
        """After the last row.

        Raises:
            SchemaMismatch: no row had an element that is required.
        """
        if self._seen:
            optional: Iterable[str] = (c.native for c in self.request.columns if not c.required)
            check_columns(self._seen.union(optional), self.request, self._origin)
