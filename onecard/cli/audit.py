"""Commands about the audit log: verify, export, list."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from onecard.app.hub_desk import HubDesk
from onecard.cli import output
from onecard.cli.options import Json
from onecard.store import audit, audit_export, database, question_audit


def verify(*, json: Json = False) -> None:
    """Verify every entry against tree, checkpoints and anchor; names the first bad one."""
    with output.errors_as_exit_codes():
        hub = HubDesk()
        folder = hub.settings.home / "audit"
        with database.connect(hub.address, autocommit=True) as connection:
            verdict = question_audit.verify_all(connection, folder, hub.signer)
        if json:
            output.emit(
                {
                    "ok": verdict.ok,
                    "entries": verdict.entries,
                    "first_bad": verdict.first_bad,
                    "problem": verdict.problem,
                }
            )
        elif verdict.ok:
            output.say(f"{verdict.entries:,} entries, all as they were written")
        else:
            bad = f"first bad entry {verdict.first_bad}: " if verdict.first_bad else ""
            output.say(f"{bad}{verdict.problem}")
    if not verdict.ok:
        raise typer.Exit(1)


def export(
    folder: Annotated[Path, typer.Argument(help="Folder to write into.")], *, json: Json = False
) -> None:
    """Write entries, checkpoints and public keys, for a verifier without our code."""
    with output.errors_as_exit_codes():
        hub = HubDesk()
        anchor = hub.settings.home / "audit"
        with database.connect(hub.address, autocommit=True) as connection:
            count = audit_export.export(connection, anchor, folder, hub.signer.public_keys())
        if json:
            output.emit({"entries": count, "folder": folder})
        else:
            output.say(f"{count:,} entries in {folder}; the format is in docs/audit-format.md")


def list_newest(*, last: Annotated[int, typer.Option(min=1)] = 20, json: Json = False) -> None:
    """The newest entries."""
    with output.errors_as_exit_codes():
        hub = HubDesk()
        with database.connect(hub.address, autocommit=True) as connection:
            found = audit.newest(connection, last)
        columns = ("seq", "at", "kind", "subject", "actor", "body")
        lines = [{name: str(getattr(entry, name)) for name in columns} for entry in found]
        timed = [{**line, "at": datetime.fromisoformat(line["at"])} for line in lines]
        if json:
            output.emit(timed)
        else:
            output.table("audit log", columns, [list(line.values()) for line in timed])
