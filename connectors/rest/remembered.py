"""Pages that a look sees again: one whose body is the same is not parsed another time.

A lane looks at the last page of an API each second, mostly in vain, and a page has up to a thousand
rows. What is kept is in memory only, of a few pages, and goes with the process.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from connectors.rest.page import Reply

MOST_PAGES = 16
"""Kept in a process: a lane looks at one page of each of its datasets."""
MOST_BYTES = 1 << 20
"""Of a body that is kept."""


class RememberedPages:
    """The last body of each of some pages, with what it was parsed to; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, tuple[bytes, Reply]] = OrderedDict()

    def parsed(self, asked: Hashable, body: bytes, parse: Callable[[bytes], Reply]) -> Reply:
        """What a body says; the same object where it is the one that came last.

        Args:
            asked: all that the parser's work depends on, beside the body: who was asked for which
                page, and the columns that are looked for.
            body: as it came.
            parse: makes a reply of it; whatever it raises is raised.
        """
        with self._lock:
            known = self._known.get(asked)
        if known is not None and known[0] == body:
            return known[1]
        made = parse(body)
        with self._lock:
            if len(body) <= MOST_BYTES:
                self._known[asked] = body, made
                self._known.move_to_end(asked)
            else:
                self._known.pop(asked, None)
            while len(self._known) > MOST_PAGES:
                self._known.popitem(last=False)
        return made
