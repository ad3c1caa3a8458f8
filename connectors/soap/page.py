"""An answer of a web service: what is named beside its rows, and the rows as a page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.common.gather import Part
from onecard.ports.source import Column, ReadRequest


@dataclass(frozen=True, slots=True, eq=False)
class XmlPage:
    """The rows of one page, as batches of text; implements `connectors.http.page.Page`."""

    batches: tuple[Part, ...]

    def __len__(self) -> int:
        return sum(batch.num_rows for batch, _ in self.batches)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, XmlPage):
            return NotImplemented
        return len(self) == len(other) and self._lines() == other._lines()

    __hash__ = None  # type: ignore[assignment]

    def content(self) -> bytes:
        """Bytes that differ where the rows do."""
        return json.dumps(self._lines()).encode()

    def texts(self, columns: Sequence[Column]) -> Iterator[tuple[str | None, ...] | None]:
        """Of each row the texts of some columns; None of what is damaged.

        Args:
            columns: of the request.
        """
        for batch, damaged in self.batches:
            chosen = [batch.column(c.name).to_pylist() for c in columns]
            for place, row in enumerate(zip(*chosen, strict=True)):
                yield None if place in damaged else row

    def parts(self, request: ReadRequest, origin: str) -> Iterator[Part]:  # noqa: ARG002 - the port's
        """The rows as batches of text.

        Args:
            request: names the columns, as when they were read.
            origin: for messages.
        """
        yield from self.batches

    def _lines(self) -> list[object]:
        return [
            None if place in damaged else list(row.values())
            for batch, damaged in self.batches
            for place, row in enumerate(batch.to_pylist())
        ]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered to one call; implements `connectors.http.page.Reply`.

    Attributes:
        values: what stands at the paths that the options name.
        rows: None where they do not stand in their place.
    """

    values: Mapping[str, str | None]
    rows: XmlPage | None

    def at(self, path: str | None) -> object:
        """The text at a path, or None."""
        return self.values.get(path or "")

    def has(self, path: str) -> bool:
        """Whether an element stands at a path, an empty one included."""
        return path in self.values

    def page(self) -> XmlPage | None:
        """The rows."""
        return self.rows
