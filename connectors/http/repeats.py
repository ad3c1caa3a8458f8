"""Numbered pages that shift while they are read: a row then stands on two of them, or on none.

Memory grows by eight bytes a row; what repeats is told at the end, before anything is published.
A row on no page repeats nothing: short readings are confirmed by asking for their pages again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import islice

from connectors.http.page import Page
from onecard.ports.source import Column


class PageKeys:
    """Remembers, page by page, what identifies its rows."""

    def __init__(
        self, key: Sequence[Column], versions: Sequence[Column] = (), keep: int = 0
    ) -> None:
        """Nothing was seen yet.

        Args:
            key: the key's fields; none: nothing is looked at.
            versions: fields that tell versions of a row apart.
            keep: pages whose keys are kept in their order, to be confirmed.
        """
        self._key, self._versions = tuple(key), tuple(versions)
        self._seen = array("q")
        self._keep, self._pages = keep if self._key else 0, 0
        self._kept: list[list[int]] = []

    def add(self, page: Page) -> None:
        """Take a page's rows; inside one page a row may stand twice.

        Args:
            page: of the reading; what is no object or lacks its key is left out.
        """
        if not self._key:
            return
        self._seen.extend({hash(row) for row in self._rows(page) if row})
        self._pages += 1
        if self._pages <= self._keep:
            self._kept.append(self._keys(page, len(page)))

    @property
    def to_confirm(self) -> int:
        """Pages that are to be asked for again: all, or none where there are too many, or one."""
        return self._pages if 1 < self._pages <= self._keep else 0

    def same(self, number: int, page: Page) -> bool:
        """Whether a page holds the keys that it held, in their order; more may have come behind.

        Args:
            number: of the page, from 0.
            page: as it is now.
        """
        before = self._kept[number]
        return self._keys(page, len(before)) == before

    def all_seen(self, page: Page) -> bool:
        """Whether a page holds rows that stood on pages before, and nothing else.

        Args:
            page: as it is now.
        """
        if not self._key:
            return False
        rows = set(self._rows(page))
        return None not in rows and {hash(r) for r in rows} <= {*self._seen}

    def repeated(self) -> int:
        """How many rows stood on a page after they had stood on another."""
        import numpy as np  # noqa: PLC0415 - only where numbered pages are read

        found = np.frombuffer(self._seen, np.int64) if self._seen else np.empty(0, np.int64)
        return len(found) - len(np.unique(found))

    def _rows(self, page: Page) -> Iterator[tuple[str | None, ...] | None]:
        """What identifies each row, as texts; None of what has no key."""
        width = len(self._key)
        for row in page.texts((*self._key, *self._versions)):
            yield None if row is None or None in row[:width] else row

    def _keys(self, page: Page, count: int) -> list[int]:
        """The keys of a page's first rows."""
        rows = islice(page.texts(self._key), count)
        return [hash(None if row is None or None in row else row) for row in rows]
