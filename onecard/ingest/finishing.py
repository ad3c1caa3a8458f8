"""The end of an upload: its digest, what the gate says of it, its place among those that wait.

Each step can be repeated: a process may be killed between any two, and the next call of the same
upload goes on from there. The file gets its place and its number before the transaction commits in
which other uploads of the dataset cannot get theirs, so that numbers appear in the spool in their
order; and a file that has its place is collected, whether or not the commit came.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace

from connectors.push.spool import Spool
from onecard.base import failpoints
from onecard.collect.context import CollectContext
from onecard.ingest import codes
from onecard.ingest.answer import Answer, of_record
from onecard.ingest.judging import NotReadable, judge
from onecard.model.uploads import Upload
from onecard.store import database, notifications, uploads
from onecard.store.database import Connection
from schemas.models.contract import Contract


@dataclass(frozen=True, slots=True)
class Finishing:
    """What ends uploads of one dataset.

    Attributes:
        tools: of its collect.
        spool: where its uploads lie.
    """

    contract: Contract
    tools: CollectContext
    spool: Spool

    def run(self, upload: Upload, descriptor: int) -> Answer:
        """Check, judge and place an upload.

        Args:
            upload: that is whole and open.
            descriptor: of its file, which this process holds.

        Raises:
            OnecardError: database or spool cannot be used; what is there is kept.
        """
        with database.connect(self.tools.address, autocommit=True) as connection:
            now = uploads.find(connection, upload.dataset, upload.upload) or upload
            if now.state != "open":
                self._drop(upload)  # what was made anew under the name of a part that is gone
                return of_record(now, now.length)
            placed = self._number_of(upload)
            if placed is not None:  # a process was killed before it could say so
                self._drop(upload)
                uploads.wait(connection, upload, placed)
                return self._on_record(connection, upload)
            if not self._is_as_announced(upload):
                os.ftruncate(descriptor, 0)
                return Answer(codes.DIGEST, 0, {"upload": upload.upload, "received": 0})
            if now.outcome is None:
                answer = self._judged(connection, upload)
                if answer is not None:
                    return answer
            self._place(connection, upload)
            failpoints.reach("ingest.waits")
            return self._on_record(connection, upload)

    def _judged(self, connection: Connection, upload: Upload) -> Answer | None:
        """Hold the bytes against the contract; None: it is taken as a whole."""
        path = self.spool.part(upload.upload)
        try:
            outcome = judge(self.contract, self.tools, path, upload.upload)
        except NotReadable as error:
            refused = {"problem": str(error)}
            uploads.refuse(connection, upload, refused, self.tools.settings.now())
            self._drop(upload)
            return self._on_record(connection, upload)
        uploads.judge(connection, upload, outcome)
        failpoints.reach("ingest.judged")
        return None

    def _is_as_announced(self, upload: Upload) -> bool:
        with self.spool.part(upload.upload).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == upload.digest

    def _place(self, connection: Connection, upload: Upload) -> None:
        """Give it its number, and its file the name by which it is collected."""
        with uploads.one_of_dataset(connection, upload.dataset):
            number = uploads.next_number(connection)
            self.spool.promote(upload.upload, number)
            failpoints.reach("ingest.placed")
            uploads.wait(connection, upload, number)
            notifications.tell_woken(connection, upload.dataset)

    def _number_of(self, upload: Upload) -> int | None:
        """The number of a file that has its place already."""
        found = (u.number for u in self.spool.lying() if u.upload == upload.upload)
        return next(found, None)

    def _drop(self, upload: Upload) -> None:
        self.spool.part(upload.upload).unlink(missing_ok=True)

    @staticmethod
    def _on_record(connection: Connection, upload: Upload) -> Answer:
        found = uploads.find(connection, upload.dataset, upload.upload)
        return of_record(found or replace(upload, state="open"), upload.length)
