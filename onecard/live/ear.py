"""Hears what is published and who calls, and looks at the published versions in case it did not."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping

from onecard.daemon.complaint import Complaint
from onecard.live.pace import Pace
from onecard.store import datasets, notifications
from onecard.store.notifications import Listening

log = logging.getLogger(__name__)

MOST_S = 1.0
"""So long one hearing lasts at most: then it is seen that the lane ends."""


class Ear:
    """A session of the hub's database that hears notifications.

    Args:
        address: of the hub's database.
        pace: of the lane.
        published: is called with each dataset whose published version is another one, or of which
            new carriers may have waited long enough.
        woken: is called with each dataset whose source has something new.
    """

    def __init__(
        self,
        address: str,
        pace: Pace,
        published: Callable[[str], None],
        woken: Callable[[str], None],
    ) -> None:
        self._address, self._pace = address, pace
        self._published, self._woken = published, woken
        self._seen: Mapping[str, int] = {}

    def run(self, stop: threading.Event, names: Callable[[], Collection[str]]) -> None:
        """Hear until it is told to stop; a database that is away is asked again.

        Args:
            stop: set when it is to end.
            names: of the datasets whose versions count.
        """
        complaint = Complaint(log, "notifications cannot be heard")
        while not stop.is_set():
            try:
                with notifications.listening(self._address) as session:
                    while not stop.is_set():
                        self.hear(session, names())
                        complaint.over()
            except Exception as error:  # noqa: BLE001 - it goes on hearing whatever failed
                complaint.say(error)
                stop.wait(self._pace.look)

    def hear(self, session: Listening, names: Collection[str]) -> None:
        """Wait for one notification or for the next look, then compare the versions.

        Args:
            session: that hears.
            names: of the datasets whose versions count.
        """
        for notice in session.heard(min(self._pace.look, MOST_S)):
            if notice.channel == notifications.WOKEN:
                self._woken(notice.dataset)
            elif notice.channel == notifications.CONFIRMED:
                self._published(notice.dataset)
        found = datasets.versions(session.connection, names)
        before, self._seen = self._seen, found
        for dataset, version in found.items():
            if before.get(dataset) != version:
                self._published(dataset)
