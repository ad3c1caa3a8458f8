"""The order of a folder's files: by the moment in their manifests, or by their names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.files.folder import ListedFile
from connectors.files.options import Manifest
from onecard.base.shown import file_name
from onecard.base.times import ZONE
from onecard.errors import ConfigError
from onecard.model.checkpoints import Checkpoint
from onecard.ports.source import ReadRequest

FilePlace = tuple[str, str]
"""Where a file stands among the others: its moment (UTC, empty without one) and its name."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file, what its manifest promises, and its place among the others.

    Attributes:
        told: SHA-256 that the manifest promises; empty without one.
    """

    entry: ListedFile
    promise: dict[str, Any]
    told: str
    place: FilePlace


class FilePlaces:
    """Places of the files that are there, and of those that were taken before and are gone.

    What is remembered of a file is its name as it may be shown (`onecard.base.shown.file_name`).
    """

    def __init__(self, request: ReadRequest, manifest: Manifest | None) -> None:
        """Take what is known of files taken before.

        Args:
            request: names the order and what was taken.
            manifest: names the key of the moment.

        Raises:
            ConfigError: the order is that of the manifests, which name no moment.
        """
        self._by_time = request.file_order == "manifest_time"
        self._stated = request.order_stated
        self._key = manifest.time if manifest else None
        if self._by_time and self._key is None:
            msg = (
                f"{request.dataset}: order manifest_time needs source.options.manifest.time: the"
                " manifests' key of the moment of which a file tells"
            )
            raise ConfigError(msg)
        before = _texts(request.taken.get("files"))
        self._before = {file_name(name, digest): digest for name, digest in before.items()}
        self._times: dict[str, str] = _texts(request.taken.get("times"))
        self._there: frozenset[str] = frozenset()
        self._newest_gone: FilePlace | None = None

    def place(self, name: str, promise: Mapping[str, Any], told: str) -> FilePlace | None:
        """A file's place; None where its manifest gives no moment and must.

        Args:
            name: of the file.
            promise: its manifest.
            told: SHA-256 that the manifest promises.
        """
        if not self._by_time:
            return "", name
        moment = _moment(promise.get(self._key or ""))
        if moment is None:
            return None
        self._times[file_name(name, told)] = moment
        return moment, name

    def look(self, there: Collection[str]) -> None:
        """Note which files are there: the newest of the others is gone.

        Args:
            there: names of the files as they are listed.
        """
        masked = [name for name in there if file_name(name) != name]
        self._there = frozenset(there) | {
            shown
            for shown, digest in self._before.items()
            if any(file_name(name, digest) == shown for name in masked)
        }
        gone = [self._place_before(name) for name in self._before if name not in self._there]
        self._newest_gone = max((place for place in gone if place), default=None)

    def late(self, place: FilePlace) -> bool:
        """Whether a file is older than one that was taken, is gone and cannot be read again."""
        gone = self._newest_gone
        return self._stated and gone is not None and place < gone

    def checkpoint(self, taken: Mapping[str, str]) -> Checkpoint:
        """What the next reading must know.

        Args:
            taken: digests of the files taken, by name.
        """
        if not self._stated:
            return {"files": dict(sorted(taken.items()))}
        gone = {n: d for n, d in self._before.items() if n not in self._there}
        files = {**gone, **taken}
        found: Checkpoint = {"files": dict(sorted(files.items()))}
        if self._by_time:
            found["times"] = {n: t for n, t in sorted(self._times.items()) if n in files}
        return found

    def _place_before(self, name: str) -> FilePlace | None:
        if not self._by_time:
            return "", name
        moment = self._times.get(name)
        return (moment, name) if moment else None


def _texts(found: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _moment(value: object) -> str | None:
    """ISO 8601 text as UTC, in a form that sorts; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    aware = found if found.tzinfo else found.replace(tzinfo=ZONE)
    return aware.astimezone(UTC).isoformat(timespec="microseconds")
