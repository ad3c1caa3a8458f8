"""The service behind the door: the catalogue as it is now, who may bring what, and where to."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from connectors.push.options import PushSource
from connectors.push.spool import Spool
from onecard.base import failpoints
from onecard.base.connections import Connections
from onecard.daemon import callers
from onecard.daemon.callers import Callers, Claim
from onecard.daemon.watcher import WatchedDesk, Watcher
from onecard.errors import ConfigError, OnecardError
from onecard.ingest import codes
from onecard.ingest.announced import Announced
from onecard.ingest.answer import Answer, of_record
from onecard.ingest.finishing import Finishing
from onecard.model.uploads import Upload, UploadLimits
from onecard.reconcile.services import TransferDesk
from onecard.store import database, uploads
from schemas.models.catalogue import Catalogue

LOOK_S = 1.0
"""Seconds between two looks at the files of the catalogue."""
LEFT_FREE = 256 * 1024**2
"""Bytes of the spool's file system that no upload takes."""

log = logging.getLogger(__name__)


class IngestDesk(TransferDesk, WatchedDesk, Protocol):
    """A desk that knows connections; `onecard.app.wiring.Hub` is one.

    Attributes:
        connections: of the spools, and of those who may bring.
    """

    connections: Connections


class Service:
    """Takes uploads until it is ended.

    Args:
        make: makes the hub; again when a file of the catalogue has changed.

    Raises:
        OnecardError: the database, the settings or the catalogue cannot be used.
    """

    def __init__(self, make: Callable[[], IngestDesk]) -> None:
        desk = make()
        self._desk: IngestDesk | None = None
        self._callers = Callers(())
        self._stop = threading.Event()
        self._watcher = Watcher(make, desk, self._adopt, self._deny)
        self._watching = threading.Thread(
            target=self._watcher.run, args=(self._stop, LOOK_S), name="catalogue", daemon=True
        )
        self._adopt(desk)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Datasets that somebody may bring, by id."""
        desk = self._desk
        claims = list(_claims(desk.catalogue)) if desk is not None else []
        return tuple(sorted({d for claim in claims for d in claim.datasets}))

    def start(self) -> None:
        """Begin to follow the catalogue."""
        self._watching.start()

    def end(self) -> None:
        """Stop following it."""
        self._stop.set()
        if self._watching.ident is not None:
            self._watching.join()

    def callers(self) -> Callers:
        """Who may bring what, by the catalogue as it is now."""
        return self._callers

    def ready(self) -> bool:
        """Whether uploads can be taken: catalogue, database, and each spool; may take a while."""
        desk = self._desk
        if desk is None or not self._watching.is_alive() or self._callers.unreadable:
            return False
        try:
            for dataset in self.datasets:
                _spool(desk, dataset)
            with database.connect(desk.address, autocommit=True) as connection:
                return uploads.can_be_noted(connection)
        except OnecardError as error:
            log.warning("uploads cannot be taken: %s", error)
            return False

    def begin(self, part: Announced, caller: str) -> Answer | Upload:
        """Whether a part may come; the upload is on record then, and its folder is there.

        Args:
            part: as it is announced, by a caller who has proved itself.
            caller: the agency.

        Returns:
            The upload, where its bytes are wanted or it is whole; else what is answered.

        Raises:
            OnecardError: database or spool cannot be used.
        """
        desk = self._present()
        options = _options(desk, part.upload.dataset)
        block = desk.catalogue.agencies[caller].bring
        if block is None or block.stopped:
            return Answer(codes.STOPPED)
        if part.upload.length > options.max_bytes:
            return Answer(codes.TOO_LARGE)
        limits = UploadLimits(options.waiting_bytes, block.uploads_a_day)
        with database.connect(desk.address, autocommit=True) as connection:
            found = uploads.begin(connection, part.upload, caller, limits, desk.settings.now())
        failpoints.reach("ingest.begun")
        if not isinstance(found, Upload):
            return Answer(codes.NO_ROOM if found == "spool" else codes.TOO_MANY)
        if not found.is_of(part.upload):
            return Answer(codes.CONFLICT)
        _spool(desk, found.dataset).make()
        return found

    def has_room(self, upload: Upload, offset: int) -> bool:
        """Whether the file system takes the rest of an upload and something beside it.

        Args:
            upload: that comes.
            offset: how much of it is there.
        """
        room = os.statvfs(self.part(upload).parent)
        return room.f_bavail * room.f_frsize >= upload.length - offset + LEFT_FREE

    def part(self, upload: Upload) -> Path:
        """Where an upload comes in."""
        return _spool(self._present(), upload.dataset).part(upload.upload)

    def find(self, dataset: str, upload: str) -> Upload | None:
        """An upload as it is on record now.

        Args:
            dataset: its id.
            upload: a UUID.
        """
        with database.connect(self._present().address, autocommit=True) as connection:
            return uploads.find(connection, dataset, upload)

    def received(self, upload: Upload) -> int:
        """How many of its bytes are there, or were there when it was whole."""
        if upload.state != "open":
            return upload.length
        try:
            size = self.part(upload).stat().st_size
        except FileNotFoundError:
            size = 0
        if size:
            return size
        spool = _spool(self._present(), upload.dataset)  # has it got its place already?
        return upload.length if any(u.upload == upload.upload for u in spool.lying()) else 0

    def standing(self, upload: Upload) -> Answer | int:
        """How many bytes are there of an upload that this process holds; an answer: it is over.

        Args:
            upload: as it was before it was held.
        """
        now = self.find(upload.dataset, upload.upload)
        if now is None or now.state == "open":
            return self.received(upload)
        self.part(upload).unlink(missing_ok=True)  # made anew under the name of one that is gone
        return of_record(now, now.length)

    def finish(self, upload: Upload, descriptor: int) -> Answer:
        """Check, judge and place an upload that is whole; as `Finishing.run`.

        Args:
            upload: that is whole.
            descriptor: of its file, which this process holds.
        """
        desk = self._present()
        spool = _spool(desk, upload.dataset)
        contract = desk.catalogue.contract(upload.dataset)
        return Finishing(contract, desk.tools(upload.dataset), spool).run(upload, descriptor)

    def _present(self) -> IngestDesk:
        desk = self._desk
        if desk is None:
            msg = "the catalogue cannot be read: nothing is taken"
            raise ConfigError(msg)
        return desk

    def _adopt(self, desk: IngestDesk) -> None:
        """Go on with a catalogue that was read anew."""
        claims = _claims(desk.catalogue)
        self._callers = callers.read(claims, desk.connections, "cannot bring anything")
        self._desk = desk
        for problem in desk.catalogue.problems:
            log.error("left out: %s", problem)

    def _deny(self) -> None:
        """Without a catalogue nothing is taken."""
        self._desk, self._callers = None, Callers(())


def _claims(catalogue: Catalogue) -> Iterator[Claim]:
    for name, agency in catalogue.agencies.items():
        if agency.bring is not None:
            yield Claim(name, agency.bring.connection, agency.bring, catalogue.bringable(name))


def _options(desk: IngestDesk, dataset: str) -> PushSource:
    return PushSource.model_validate(dict(desk.catalogue.contract(dataset).source.options))


def _spool(desk: IngestDesk, dataset: str) -> Spool:
    source = desk.catalogue.contract(dataset).source
    return Spool(desk.connections.get(source.connection), dataset)
