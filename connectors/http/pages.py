"""The loop over the pages of a system, with its detection of repeats and losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NoReturn

from connectors.common.strict_json import scalar_text
from connectors.http.options import Keyset, Paged, PageNumber
from connectors.http.page import Api, Page, Reply
from connectors.http.repeats import PageKeys
from onecard.errors import ProtocolError, UnstableSource
from onecard.ports.source import ReadRequest

_MORE = {None: None, True: True, False: False, "true": True, "false": False, "1": True, "0": False}
"""What systems say of further pages, in the words that JSON and text have for yes and no."""


def check_success(reply: Reply, options: Paged, where: str) -> None:
    """Refuse a reply that does not say what it must.

    Args:
        reply: of one call.
        options: name what it must say, if anything.
        where: for the message.

    Raises:
        ProtocolError: it says something else, or nothing.
    """
    success = options.success
    if success and scalar_text(reply.at(success.field)) != success.value:
        msg = f"{where}: it did not answer {success.field} = {success.value}"
        raise ProtocolError(msg)


class Pages:
    """The loop over pages, with its detection of repeats and losses.

    Attributes:
        asked: the cursor by which the page that came last was asked for.
        more: as many as the request allows were read, and more may follow.
    """

    def __init__(
        self,
        api: Api,
        request: ReadRequest,
        options: Paged,
        params: Mapping[str, str],
        keys: PageKeys,
    ) -> None:
        """Nothing was asked yet.

        Args:
            api: is called.
            request: names dataset and columns, and the page to begin with.
            options: the paginator, and what a reply must say.
            params: of every call.
            keys: tells what stands on two numbered pages.
        """
        self._api, self._options, self._params = api, options, params
        self._keys, self._request = keys, request
        self._where = f"{request.dataset} at {api.place}"
        self.remarks: list[str] = []
        self.asked: str | None = None
        self.more = False

    def __iter__(self) -> Iterator[Page]:
        paginator = self._options.paginator
        if isinstance(paginator, Keyset):
            pages = self.by_cursor(paginator)
        elif isinstance(paginator, PageNumber):
            pages = self._numbered(paginator)
        else:
            pages = iter([self._records(self._get({**self._params}))])
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
                remark = f"{self._api.place}: said there is no more, and {len(page)} rows came"
                self.remarks.append(remark)
            yield page
            before = page
            more, found = self._more(reply, paginator), reply.at(paginator.next)
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

    def _more(self, reply: Reply, paginator: Keyset) -> bool | None:
        """What the reply says of further pages; None where the API has no word for it."""
        if not paginator.has_more:
            return None
        said = reply.at(paginator.has_more)
        word = said.lower() if isinstance(said, str) else said
        if not isinstance(word, str | bool | None) or word not in _MORE:
            self._refuse(f"{paginator.has_more} is neither true nor false")
        if word is None and not reply.has(paginator.next):
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
            self.remarks.append(f"{self._api.place}: told of {most} rows, and {read} came")

    def total(self, paginator: PageNumber) -> int:
        """Rows that the API says there are, asked by its first page."""
        return self._total(self._numbered_page(paginator, paginator.first), paginator)

    def _total(self, reply: Reply, paginator: PageNumber) -> int:
        total = reply.at(paginator.total)
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

    def _get(self, params: dict[str, str]) -> Reply:
        reply = self._api.ask(params)
        check_success(reply, self._options, self._where)
        return reply

    def _records(self, reply: Reply) -> Page:
        found = reply.page()
        if found is None:
            self._refuse(f"its reply has no {self._api.rows}")
        return found

    def _refuse(self, why: str) -> NoReturn:
        msg = f"{self._where}: {why}"
        raise ProtocolError(msg)
