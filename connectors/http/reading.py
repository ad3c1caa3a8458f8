"""Reading a system page after page; a kind says how it is called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from connectors.common.gather import Part, regrouped
from connectors.http.options import Paged, PageNumber
from connectors.http.page import Api
from connectors.http.pages import Pages
from connectors.http.repeats import PageKeys
from onecard.errors import ConfigError
from onecard.model.checkpoints import Checkpoint
from onecard.ports.source import Chunk, ReadRequest, Refusal
from schemas.models.partition import ByParameter

if TYPE_CHECKING:
    from onecard.base.connections import Connection

A = TypeVar("A", bound=Api)


class PagedReading(ABC, Generic[A]):
    """One pass over all pages; a subclass opens the system."""

    checkpoint: Checkpoint = {}  # noqa: RUF012 - nothing to remember: the core keeps the cursor
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()

    def __init__(
        self,
        connection: Connection,
        request: ReadRequest,
        options: Paged,
        more: Mapping[str, str] | None = None,
    ) -> None:
        """Take what is read.

        Args:
            connection: of the agency's system.
            request: of the dataset.
            options: of the source, of the kind's model.
            more: parameters besides those of the options.
        """
        self.connection, self.request, self.options = connection, request, options
        self._more = more or {}
        self._remarks: list[str] = []

    @abstractmethod
    def opened(self) -> AbstractContextManager[A]:
        """The system, to be called until the block ends."""

    def looked_at(self) -> AbstractContextManager[A]:
        """The same, for a look that comes again and again: a kind may remember what it saw."""
        return self.opened()

    @property
    def remarks(self) -> tuple[str, ...]:
        """Where the system said something else of its pages than they showed."""
        return tuple(self._remarks)

    def __iter__(self) -> Iterator[Chunk]:
        """All rows, in chunks."""
        with self.opened() as api:
            part = self.request.part
            origin = f"{api.place}, {part}" if part else api.place
            yield from regrouped(self.parts(api, origin), origin, self.request.batch_rows)

    def parts(self, api: A, origin: str) -> Iterator[Part]:
        """The rows of all pages as batches of text, with the contract's names as columns.

        Args:
            api: is called.
            origin: for messages.
        """
        pages = Pages(api, self.request, self.options, self.params(), self._keys())
        self._remarks = pages.remarks
        for page in pages:
            yield from page.parts(self.request, origin)

    def total(self) -> int | None:
        """Rows that the system says there are in all partitions; None where it gives no total."""
        paginator = self.options.paginator
        if not isinstance(paginator, PageNumber):
            return None
        with self.opened() as api:
            return self.pages(api).total(paginator)

    def pages(self, api: Api) -> Pages:
        """Its pages, without a memory of what stood on them.

        Args:
            api: is called.
        """
        return Pages(api, self.request, self.options, self.params(), PageKeys(()))

    def params(self) -> dict[str, str]:
        """Those of every call: the options', the bound, the partition's."""
        options = self.options
        params = dict(options.params)
        if isinstance(options.paginator, PageNumber) and isinstance(
            options.paginator.order, Mapping
        ):
            params |= options.paginator.order
        if options.since_param and self.request.since:
            params[options.since_param] = self.bound(self.request.since)
        return {**params, **self._part(), **self._more}

    def bound(self, since: str) -> str:
        """The incremental bound as the system takes it.

        Args:
            since: as the request has it, ISO 8601.
        """
        return since

    def _keys(self) -> PageKeys:
        """What must not stand on two numbered pages: a key, or a version of a row."""
        paginator, request = self.options.paginator, self.request
        if not isinstance(paginator, PageNumber):
            return PageKeys(())
        named = {c.name: c for c in request.columns}
        versions = request.order if paginator.versions else ()
        key = [named[name] for name in request.key]
        return PageKeys(key, [named[name] for name in versions], paginator.confirm)

    def _part(self) -> dict[str, str]:
        """The parameter by which the system gives one partition."""
        part = self.request.part
        if part is None:
            return {}
        if not isinstance(part.partition, ByParameter):
            msg = f"{self.request.dataset}: an API is read by parameter, not {part.partition.by}"
            raise ConfigError(msg)
        return {part.partition.parameter: part.partition.values[part.number]}


class ChosenReading:
    """One pass over all pages of each of some values, one value after the other."""

    checkpoint: Checkpoint = {}  # noqa: RUF012 - as of `PagedReading`
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()

    def __init__(self, readings: Sequence[PagedReading[Any]]) -> None:
        """Take what is read.

        Args:
            readings: one for each value.
        """
        self._readings = readings

    def __iter__(self) -> Iterator[Chunk]:
        """All rows, in chunks."""
        for reading in self._readings:
            yield from reading
