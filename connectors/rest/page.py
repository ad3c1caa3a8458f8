"""A page of rows, scanned into columns where it is sound, as parsed records where it is not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.common import records, scanned
from connectors.common.gather import Part
from connectors.common.scanned import ScannedRows
from connectors.common.strict_json import Written, at, has, parse_json
from onecard.ports.source import Column, ReadRequest


@dataclass(frozen=True, slots=True)
class Reply:
    """An API's answer; implements `connectors.http.page.Reply`.

    Attributes:
        document: as parsed; the list of rows is empty in it where they were scanned.
        records: dotted path of the list of rows.
        scanned: the rows, where they were.
    """

    document: Any
    records: str
    scanned: ScannedRows | None = None

    def at(self, path: str | None) -> object:
        """The value at a dotted path, or None."""
        return at(self.document, path)

    def has(self, path: str) -> bool:
        """Whether something stands at a dotted path, null included."""
        return has(self.document, path)

    def page(self) -> Page | None:
        """The rows; None where there is no list at their path."""
        if self.scanned is not None:
            return Page(None, self.scanned)
        found = at(self.document, self.records)
        return Page(found) if isinstance(found, list) else None


def parsed(content: bytes, path: str, request: ReadRequest) -> Reply:
    """A body as a reply.

    Args:
        content: JSON in UTF-8.
        path: dotted path of the list of rows.
        request: names the columns.

    Raises:
        ValueError: not JSON.
        RecursionError: nested too deeply.
    """
    if found := scanned.document(content, path, request):
        return Reply(found.around, path, found)
    return Reply(parse_json(content.decode("utf-8")), path)


@dataclass(slots=True)
class Page:
    """The rows of one page; pages of the same records are equal, however they are written.

    Implements `connectors.http.page.Page`.

    Attributes:
        rows: as parsed; None where they were scanned.
        scanned: the columns, where they were.
    """

    rows: list[Any] | None
    scanned: ScannedRows | None = None
    _parsed: list[Any] | None = field(default=None, init=False)

    def __len__(self) -> int:
        return self.scanned.batch.num_rows if self.scanned else len(self.rows or ())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Page):
            return NotImplemented
        if self.scanned and other.scanned:
            if self.scanned.listed == other.scanned.listed:
                return True
            if not self.scanned.batch.equals(other.scanned.batch):
                return False
        return len(self) == len(other) and self.records() == other.records()

    __hash__ = None  # type: ignore[assignment]

    def content(self) -> bytes:
        """Bytes that differ where the rows do."""
        if self.scanned is not None:
            return self.scanned.listed
        return json.dumps(self.rows, default=lambda _damaged: None).encode()

    def records(self) -> list[Any]:
        """The rows as the strict reader parses them."""
        if self.scanned is None:
            return self.rows or []
        if self._parsed is None:
            self._parsed = parse_json(self.scanned.listed.decode("utf-8"))
        return self._parsed

    def parts(self, request: ReadRequest, origin: str) -> Iterator[Part]:
        """The rows as one batch of text.

        Args:
            request: names the columns.
            origin: path of the API, for messages.

        Raises:
            SchemaMismatch: records hold a key that the contract does not name, or lack one.
        """
        if self.scanned is not None:
            yield self.scanned.batch, {}
        else:
            yield records.part(self.rows or [], request, origin)

    def texts(self, columns: Sequence[Column]) -> Iterator[tuple[str | None, ...] | None]:
        """Of each row the texts of some columns; None of what is no object.

        Args:
            columns: of the request.
        """
        if self.scanned is not None:
            chosen = [self.scanned.batch.column(c.name).to_pylist() for c in columns]
            return zip(*chosen, strict=True)
        return (
            tuple(_text(record.get(c.native), c) for c in columns)
            if isinstance(record, dict)
            else None
            for record in self.rows or ()
        )


def _text(value: object, column: Column) -> str | None:
    """A value as the page's batch has it; what no row may hold as some text of it."""
    if isinstance(value, Written) and records.is_plain(column):
        return value.plain()
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)
