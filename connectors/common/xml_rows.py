"""Rows of an XML document: an element each; its leaves and attributes are the columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from connectors.common.gather import Part
from connectors.common.records import check_columns, part
from connectors.common.strict_json import BadRecord
from connectors.common.xml_names import Names
from connectors.common.xml_stream import Handler
from onecard.ports.source import ReadRequest

RULE = "record.xml"
Record = dict[str, str | None] | BadRecord


class Rows(Handler):
    """Rows as they end.

    Attributes:
        around: whether the element in which rows stand was there.
        beside: elements of other names in it.
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
        self.around = False
        self.beside = 0

    def ready(self) -> list[Record]:
        """The rows that have ended and were not given yet."""
        found, self._found = self._found, []
        return found

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
        elif self._fits == self.depth - 1 == len(self._path) - 1:
            self.beside += 1
        self.around = self.around or self._fits == self.depth >= len(self._path) - 1

    def begin_row(self, attributes: dict[str, str], own_text: str = "") -> None:
        """From here to its end the element that has begun is a row.

        Args:
            attributes: of the element.
            own_text: path of its text, where it has no parts; empty: it is to have parts.
        """
        self._values, self._bad, self._own_text, self.text = {}, False, own_text, 0
        self._begin("", attributes)

    def end(self, name: str) -> None:  # noqa: ARG002 - expat's
        """An element ends."""
        if not self._open:
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
            self.text = 0

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
    """Rows as batches; an element that a row lacks is NULL there, one that all lack is missing."""

    def __init__(self, request: ReadRequest, origin: str) -> None:
        """No row was seen yet.

        Args:
            request: names the columns.
            origin: file or operation, for messages.
        """
        self._request, self._origin = request, origin
        self._absent: Mapping[str, str | None] = {c.native: None for c in request.columns}
        self._seen: set[str] = set()

    def part(self, records: Sequence[Record]) -> Part:
        """Rows as a batch of text, with the contract's names as columns.

        Args:
            records: some thousands of them.

        Raises:
            SchemaMismatch: they hold an element or attribute that the contract does not name.
        """
        self._seen.update(*(r for r in records if isinstance(r, dict)))
        filled = [r if isinstance(r, BadRecord) else {**self._absent, **r} for r in records]
        return part(filled, self._request, self._origin, RULE)

    def check(self) -> None:
        """After the last row.

        Raises:
            SchemaMismatch: no row had an element that is required.
        """
        if self._seen:
            optional: Iterable[str] = (c.native for c in self._request.columns if not c.required)
            check_columns(self._seen.union(optional), self._request, self._origin)
