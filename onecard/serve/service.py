"""The service: keys, catalogue, workers and keeper of one process, from start to end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from onecard.crypto.signing import Signer
from onecard.daemon.codes import Code
from onecard.daemon.watcher import Watcher
from onecard.errors import ConfigError, OnecardError
from onecard.serve import codes, keyring, residents
from onecard.serve.answering import Answering, ServeDesk
from onecard.serve.calls import Call
from onecard.serve.case import Reply
from onecard.serve.compiled import Compiled
from onecard.serve.figures import Figures
from onecard.serve.groups import Groups
from onecard.serve.indexing import Indexing
from onecard.serve.keeper import Keeper
from onecard.serve.keyring import Keyholder, Keyring
from onecard.serve.sandbox import Sandbox
from onecard.serve.watch import Watch
from onecard.store.database import Connection
from schemas.models.agreement import Agreement

LOOK_S = 1.0
"""Seconds between two looks at the files of the catalogue."""

log = logging.getLogger(__name__)


class Service:
    """Answers calls until it is ended.

    Args:
        make: makes the hub; again when a file of the catalogue has changed.

    Raises:
        OnecardError: the database, the settings or the catalogue cannot be used.
    """

    def __init__(self, make: Callable[[], ServeDesk]) -> None:
        desk = make()
        self._desk: ServeDesk | None = desk
        self.keys = Keyholder(self._read_keys)
        self._keeper = Keeper(desk.address, desk.settings, lambda: self._signer(desk))
        self._indexing = Indexing(desk.address, self._asked_under)
        self._answering = Answering(desk, self.keys, self._keeper.sound, self._indexing.has)
        self._groups = Groups(desk.address, self)
        self._watch = Watch(lambda: self._desk)
        self._trials = Groups(
            desk.address, Sandbox(lambda: self._desk, self.keys, self._keeper.sound)
        )
        self._stop = threading.Event()
        self._watcher = Watcher(make, desk, self._adopt, self._deny)
        self._watching = threading.Thread(
            target=self._watcher.run, args=(self._stop, LOOK_S), name="catalogue", daemon=True
        )

    @property
    def agreements(self) -> tuple[Agreement, ...]:
        """Those under which it answers, in order of id."""
        desk = self._desk
        found = desk.catalogue.agreements.values() if desk is not None else ()
        return tuple(sorted((a for a in found if a.asked), key=lambda a: a.id))

    @property
    def figures(self) -> Figures:
        """Of the calls of this process."""
        return self._keeper.figures

    def start(self) -> None:
        """Begin to answer, when the indexes are there that answers need."""
        self._indexing.start()
        self._keeper.start()
        self._watch.start()
        self._groups.start()
        self._trials.start()
        self._watching.start()

    def end(self) -> None:
        """Answer what waits, keep what is left, and stop."""
        self._stop.set()
        if self._watching.ident is not None:
            self._watching.join()
        self._groups.end()
        self._trials.end()
        self._watch.end()
        self._indexing.end()
        self._keeper.end()

    def ready(self) -> bool:
        """Whether it can answer: catalogue, keys, audit log, and each of its threads."""
        beside = self._keeper.alive and self._watch.alive and self._watching.is_alive()
        threads = self._groups.alive and self._trials.alive and beside
        whole = self._desk is not None and self.keys() is not None
        indexed = self._indexing.alive and not self._indexing.pending
        return threads and whole and indexed and self._keeper.sound()

    def ask(self, call: Call, tell: Callable[[Reply], None]) -> None:
        """Have a call answered.

        Args:
            call: its signature is right.
            tell: is given the reply, once, from another thread.
        """
        (self._trials if call.system.sandbox else self._groups).put(call, tell)

    def disclosures(self, call: residents.ResidentCall) -> Reply:
        """What became of a resident's data; waits for the database."""
        desk, keys = self._desk, self.keys()
        if desk is None or keys is None or not self._keeper.sound():
            return Reply(codes.UNAVAILABLE)
        try:
            return residents.tell(desk, keys, call)
        except OnecardError as error:
            log.error("a resident cannot be told: %s", error)  # noqa: TRY400 - says it all
            return Reply(codes.UNAVAILABLE)

    def refused(self, code: Code, caller: str = "", agreement: str = "") -> None:
        """Note that a call was refused; those of the sandbox are no figures.

        Args:
            code: that was answered.
            caller: sid, where it is proved.
            agreement: that its path names.
        """
        if self._is_sandbox(caller):
            return  # it tries codes out: figures and reports tell of real calls
        known = agreement if any(a.id == agreement for a in self.agreements) else ""
        self.figures.refused(code, caller, known)

    def answer(self, connection: Connection, calls: Sequence[Call]) -> list[Reply]:
        """The replies to a group, by the catalogue as it is now (`onecard.serve.groups`)."""
        if self._desk is None:
            return [Reply(codes.UNAVAILABLE) for _ in calls]
        return self._answering.answer(connection, calls)

    def _is_sandbox(self, caller: str) -> bool:
        keys = self.keys()
        system = keys.callers.get(caller) if keys is not None else None
        return system is not None and system.sandbox

    def _asked_under(self) -> Sequence[Compiled]:
        return self._answering.asked_under() if self._desk is not None else ()

    def _read_keys(self) -> Keyring:
        desk = self._desk
        if desk is None:
            msg = "the catalogue cannot be read"
            raise ConfigError(msg)
        catalogue, today = desk.catalogue, desk.settings.now().date()
        catalogue.misuse  # noqa: B018 - without rules against misuse nobody is answered
        signer = self._signer(desk)
        return keyring.read(desk.keys, catalogue.agencies, catalogue.callers, today, signer)

    @staticmethod
    def _signer(desk: ServeDesk) -> Signer:
        """A signer that reads its key anew."""
        return Signer(desk.settings.suite, desk.keys)

    def _adopt(self, desk: ServeDesk) -> None:
        """Go on with a catalogue that was read anew."""
        self._answering = Answering(desk, self.keys, self._keeper.sound, self._indexing.has)
        self._desk = desk
        for problem in desk.catalogue.problems:
            log.error("left out: %s", problem)

    def _deny(self) -> None:
        """Without a catalogue nobody is answered."""
        self._desk = None
