"""What a kind of system makes of a call: a reply, and the page of rows in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from connectors.common.gather import Part
from onecard.ports.source import Column, ReadRequest


class Page(Protocol):
    """The rows of one page; pages of the same rows are equal."""

    def __len__(self) -> int:
        """Rows, damaged ones included."""
        ...

    def content(self) -> bytes:
        """Bytes that differ where the rows do."""
        ...

    def texts(self, columns: Sequence[Column]) -> Iterator[tuple[str | None, ...] | None]:
        """Of each row the texts of some columns; None of what is no row.

        Args:
            columns: of the request.
        """
        ...

    def parts(self, request: ReadRequest, origin: str) -> Iterator[Part]:
        """The rows as batches of text.

        Args:
            request: names the columns.
            origin: for messages.

        Raises:
            SchemaMismatch: rows hold a column that the contract does not name, or lack one.
        """
        ...


class Reply(Protocol):
    """What a system answered to one call."""

    def at(self, path: str | None) -> object:
        """The value at a path; None where nothing stands there.

        Args:
            path: as the kind's options write it.
        """
        ...

    def has(self, path: str) -> bool:
        """Whether something stands at a path, null included.

        Args:
            path: as the kind's options write it.
        """
        ...

    def page(self) -> Page | None:
        """The rows; None where they do not stand in their place."""
        ...


class Api(Protocol):
    """A system that gives its rows in pages.

    Attributes:
        place: what is called, for messages: a path, an operation.
        rows: where the rows stand in a reply, in words that follow `no`.
    """

    @property
    def place(self) -> str:
        """What is called."""
        ...

    @property
    def rows(self) -> str:
        """Where the rows stand."""
        ...

    def ask(self, params: Mapping[str, str]) -> Reply:
        """Call it once, with all its retries.

        Args:
            params: of this call.

        Raises:
            OnecardError: as the kind's client raises it.
        """
        ...
