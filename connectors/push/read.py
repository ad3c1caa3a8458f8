"""Reading a spool: uploads that no collect has published yet, in the order of their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from connectors.files import contents
from connectors.files.text_file import Text
from connectors.push.options import PushSource
from connectors.push.spool import LyingUpload, Spool
from onecard.base.connections import Connection
from onecard.errors import NotCollected
from onecard.model.checkpoints import Checkpoint
from onecard.ports.source import Chunk, ReadRequest, Refusal

TOTAL = "file.total"
"""Rule of files, and of uploads: they have as many rows as a line above them says."""
TAKEN, LAST = "uploads", "last"
"""Keys of the checkpoint: numbers of the uploads that were taken and still lay there, by their ids;
the highest number that was ever taken."""


class PushReading:
    """One pass over the uploads that wait.

    An upload is taken once, whatever its number: one that got its place late is read too, and where
    uploads follow each other by their arrival, its rows replace nothing newer.
    """

    waiting: tuple[str, ...] = ()

    def __init__(self, connection: Connection, request: ReadRequest) -> None:
        self._request = request
        self._options = PushSource.model_validate(request.options.model_dump())
        self._spool = Spool(connection, request.dataset)
        self._known = {**taken_of(request.taken), **taken_of(request.checkpoint)}
        self._last = max(last_of(request.taken), last_of(request.checkpoint))
        self._there: dict[str, int] = {}
        self._remarks: list[str] = []
        self._refused: list[Refusal] = []

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """Uploads that are not what their contract says by now; they are looked at again."""
        return tuple(self._refused)

    @property
    def checkpoint(self) -> Checkpoint:
        """What was taken and lies there, and the highest number ever."""
        last = max([self._last, *self._there.values()])
        return {TAKEN: dict(sorted(self._there.items())), LAST: last}

    @property
    def remarks(self) -> tuple[str, ...]:
        """Lines that were left out, by upload."""
        return tuple(self._remarks)

    def __iter__(self) -> Iterator[Chunk]:
        lying = self._spool.lying()
        again = bool(self._request.taken) and not self._request.checkpoint
        self._there = {u.upload: u.number for u in lying if u.upload in self._known}
        yield from self._whole(lying) if again else self._new(lying)

    def _new(self, lying: list[LyingUpload]) -> Iterator[Chunk]:
        for upload in lying:
            if upload.kept or upload.upload in self._known:
                continue
            late = self._request.order_stated and upload.number < self._last
            if is_of_another_number(self._text(upload), self._options):
                self._refused.append(Refusal(upload.upload, TOTAL))
                continue
            for chunk in self._chunks(upload):
                yield replace(chunk, late=True) if late else chunk
            self._there[upload.upload] = upload.number

    def _whole(self, lying: list[LyingUpload]) -> Iterator[Chunk]:
        """The newest whole upload that was published, again.

        Raises:
            NotCollected: there is none, or the dataset is brought in changes.
        """
        dataset = self._request.dataset
        if self._options.uploads == "changes":
            msg = (
                f"{dataset}: its agency brings changes, so there is no source to be read whole;"
                " ask it to bring all rows again"
            )
            raise NotCollected(msg)
        kept = [upload for upload in lying if upload.kept]
        if not kept:
            msg = f"{dataset}: no published upload lies in the spool; ask its agency to bring one"
            raise NotCollected(msg)
        yield from self._chunks(kept[-1])

    def _chunks(self, upload: LyingUpload) -> Iterator[Chunk]:
        file = self._text(upload)
        yield from contents.chunks(file, self._options.format, self._request)
        self._remarks += file.skipped.remarks(upload.upload)

    def _text(self, upload: LyingUpload) -> Text:
        return text_of(upload.path, upload.upload, self._options)


def text_of(path: Path, upload: str, options: PushSource) -> Text:
    """An upload's file as the readers of files take it.

    Args:
        path: of the file.
        upload: its id; rows bear it as their origin.
        options: of the dataset.
    """
    return Text(path, upload, limit=options.max_bytes)


def is_of_another_number(file: Text, options: PushSource) -> bool:
    """Whether an upload has another number of rows than a line above them says (rule `TOTAL`).

    Args:
        file: as `text_of` gives it.
        options: of the dataset.
    """
    return contents.broken_total(file, options.format)


def taken_of(checkpoint: Checkpoint) -> dict[str, int]:
    """Uploads that a checkpoint names as taken, with their numbers."""
    found = checkpoint.get(TAKEN)
    return {str(k): int(v) for k, v in found.items()} if isinstance(found, dict) else {}


def last_of(checkpoint: Checkpoint) -> int:
    """The highest number that a checkpoint knows; 0: none."""
    found = checkpoint.get(LAST)
    return found if isinstance(found, int) else 0
