"""The audit log as files for a third party, who verifies it without our code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from onecard.crypto.audit_format import ANCHOR, canonical_json, read_anchor
from onecard.errors import FatalError, unwritten
from onecard.store.audit import checkpoints, entries, snapshot
from onecard.store.database import Connection


def export(
    connection: Connection, folder: Path, target: Path, public_keys: Mapping[str, str]
) -> int:
    """Write the log for a third party, who verifies it without our code.

    Args:
        connection: without an open transaction.
        folder: of the anchor.
        target: folder that gets `entries.jsonl` (each line is leaf data), `checkpoints.jsonl`
            (database and anchor together) and `public_keys.json`; made when it is not there.
        public_keys: hex by `<suite>/<epoch>`.

    Returns:
        How many entries.
    """
    anchored = read_anchor(folder)
    try:
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        with snapshot(connection):
            known = dict.fromkeys([*checkpoints(connection), *anchored])
            with closing(entries(connection)) as found:
                count = _write(target / "entries.jsonl", (e.line() for e in found))
        _write(target / ANCHOR, (c.line() for c in known if c.size >= 0))
        _write(target / "public_keys.json", [canonical_json(public_keys)])
    except OSError as error:
        what = f"export of the audit log to {target}"
        raise unwritten(what, error, FatalError) from None
    return count


def _write(file: Path, lines: Iterable[str]) -> int:
    count = 0
    with file.open("w", encoding="utf-8", newline="\n") as stream:
        for line in lines:
            stream.write(line + "\n")
            count += 1
    return count
