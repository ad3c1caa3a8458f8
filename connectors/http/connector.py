"""What connectors of systems behind HTTP answer alike: readings, states, partitions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from connectors.http import news
from connectors.http.reading import ChosenReading, PagedReading
from onecard.base.connections import Connection
from onecard.errors import NotDivisible
from onecard.ports.choice import Only
from onecard.ports.news import SourceState
from onecard.ports.source import Reading, ReadRequest


class PagedConnector(ABC):
    """Base of connectors whose systems give their rows in pages; a subclass supplies `reading`."""

    @abstractmethod
    def reading(
        self, connection: Connection, request: ReadRequest, more: Mapping[str, str] | None = None
    ) -> PagedReading[Any]:
        """One pass over all pages.

        Args:
            connection: of the agency's system.
            request: of the dataset.
            more: parameters besides those of the options.
        """

    def read(self, connection: Connection, request: ReadRequest) -> Reading:
        """Read page after page."""
        return self.reading(connection, request)

    def read_only(self, connection: Connection, request: ReadRequest, only: Only) -> Reading | None:
        """Read page after page of each value; None where the options name no parameter for it.

        Args:
            connection: of the agency's system.
            request: of the dataset.
            only: a field, and its values.
        """
        param = self.reading(connection, request).options.by.get(only.name)
        if param is None:
            return None
        return ChosenReading([self.reading(connection, request, {param: v}) for v in only.values])

    def state(self, connection: Connection, request: ReadRequest) -> SourceState:
        """The rows behind the bound, and their last page.

        Args:
            connection: of the agency's system.
            request: names the bound, and the page to begin with.
        """
        return news.state(self.reading(connection, request))

    def mark(self, connection: Connection, request: ReadRequest) -> str:
        """How many rows the system says it has, whatever the parameter; empty without a total.

        Args:
            connection: of the agency's system.
            request: of the whole.
        """
        total = self.reading(connection, replace(request, part=None)).total()
        return "" if total is None else str(total)

    def shared(self, connection: Connection) -> AbstractContextManager[str]:  # noqa: ARG002 - the port's
        """Such a system holds no state for a reader.

        Args:
            connection: of the agency's system.
        """
        return nullcontext("")

    def confirm(self, connection: Connection, request: ReadRequest, rows: int) -> None:
        """Compare the rows of all partitions with the system's total, before and now.

        Args:
            connection: of the agency's system.
            request: as for `mark`, with that mark.
            rows: that all partitions gave together.

        Raises:
            NotDivisible: they are more or fewer: a value of the parameter is not listed, or the
                system does not know the parameter.
        """
        before = request.part.mark if request.part else ""
        now = self.mark(connection, request)
        if not before or not now:
            return
        least, most = sorted((int(before), int(now)))
        if not least <= rows <= most:
            msg = f"{request.dataset}: its partitions gave {rows} row(s), it tells of {now}"
            raise NotDivisible(msg)
