"""Numbered pages that shift while they are read: a row then stands on two of them, or on none.

Memory grows by eight bytes a row; what repeats is told at the end, before anything is published.
A row on no page repeats nothing: short readings are confirmed by asking for their pages again.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from typing import Any


class PageKeys:
    """Remembers, page by page, what identifies its rows."""

    def __init__(self, key: Collection[str], versions: Collection[str] = (), keep: int = 0) -> None:
        """Nothing was seen yet.

        Args:
            key: native names of the key's fields; none: nothing is looked at.
            versions: of the fields that tell versions of a row apart.
            keep: pages whose keys are kept in their order, to be confirmed.
        """
        self._key, self._versions = tuple(key), tuple(versions)
        self._seen = array("q")
        self._keep, self._pages = keep if self._key else 0, 0
        self._kept: list[list[int]] = []

    def add(self, page: Sequence[Any]) -> None:
        """Take a page's records; inside one page a row may stand twice.

        Args:
            page: as parsed; what is no object or lacks its key is left out.
        """
        if not self._key:
            return
        rows = (_parts(record, self._key, self._versions) for record in page)
        self._seen.extend({hash(row) for row in rows if row})
        self._pages += 1
        if self._pages <= self._keep:
            self._kept.append(self._keys(page))

    @property
    def to_confirm(self) -> int:
        """Pages that are to be asked for again: all, or none where there are too many, or one."""
        return self._pages if 1 < self._pages <= self._keep else 0

    def same(self, number: int, page: Sequence[Any]) -> bool:
        """Whether a page holds the keys that it held, in their order; more may have come behind.

        Args:
            number: of the page, from 0.
            page: its records as they are now.
        """
        before = self._kept[number]
        return self._keys(page[: len(before)]) == before

    def all_seen(self, page: Sequence[Any]) -> bool:
        """Whether a page holds rows that stood on pages before, and nothing else.

        Args:
            page: as parsed.
        """
        rows = {_parts(record, self._key, self._versions) for record in page}
        return bool(self._key) and None not in rows and {hash(r) for r in rows} <= {*self._seen}

    def repeated(self) -> int:
        """How many rows stood on a page after they had stood on another."""
        import numpy as np  # noqa: PLC0415 - only where numbered pages are read

        found = np.frombuffer(self._seen, np.int64) if self._seen else np.empty(0, np.int64)
        return len(found) - len(np.unique(found))

    def _keys(self, page: Sequence[Any]) -> list[int]:
        return [hash(_parts(record, self._key)) for record in page]


def _parts(
    record: object, key: tuple[str, ...], versions: tuple[str, ...] = ()
) -> tuple[str, ...] | None:
    """What identifies a row, as texts; None of what has no key."""
    if not isinstance(record, dict) or any(record.get(name) is None for name in key):
        return None
    return tuple(str(record.get(name)) for name in (*key, *versions))
