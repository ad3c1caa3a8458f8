"""The hub of a web server: made once, and anew soon after a text or the key file has changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from onecard.app.hub_desk import HubDesk
from onecard.daemon.texts import Stamp, stamp_of
from schemas.models import catalogue

LOOK_S = 0.2
"""So long the files count as they were seen last: a request asks for the hub several times."""


class StandingDesk:
    """Gives the hub to each request; a change of a file counts after `LOOK_S` seconds.

    What was read stays with the requests that have it; its catalogue, keys and address are looked
    for when they are first asked for.

    Args:
        make: makes a hub that has read nothing yet.
    """

    def __init__(self, make: Callable[[], HubDesk]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._desk: HubDesk | None = None
        self._stamp: Stamp = frozenset()
        self._looked = 0.0

    def __call__(self) -> HubDesk:
        """The hub by the files as they stand now, or stood a moment ago."""
        with self._lock:
            now = time.monotonic()
            if self._desk is not None and now - self._looked < LOOK_S:
                return self._desk
            desk, self._looked = self._desk or self._make(), now
            stamp = stamp_of(*_places(desk))
            if self._desk is None or stamp != self._stamp:
                self._desk, self._stamp = self._make(), stamp
            return self._desk


def _places(desk: HubDesk) -> tuple[Path, ...]:
    """Where texts stand: the installation's own, the package's, and the keys."""
    return tuple(dict.fromkeys((desk.root, catalogue.ROOT, desk.settings.keys_file)))
