"""Reading an API page after page, with detection of repeats and losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from connectors.common.gather import regrouped
from connectors.common.records import part
from connectors.common.strict_json import at, scalar_text
from connectors.rest.client import Client
from connectors.rest.options import Keyset, PageNumber, RestSource
from onecard.base.connections import Connection
from onecard.errors import ProtocolError, SourceUnavailable
from onecard.model.checkpoints import Checkpoint
from onecard.ports.source import Chunk, ReadRequest, Refusal


class RestReading:
    """One pass over all pages."""

    checkpoint: Checkpoint = {}  # noqa: RUF012 - nothing to remember: the core keeps the cursor
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()

    def __init__(self, connection: Connection, request: ReadRequest) -> None:
        self._connection, self._request = connection, request
        self._options = RestSource.model_validate(request.options.model_dump())

    def __iter__(self) -> Iterator[Chunk]:
        options, request = self._options, self._request
        client = Client(self._connection, options, request.dataset)
        pages = _Pages(client, request.dataset, options, self._params())
        parts = (part(page, request, options.path) for page in pages)
        try:
            yield from regrouped(parts, options.path, request.batch_rows)
        finally:
            client.close()

    def _params(self) -> dict[str, str]:
        params = dict(self._options.params)
        if self._options.since_param and self._request.since:
            params[self._options.since_param] = self._request.since
        return params


class _Pages:
    """The loop over pages, with its detection of repeats and losses."""

    def __init__(
        self, client: Client, dataset: str, options: RestSource, params: dict[str, str]
    ) -> None:
        self._client, self._options, self._params = client, options, params
        self._where = f"{dataset} at {options.path}"

    def __iter__(self) -> Iterator[list[Any]]:
        paginator = self._options.paginator
        if isinstance(paginator, Keyset):
            pages = self._keyset(paginator)
        else:
            pages = self._numbered(paginator)
        last: list[Any] | None = None
        for page in pages:
            if page and page == last:
                self._refuse("a page was repeated")
            last = page
            yield page

    def _keyset(self, paginator: Keyset) -> Iterator[list[Any]]:
        seen: set[str] = set()
        cursor: str | None = None
        while True:
            params = {**self._params, paginator.size_param: str(paginator.size)}
            if cursor is not None:
                params[paginator.cursor_param] = cursor
            reply = self._get(params)
            yield self._records(reply)
            more = at(reply, paginator.has_more) if paginator.has_more else None
            found = at(reply, paginator.next)
            if more is True and found is None:
                self._refuse("it says there is more but names no next cursor")
            if found is None or more is False:
                return
            if not isinstance(found, str) or not found:
                self._refuse(f"{paginator.next} is no cursor")
            if found in seen:
                self._refuse("its cursors run in a loop")
            seen.add(found)
            cursor = found

    def _numbered(self, paginator: PageNumber) -> Iterator[list[Any]]:
        number, read, most = paginator.first, 0, 0
        while True:
            reply = self._get(
                {
                    **self._params,
                    paginator.page_param: str(number),
                    paginator.size_param: str(paginator.size),
                }
            )
            page = self._records(reply)
            yield page
            read, number = read + len(page), number + 1
            total = at(reply, paginator.total)
            if not isinstance(total, str) or not (total.isascii() and total.isdigit()):
                self._refuse(f"it gives no {paginator.total}")
            if int(total) < most:  # later rows moved up: one of them was on no page (F10)
                msg = f"{self._where}: the number of its rows fell while they were read"
                raise SourceUnavailable(msg)
            most = int(total)
            if read >= int(total):
                return
            if not page:
                self._refuse(f"it promised {int(total)} rows and gave {read}")

    def _get(self, params: dict[str, str]) -> Any:  # noqa: ANN401 - JSON
        reply = self._client.get(self._options.path, params)
        success = self._options.success
        if success and scalar_text(at(reply, success.field)) != success.value:
            self._refuse(f"it did not answer {success.field} = {success.value}")
        return reply

    def _records(self, reply: object) -> list[Any]:
        found = at(reply, self._options.records)
        if not isinstance(found, list):
            self._refuse(f"its reply has no list at {self._options.records}")
        return found

    def _refuse(self, why: str) -> NoReturn:
        msg = f"{self._where}: {why}"
        raise ProtocolError(msg)
