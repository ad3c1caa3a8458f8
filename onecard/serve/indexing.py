"""Sees to the indexes that agreements are asked under by, beside the calls and never in one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from onecard.daemon.complaint import Complaint
from onecard.serve.compiled import Compiled
from onecard.store import database, persons, registry_indexes

LOOK_S = 1.0
CHECK_S = 60.0
"""Seconds between two looks whether what was made is still there: somebody may have dropped it."""

log = logging.getLogger(__name__)


class Indexing:
    """A thread that makes what is wanting: at the start, and when agreements or datasets are new.

    Until its indexes are there, nobody is answered under an agreement: an index of a table with
    millions of rows takes a minute, and without one each call would read the whole table.

    Args:
        address: of the hub's database.
        wanted: gives the agreements that are asked under now.
    """

    def __init__(self, address: str, wanted: Callable[[], Iterable[Compiled]]) -> None:
        self._address, self._wanted = address, wanted
        self._made: frozenset[str] = frozenset()
        self._there: frozenset[str] = frozenset()
        self._pending = True
        self._checked_at = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="indexes", daemon=True)
        self._complaint = Complaint(log, "indexes are made later")

    @property
    def alive(self) -> bool:
        """Whether its thread is there."""
        return self._thread.is_alive()

    @property
    def pending(self) -> bool:
        """Whether an agreement whose datasets are there waits for its indexes."""
        return self._pending

    def has(self, compiled: Compiled) -> bool:
        """Whether an agreement can be asked under.

        Args:
            compiled: the agreement.
        """
        there = self._there.issuperset(compiled.datasets)
        return there and all(index.name in self._made for index in compiled.indexes)

    def start(self) -> None:
        """Make what is wanting now, then look each second for more."""
        self.look()
        self._thread.start()

    def end(self) -> None:
        """Stop; an index that is being made is waited for."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> None:
        """Make what is wanting; what fails is tried at the next look."""
        failed: Exception | None = None
        if time.monotonic() - self._checked_at >= CHECK_S:
            failed = self._check()
        for compiled in self._wanted():
            try:
                if not self.has(compiled):
                    self._make(compiled)
            except Exception as error:  # noqa: BLE001 - it costs no other agreement its indexes
                failed = failed or error
        self._pending = failed is not None
        if failed is None:
            self._complaint.over()
        else:
            self._complaint.say(failed)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            self.look()

    def _check(self) -> Exception | None:
        """Forget what was made and is there no more; an error: it is not known."""
        try:
            with database.connect(self._address, autocommit=True) as connection:
                lost = registry_indexes.lost(connection, self._made)
                found = persons.ask_states(connection, sorted(self._there)).all()
        except Exception as error:  # noqa: BLE001 - the next look may go well
            return error
        for name in sorted(lost):
            log.warning("the index %s has gone: it is made anew", name)
        self._made -= lost
        self._there &= {state.dataset for state in found}
        self._checked_at = time.monotonic()
        return None

    def _make(self, compiled: Compiled) -> None:
        """Of an agreement whose datasets were collected; the others have no table yet."""
        with database.connect(self._address, autocommit=True) as connection:
            found = persons.ask_states(connection, compiled.datasets).all()
            there = {state.dataset for state in found}
            if there.issuperset(compiled.datasets):
                self._pending = True
                registry_indexes.make(connection, *compiled.indexes)
                self._made |= {index.name for index in compiled.indexes}
                self._there |= there
