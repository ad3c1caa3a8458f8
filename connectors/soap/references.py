"""Rows whose values stand elsewhere in the Body, as encoded answers have them (SOAP 1.1, 5.4.1).

Whoever refers to something waits until the end of the answer: what it refers to comes behind it.
So these rows and all that is referred to stand in memory, and their number is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.common.strict_json import BadRecord
from connectors.common.xml_rows import Record
from connectors.common.xml_stream import Refused

MOST = 100_000
"""Rows that wait and values that are referred to, of one answer: more are asked for in pages."""
DEEPEST = 16
"""References behind one another; what goes round in a circle has no end."""
_MARK = "@href"


class References:
    """Rows that wait, and what they refer to."""

    TEXT = "."
    """Path of the text of what has no parts."""

    def __init__(self) -> None:
        self._waiting: list[dict[str, str | None]] = []
        self._targets: dict[str, Record] = {}

    def waits(self, record: Record) -> bool:
        """Whether a row refers to something; it is kept until the end then.

        Args:
            record: the row by path.
        """
        if isinstance(record, BadRecord) or not any(_is_mark(path) for path in record):
            return False
        self._waiting.append(record)
        self._check()
        return True

    def add_target(self, identity: str, record: Record) -> None:
        """Take what may be referred to.

        Args:
            identity: its `id`.
            record: its parts by path.
        """
        if identity in self._targets:
            msg = "two elements of the Body have one id"
            raise Refused(msg)
        self._targets[identity] = record
        self._check()

    def resolved(self) -> Iterator[Record]:
        """The rows that have waited, with what they refer to."""
        for row in self._waiting:
            found: dict[str, str | None] = {}
            yield found if self._fill(row, "", found, 0) else BadRecord()
        self._waiting = []

    def _fill(
        self, parts: dict[str, str | None], path: str, found: dict[str, str | None], depth: int
    ) -> bool:
        """Put parts and what they refer to below a path; False: something refers to nothing."""
        marks = {p[: -len(_MARK)].rstrip("/"): v for p, v in parts.items() if _is_mark(p)}
        for part, value in parts.items():
            if _is_mark(part) or part in marks:
                continue
            own = path if part == self.TEXT else f"{path}/{part}" if path else part
            if own in found or not own:
                return False
            found[own] = value
        for part, reference in marks.items():
            target = self._targets.get((reference or "").removeprefix("#"))
            own = f"{path}/{part}" if path and part else path or part
            if not isinstance(target, dict) or depth == DEEPEST:
                return False
            if not self._fill(target, own, found, depth + 1):
                return False
        return True

    def _check(self) -> None:
        if len(self._waiting) + len(self._targets) > MOST:
            msg = f"it has more than {MOST} references: ask for its rows in pages"
            raise Refused(msg)


def _is_mark(path: str) -> bool:
    return path == _MARK or path.endswith(f"/{_MARK}")
