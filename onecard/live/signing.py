"""Signs the audit log for the lane: once a second for all transfers that have ended since."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from onecard.crypto.signing import Signer
from onecard.daemon.complaint import Complaint
from onecard.errors import FatalError
from onecard.store import audit, audit_health, database, log_signing

log = logging.getLogger(__name__)

BEAT_S = 1.0
"""What a transfer has left on record is signed at the next beat."""
LATE_S = 5.0
"""Where nothing was signed for so long, transfers sign themselves, and fail where they cannot."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Entries that nobody has signed yet.

    Attributes:
        since: when the first of them came, by a clock that nobody sets.
        found: they were found at the start, left by a process that was cut off.
    """

    signer: Signer
    folder: Path
    since: float
    found: bool = False


class LaneSigning:
    """Who signs for the transfers of one process.

    Args:
        address: of the hub's database.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._owed: Owed | None = None
        self._complaint = Complaint(log, "the audit log is signed later")

    def begin(self, signer: Signer, folder: Path) -> None:
        """Sign, at the first beat, what a process that was cut off has left.

        Args:
            signer: of checkpoints.
            folder: of the anchor.
        """
        self._owe(Owed(signer, folder, time.monotonic(), found=True))

    def later(self, connection: database.Connection, signer: Signer, folder: Path) -> None:
        """Have the log signed with the next beat; the transfers' `SignLog`.

        Args:
            connection: of the transfer, outside a transaction.
            signer: of checkpoints.
            folder: of the anchor.

        Raises:
            StorageError, FatalError: it could not be signed for a while, and cannot now.
        """
        owed = self._owe(Owed(signer, folder, time.monotonic()))
        if time.monotonic() - owed.since > LATE_S:
            self._sign(connection)

    def run(self, stop: threading.Event) -> None:
        """Beat until it is told to stop, and once more then.

        Args:
            stop: set when no other transfer of the process is to come.
        """
        while not stop.wait(BEAT_S):
            self.beat()
        self.beat()

    def beat(self) -> None:
        """Sign what is left to be signed; what fails is done at the next beat."""
        if self._owed is None:
            return
        try:
            with database.connect(self._address, autocommit=True) as connection:
                self._sign(connection)
        except Exception as error:  # noqa: BLE001 - the next beat may go well
            self._complaint.say(error)
        else:
            self._complaint.over()

    def _owe(self, owed: Owed) -> Owed:
        """Add to what is left; it is as old as the first of it."""
        with self._lock:
            first = self._owed
            self._owed = owed if first is None else _both(first, owed)
            return self._owed

    def _sign(self, connection: database.Connection) -> None:
        with self._lock:
            owed, self._owed = self._owed, None
        if owed is None:
            return
        try:
            if not owed.found or _is_sound(connection, owed.folder):
                log_signing.at_once(connection, owed.signer, owed.folder)
        except BaseException:
            self._give_back(owed)
            raise

    def _give_back(self, owed: Owed) -> None:
        with self._lock:
            newer = self._owed
            self._owed = owed if newer is None else _both(owed, newer)


def _both(first: Owed, newer: Owed) -> Owed:
    """What is left when more comes: as old as the first of it, and looked at as it has to be."""
    return replace(newer, since=first.since, found=first.found or newer.found)


def _is_sound(connection: database.Connection, folder: Path) -> bool:
    """Whether there is anything to sign of what was found; an empty log needs no signature.

    Raises:
        FatalError: the log may not be signed.
    """
    if not audit.head(connection).size:
        return False
    problem = audit_health.problem(connection, folder)
    if problem:
        msg = f"the audit log is not sound: {problem}"
        raise FatalError(msg)
    return True
