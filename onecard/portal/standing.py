"""The hub of a web server: made once, and anew whenever a text or the key file has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from onecard.app.hub_desk import HubDesk
from onecard.daemon.texts import Stamp, stamp_of
from schemas.models import catalogue


class StandingDesk:
    """Gives the hub to each request; a change of a file counts at the next one.

    What was read stays with the requests that have it; its catalogue, keys and address are looked
    for when they are first asked for.

    Args:
        make: makes a hub that has read nothing yet.
    """

    def __init__(self, make: Callable[[], HubDesk]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._desk: HubDesk | None = None
        self._stamp: Stamp = frozenset()

    def __call__(self) -> HubDesk:
        """The hub by the files as they stand now."""
        with self._lock:
            desk = self._desk or self._make()
            stamp = stamp_of(*_places(desk))
            if self._desk is None or stamp != self._stamp:
                self._desk, self._stamp = self._make(), stamp
            return self._desk


def _places(desk: HubDesk) -> tuple[Path, ...]:
    """Where texts stand: the installation's own, the package's, and the keys."""
    return (desk.root, catalogue.ROOT, desk.settings.keys_file)
