"""Reads the catalogue anew whenever a file of it has changed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from onecard.daemon.complaint import Complaint
from onecard.daemon.texts import Stamp, stamp_of
from onecard.errors import RetriableError
from onecard.ports.desk import Desk
from schemas.models.problem import InvalidFile, Problem
from schemas.models.strict_yaml import UNREADABLE


class WatchedDesk(Desk, Protocol):
    """A desk that says where its catalogue is without reading it."""

    @property
    def root(self) -> Path:
        """The folder that the catalogue is read from; to ask for it reads nothing."""


AnyDesk = TypeVar("AnyDesk", bound=WatchedDesk)

log = logging.getLogger(__name__)


class Watcher(Generic[AnyDesk]):
    """Looks at the files of the catalogue, and at the key file.

    Default deny: while the catalogue cannot be read, nothing moves. What is wrong in the files
    stays so until one of them changes; anything else, a database that is away or a file that cannot
    be opened, may be over at the next look.

    Args:
        make: makes the hub.
        desk: as it was made last, its catalogue not read yet.
        adopt: is told of each hub that was made anew.
        deny: is told that there is no catalogue.
    """

    def __init__(
        self,
        make: Callable[[], AnyDesk],
        desk: AnyDesk,
        adopt: Callable[[AnyDesk], None],
        deny: Callable[[], None],
    ) -> None:
        self._make, self._adopt, self._deny = make, adopt, deny
        self._places = (desk.root, desk.settings.keys_file)
        seen = stamp_of(*self._places)  # before it is read: what changes meanwhile is news
        self._stamp: Stamp | None = seen if _readable(desk.catalogue.problems) else None
        self._later = Complaint(log, "the catalogue is read again later")
        self._denied = Complaint(log, "the catalogue cannot be read, nothing moves")

    def run(self, stop: threading.Event, look_s: float) -> None:
        """Look until it is told to stop.

        Args:
            stop: set when it is to end.
            look_s: seconds between two looks.
        """
        while not stop.wait(look_s):
            self.look()

    def look(self) -> None:
        """Read the catalogue where a file has changed, or where it could not be read before."""
        seen: Stamp | None = None
        try:
            seen = stamp_of(*self._places)
            if seen == self._stamp:
                return
            self._stamp = None  # until it was read
            desk = self._make()
            known = desk.catalogue
            _ = (known.registers, desk.address)
            self._adopt(desk)
        except RetriableError as error:
            self._later.say(error)
        except Exception as error:  # noqa: BLE001 - the next look may go well
            self._denied.say(error)
            self._deny()
            if isinstance(error, InvalidFile) and _readable(error.problems):
                self._stamp = seen
        else:
            self._later.over()
            self._denied.over()
            self._stamp = seen if _readable(known.problems) else None


def _readable(problems: tuple[Problem, ...]) -> bool:
    """Whether the files themselves say so: one that cannot be opened may be read the next time."""
    return all(problem.rule != UNREADABLE for problem in problems)
