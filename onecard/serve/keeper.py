"""What is done beside answering, each second: refusals on record, the log's new head anchored."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from logging import getLogger
from pathlib import Path

from onecard.base.settings import Settings
from onecard.crypto.audit_format import anchor
from onecard.crypto.signing import Signer
from onecard.daemon.complaint import Complaint
from onecard.serve.codes import Code
from onecard.store import audit, audit_health, database, question_counts
from onecard.store.question_counts import Refused

BEAT_S = 1.0

log = getLogger(__name__)


class Keeper:
    """A thread that keeps the record whole; `sound` says whether the audit log takes entries.

    Args:
        address: of the hub's database.
        settings: where the anchor is, and the hub's clock.
        signer: makes who signs checkpoints.
    """

    def __init__(self, address: str, settings: Settings, signer: Callable[[], Signer]) -> None:
        self._address, self._settings, self._signer = address, settings, signer
        self._lock = threading.Lock()
        self._refused: Counter[Refused] = Counter()
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

    def refused(self, code: Code, caller: str = "", agreement: str = "") -> None:
        """Count a call that was refused.

        Args:
            code: that was answered.
            caller: sid, where it is proved.
            agreement: its id, where there is one.
        """
        hour = self._settings.now().replace(minute=0, second=0, microsecond=0)
        with self._lock:
            self._refused[Refused(hour, caller, agreement, code.code)] += 1

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
        """Refusals since the last beat; those of a beat that fails are kept."""
        with self._lock:
            counts, self._refused = self._refused, Counter()
        try:
            question_counts.refused(connection, counts)
        except BaseException:
            with self._lock:
                self._refused.update(counts)
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
