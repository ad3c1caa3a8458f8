"""What is done beside answering, each second: figures on record, the log's new head anchored."""

from __future__ import annotations

import threading
from collections.abc import Callable
from logging import getLogger
from pathlib import Path

from onecard.base.settings import Settings
from onecard.crypto.audit_format import anchor
from onecard.crypto.signing import Signer
from onecard.daemon.complaint import Complaint
from onecard.serve.figures import Figures
from onecard.store import audit, audit_health, call_figures, database

BEAT_S = 1.0

log = getLogger(__name__)


class Keeper:
    """A thread that keeps the record whole; `sound` says whether the audit log takes entries.

    Args:
        address: of the hub's database.
        settings: where the anchor is, and the hub's clock.
        signer: makes who signs checkpoints.

    Attributes:
        figures: of the calls of this process.
    """

    def __init__(self, address: str, settings: Settings, signer: Callable[[], Signer]) -> None:
        self._address, self._settings, self._signer = address, settings, signer
        self.figures = Figures(settings.now)
        self._sound = False
        self._anchored = -1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._complaint = Complaint(log, "the record of calls is kept later")

    @property
    def alive(self) -> bool:
        """Whether its thread is there."""
        return self._thread.is_alive()

    def sound(self) -> bool:
        """Whether the audit log was sound at the last beat; else nothing is answered."""
        return self._sound

    def start(self) -> None:
        """Look once, then each second."""
        self.beat()
        self._thread.start()

    def end(self) -> None:
        """Keep what is left, and stop."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.beat()

    def beat(self) -> None:
        """Do it now; what fails is done at the next beat."""
        try:
            with database.connect(self._address, autocommit=True) as connection:
                self._write(connection)
                self._check(connection)
        except Exception as error:  # noqa: BLE001 - the next beat may go well
            self._sound = False
            self._complaint.say(error)
        else:
            self._complaint.over()

    def _run(self) -> None:
        while not self._stop.wait(BEAT_S):
            self.beat()

    def _write(self, connection: database.Connection) -> None:
        """Figures since the last beat; those of a beat that fails are kept."""
        counted = self.figures.take()
        try:
            call_figures.add(connection, counted.timed, counted.refused)
        except BaseException:
            self.figures.give_back(counted)
            raise

    def _check(self, connection: database.Connection) -> None:
        """Whether the log is sound; its new head is signed, and anchored outside the database."""
        problem = audit_health.problem(connection, self._folder)
        if problem:
            self._sound = False
            log.error("nobody is answered: %s", problem)
            return
        checkpoint = audit.checkpoint(connection, self._signer())
        if checkpoint.size != self._anchored:
            anchor(self._folder, checkpoint)
            self._anchored = checkpoint.size
        self._sound = True

    @property
    def _folder(self) -> Path:
        return self._settings.home / "audit"
