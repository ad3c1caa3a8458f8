"""A failure that is said once, as long as it stays the same."""

from __future__ import annotations

import logging

from onecard.store.refusals import as_hub_error


class Complaint:
    """What fails at one place again and again; for one thread.

    Args:
        log: of the place.
        what: how its line begins.
    """

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log, self._what, self._said = log, what, ""

    def say(self, error: BaseException) -> None:
        """Say it, unless it was said last; of an error that is none of ours, type and place only.

        Args:
            error: as it was caught.
        """
        text = str(as_hub_error(error))
        if text != self._said:
            self._log.warning("%s: %s", self._what, text)
        self._said = text

    def over(self) -> bool:
        """It goes well; returns whether anything was said since it last did."""
        said, self._said = self._said, ""
        return bool(said)
