"""How often the door gave which answer."""

from __future__ import annotations

from collections.abc import Mapping

from onecard.live import calls


class Answered:
    """Counts answers by their codes; the door's loop writes, anybody reads."""

    def __init__(self) -> None:
        self._counted = dict.fromkeys((answer.code for answer in calls.ANSWERS), 0)

    def count(self, code: str) -> None:
        """Note one of the closed list."""
        self._counted[code] += 1

    @property
    def counts(self) -> Mapping[str, int]:
        """Answers since the start, also those that were never given."""
        return dict(self._counted)
