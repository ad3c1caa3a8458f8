"""Reading an API page after page, with detection of repeats and losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NoReturn, TypeVar

from connectors.common.gather import regrouped
from connectors.common.strict_json import at, has, scalar_text
from connectors.rest import page as pages_of
from connectors.rest.client import Client
from connectors.rest.options import Keyset, PageNumber, RestSource
from connectors.rest.page import Page, Reply
from connectors.rest.repeats import PageKeys
from onecard.base.connections import Connection
from onecard.errors import ConfigError, ProtocolError, UnstableSource
from onecard.model.checkpoints import Checkpoint
from onecard.ports.source import Chunk, ReadRequest, Refusal
from schemas.models.partition import ByParameter

_MORE = {None: None, True: True, False: False, "true": True, "false": False, "1": True, "0": False}
"""What APIs say of further pages, in the words that JSON and text have for yes and no."""
AnyPages = TypeVar("AnyPages", bound="Pages")


class RestReading:
    """One pass over all pages."""

    checkpoint: Checkpoint = {}  # noqa: RUF012 - nothing to remember: the core keeps the cursor
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()

    def __init__(
        self, connection: Connection, request: ReadRequest, more: Mapping[str, str] | None = None
    ) -> None:
        """Take what is read.

        Args:
            connection: of the agency's system.
            request: of the dataset.
            more: parameters besides those of the options.
        """
        self._connection, self._request, self._more = connection, request, more or {}
        self._options = RestSource.of(request.options)
        self._remarks: list[str] = []

    @property
    def remarks(self) -> tuple[str, ...]:
        """Where the API said something else of its pages than they showed."""
        return tuple(self._remarks)

    def __iter__(self) -> Iterator[Chunk]:
        options, request = self._options, self._request
        client = Client(self._connection, options, request.dataset)
        pages = Pages(client, request, options, self._params(), self._keys())
        self._remarks = pages.remarks
        origin = f"{options.path}, {request.part}" if request.part else options.path
        parts = (page.part(request, origin) for page in pages)
        try:
            yield from regrouped(parts, origin, request.batch_rows)
        finally:
            client.close()

    def total(self) -> int | None:
        """Rows that the API says there are in all partitions; None where it gives no total."""
        paginator = self._options.paginator
        if not isinstance(paginator, PageNumber):
            return None
        client = Client(self._connection, self._options, self._request.dataset)
        try:
            return self.pages(client).total(paginator)
        finally:
            client.close()

    def pages(self, client: Client) -> Pages:
        """Its pages, without a memory of what stood on them.

        Args:
            client: calls the API.
        """
        return self.pages_of(Pages, client)

    def pages_of(self, kind: type[AnyPages], client: Client) -> AnyPages:
        """The same, as a kind of pages of the caller's.

        Args:
            kind: of the loop over them.
            client: calls the API.
        """
        return kind(client, self._request, self._options, self._params(), PageKeys(()))

    def _keys(self) -> PageKeys:
        """What must not stand on two numbered pages: a key, or a version of a row."""
        paginator, request = self._options.paginator, self._request
        if not isinstance(paginator, PageNumber):
            return PageKeys(())
        named = {c.name: c for c in request.columns}
        versions = request.order if paginator.versions else ()
        key = [named[name] for name in request.key]
        return PageKeys(key, [named[name] for name in versions], paginator.confirm)

    def _params(self) -> dict[str, str]:
        paginator = self._options.paginator
        params = dict(self._options.params)
        if isinstance(paginator, PageNumber) and isinstance(paginator.order, Mapping):
            params |= paginator.order
        if self._options.since_param and self._request.since:
            params[self._options.since_param] = self._request.since
        return {**params, **self._part(), **self._more}

    def _part(self) -> dict[str, str]:
        """The parameter by which the API gives one partition."""
        part = self._request.part
        if part is None:
            return {}
        if not isinstance(part.partition, ByParameter):
            msg = f"{self._request.dataset}: an API is read by parameter, not {part.partition.by}"
            raise ConfigError(msg)
        return {part.partition.parameter: part.partition.values[part.number]}


class ChosenReading:
    """One pass over all pages of each of some values, one value after the other."""

    checkpoint: Checkpoint = {}  # noqa: RUF012 - as of `RestReading`
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()

    def __init__(
        self, connection: Connection, request: ReadRequest, param: str, values: tuple[str, ...]
    ) -> None:
        """Take what is read.

        Args:
            connection: of the agency's system.
            request: of the dataset.
            param: that takes a value.
            values: of which all rows are read.
        """
        self._readings = [RestReading(connection, request, {param: value}) for value in values]

    def __iter__(self) -> Iterator[Chunk]:
        for reading in self._readings:
            yield from reading


class Pages:
    """The loop over pages, with its detection of repeats and losses.

    Attributes:
        asked: the cursor by which the page that came last was asked for.
        more: as many as the request allows were read, and more may follow.
    """

    def __init__(
        self,
        client: Client,
        request: ReadRequest,
        options: RestSource,
        params: dict[str, str],
        keys: PageKeys,
    ) -> None:
        self._client, self._options, self._params = client, options, params
        self._keys, self._request = keys, request
        self._where = f"{request.dataset} at {options.path}"
        self.remarks: list[str] = []
        self.asked: str | None = None
        self.more = False

    def __iter__(self) -> Iterator[Page]:
        paginator = self._options.paginator
        if isinstance(paginator, Keyset):
            pages = self.by_cursor(paginator)
        else:
            pages = self._numbered(paginator)
        last: Page | None = None
        for page in pages:
            if page and page == last:
                self._refuse("a page was repeated")
            last = page
            self._keys.add(page)
            yield page

    def by_cursor(self, paginator: Keyset) -> Iterator[Page]:
        """Pages by cursor, from the first one on or from the one that the request names."""
        left = self._request.most_pages
        for page in self._following(paginator):
            yield page
            if left is None or not page:
                continue
            left -= 1
            if not left:
                self.more = True
                return

    def _following(self, paginator: Keyset) -> Iterator[Page]:
        """The same, without an end before the source's."""
        cursor = self._request.page
        seen: set[str] = set()
        before: Page | None = None
        ended = False
        while True:
            params = {**self._params, paginator.size_param: str(paginator.size)}
            if cursor is not None:
                params[paginator.cursor_param] = cursor
            reply = self._get(params)
            page, self.asked = self._records(reply), cursor
            if ended and (not page or page == before):
                return
            if ended:
                remark = f"{self._options.path}: said there is no more, and {len(page)} rows came"
                self.remarks.append(remark)
            yield page
            before = page
            more, found = self._more(reply.document, paginator), at(reply.document, paginator.next)
            if found is None:
                if more:
                    self._refuse("it says there is more but names no next cursor")
                return
            if not isinstance(found, str) or not found:
                self._refuse(f"{paginator.next} is no cursor")
            if found in seen:
                if more is False:
                    return
                self._refuse("its cursors run in a loop")
            seen.add(found)
            # Some name a cursor for later behind their last page: an empty page proves it the last.
            cursor, ended = found, more is False

    def _more(self, reply: object, paginator: Keyset) -> bool | None:
        """What the reply says of further pages; None where the API has no word for it."""
        if not paginator.has_more:
            return None
        said = at(reply, paginator.has_more)
        word = said.lower() if isinstance(said, str) else said
        if not isinstance(word, str | bool | None) or word not in _MORE:
            self._refuse(f"{paginator.has_more} is neither true nor false")
        if word is None and not has(reply, paginator.next):
            why = f"it has neither {paginator.has_more} nor {paginator.next}"
            self._refuse(f"{why}: nothing tells whether this is the last page")
        return _MORE[word]

    def _numbered(self, paginator: PageNumber) -> Iterator[Page]:
        number, read, most = paginator.first, 0, 0
        while True:
            reply = self._numbered_page(paginator, number)
            page = self._records(reply)
            yield page
            read, number = read + len(page), number + 1
            total = self._total(reply, paginator)
            if total < most:  # later rows moved up: one of them was on no page (F10)
                msg = f"{self._where}: the number of its rows fell while they were read"
                raise UnstableSource(msg)
            most = total
            if read < most:
                if not page:
                    self._refuse(f"it promised {most} rows and gave {read}")
                continue
            if len(page) < paginator.size or self._is_last(paginator, number, page):
                break
        self._confirm(paginator)
        if read > most:
            self.remarks.append(f"{self._options.path}: told of {most} rows, and {read} came")

    def total(self, paginator: PageNumber) -> int:
        """Rows that the API says there are, asked by its first page."""
        return self._total(self._numbered_page(paginator, paginator.first), paginator)

    def _total(self, reply: Reply, paginator: PageNumber) -> int:
        total = at(reply.document, paginator.total)
        if not isinstance(total, str) or not (total.isascii() and total.isdigit()):
            self._refuse(f"it gives no {paginator.total}")
        return int(total)

    def _is_last(self, paginator: PageNumber, number: int, page: Page) -> bool:
        """Whether nothing stands behind a full page that reaches the total.

        Some refuse a page behind the last one, some give the last or the first one again.
        """
        try:
            behind = self._records(self._numbered_page(paginator, number))
        except ProtocolError:
            return True
        return not behind or behind == page or self._keys.all_seen(behind)

    def _numbered_page(self, paginator: PageNumber, number: int) -> Reply:
        params = {paginator.page_param: str(number), paginator.size_param: str(paginator.size)}
        return self._get({**self._params, **params})

    def _confirm(self, paginator: PageNumber) -> None:
        """No row may stand on two pages, and those of a short reading must hold the same again."""
        if repeated := self._keys.repeated():
            twice = f"{repeated} row(s) stood on two pages, others may be on none"
            raise self._unstable(twice)
        for number in range(self._keys.to_confirm):
            page = self._records(self._numbered_page(paginator, paginator.first + number))
            if not self._keys.same(number, page):
                moved = "a page asked for again holds other rows, some may be on none"
                raise self._unstable(moved)

    def _unstable(self, what: str) -> UnstableSource:
        return UnstableSource(
            f"{self._where}: {what}: its pages are not in a stable order, or rows came or went"
            " while they were read"
        )

    def parsed(self, body: bytes, params: Mapping[str, str]) -> Reply:  # noqa: ARG002 - a look's
        """What a body says.

        Args:
            body: JSON in UTF-8.
            params: by which it was asked for.

        Raises:
            ValueError, RecursionError: it is no JSON.
        """
        return pages_of.parsed(body, self._options.records, self._request)

    def _get(self, params: dict[str, str]) -> Reply:
        options = self._options
        reply = self._client.read(options.path, params, lambda body: self.parsed(body, params))
        success = options.success
        if success and scalar_text(at(reply.document, success.field)) != success.value:
            self._refuse(f"it did not answer {success.field} = {success.value}")
        return reply

    def _records(self, reply: Reply) -> Page:
        found = Page.of(reply, self._options.records)
        if found is None:
            self._refuse(f"its reply has no list at {self._options.records}")
        return found

    def _refuse(self, why: str) -> NoReturn:
        msg = f"{self._where}: {why}"
        raise ProtocolError(msg)
