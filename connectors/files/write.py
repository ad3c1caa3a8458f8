"""Delivering into a folder: one file, the keys of deleted rows beside it, and last its manifest."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from connectors.files import formats, manifest
from connectors.files.folder import NOTE_LIMIT, private_file
from connectors.files.folders import opened
from connectors.files.options import FilesSink
from onecard.base.connections import Connection
from onecard.ports.sink import Parcel, Sent

ROWS_PART, DELETES_PART = 1, 2
"""Numbers of the files as parts of a sealed delivery (docs/receiving.md)."""


def send(connection: Connection, sink: FilesSink, parcel: Parcel) -> Sent:
    """Write one file and its manifest; the same content under the same id is a no-op.

    Keys of deleted rows go into a file of their own, which the manifest names. What is sealed is
    sealed anew by each attempt, and replaces what an earlier one has left.

    Args:
        connection: of the inbox.
        sink: where its files lie, and their format.
        parcel: delivery id, schema, key, rows and deletes as Arrow batches.
    """
    path = sink.path(parcel.agreement, parcel.delivery_id, sealed=parcel.sealer is not None)
    with (
        opened(connection) as folder,
        private_file() as draft,
        private_file() as gone,
        private_file() as note,
    ):
        folder.sweep(path.rpartition("/")[0])
        deletes = _deletes(gone, sink, parcel)
        deleted = int(deletes.get(sink.manifest.rows, 0))
        rows = formats.write(draft, sink.format, parcel)
        _seal(parcel, ROWS_PART, draft)
        digest = manifest.file_digest(draft)
        note_path = path + sink.manifest.suffix
        before = manifest.parsed(folder.read(note_path), note_path)
        same = before and before.get("deletes", {}) == deletes
        if before and same and before.get(sink.manifest.digest) == digest:
            return Sent(rows, 1, 1, digest, deleted)
        needed = sum(file.stat().st_size for file in (draft, gone)) + NOTE_LIMIT
        folder.ready(path.rpartition("/")[0], needed)
        parcel.leave(rows)
        folder.write(path, draft, parcel.leave)
        if deleted:
            parcel.leave()
            keys = str(Path(path).with_name(deletes["file"]))
            folder.write(keys, gone, parcel.leave)
        told = parcel.sign(
            {
                "columns": list(parcel.schema.names),
                **dict(parcel.manifest),
                sink.manifest.rows: rows,
                sink.manifest.digest: digest,
                "file": Path(path).name,
                "deliveryId": parcel.delivery_id,
                **({"deletes": deletes} if deletes else {}),
                **parcel.sealing,
            }
        )
        note.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
        parcel.leave()  # without its manifest the consumer does not take the file
        folder.write(note_path, note, parcel.leave)
    return Sent(rows, 1, 0, digest, deleted)


def _deletes(file: Path, sink: FilesSink, parcel: Parcel) -> dict[str, Any]:
    """Write the keys of deleted rows; returns what the manifest says of them."""
    if parcel.deletes is None:
        return {}
    keys = replace(parcel, schema=parcel.key_schema, batches=parcel.deletes)
    rows = formats.write(file, sink.format, keys)
    if not rows:
        return {sink.manifest.rows: 0}
    _seal(parcel, DELETES_PART, file)
    sealed = parcel.sealer is not None
    path = sink.deletes_path(parcel.agreement, parcel.delivery_id, sealed=sealed)
    return {
        sink.manifest.rows: rows,
        sink.manifest.digest: manifest.file_digest(file),
        "file": Path(path).name,
    }


def _seal(parcel: Parcel, part: int, draft: Path) -> None:
    """Put in place of a draft what the parcel's sealer makes of it, where there is one."""
    if parcel.sealer is None:
        return
    with private_file() as sealed:
        with draft.open("rb") as plain, sealed.open("wb") as stream:
            stream.writelines(parcel.sealer.sealed(part, plain))
        shutil.copyfile(sealed, draft)
