"""Delivering into a folder: one file, the keys of deleted rows beside it, and last its manifest."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from connectors.files import formats, manifest
from connectors.files.folder import private_file
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
    directory = path.rpartition("/")[0]
    with ExitStack() as stack:
        folder = stack.enter_context(opened(connection))
        folder.sweep(directory)
        draft, gone, note = (stack.enter_context(folder.draft(directory)) for _ in range(3))
        deletes = _deletes(gone, sink, parcel)
        deleted = int(deletes.get(sink.manifest.rows, 0))
        rows = _written(draft, sink, parcel, ROWS_PART)
        digest = manifest.file_digest(draft)
        note_path = path + sink.manifest.suffix
        before = manifest.parsed(folder.read(note_path), note_path)
        same = before and before.get("deletes", {}) == deletes
        if before and same and before.get(sink.manifest.digest) == digest:
            return Sent(rows, 1, 1, digest, deleted)
        folder.ready(directory, (draft, gone))
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
    rows = _written(file, sink, keys, DELETES_PART)
    if not rows:
        return {sink.manifest.rows: 0}
    sealed = parcel.sealer is not None
    path = sink.deletes_path(parcel.agreement, parcel.delivery_id, sealed=sealed)
    return {
        sink.manifest.rows: rows,
        sink.manifest.digest: manifest.file_digest(file),
        "file": Path(path).name,
    }


def _written(draft: Path, sink: FilesSink, parcel: Parcel, part: int) -> int:
    """Write a parcel's rows, sealed where it has a sealer; returns how many they are.

    What is sealed stands in clear in a file of this machine only, never where the consumer's lie.
    """
    if parcel.sealer is None:
        return formats.write(draft, sink.format, parcel)
    with private_file() as plain:
        rows = formats.write(plain, sink.format, parcel)
        with plain.open("rb") as stream, draft.open("wb") as sealed:
            sealed.writelines(parcel.sealer.sealed(part, stream))
    return rows
