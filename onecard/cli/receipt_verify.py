"""The command that verifies a receipt or a manifest that somebody holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onecard.app.hub_desk import HubDesk
from onecard.cli import output
from onecard.cli.options import Json
from onecard.errors import UsageError
from onecard.stewardship import receipt_check
from onecard.stewardship.receipt_check import LONGEST, CheckedDocument
from onecard.store import database
from onecard.store.audit_proof import Beginnings


def receipt_verify(
    file: Annotated[Path, typer.Argument(help="Receipt or manifest, JSON.")], *, json: Json = False
) -> None:
    """Verify a receipt or a manifest that somebody holds: signature, ledger, audit log."""
    with output.errors_as_exit_codes():
        hub = HubDesk()
        given = receipt_check.read(_data(file))
        with database.connect(hub.address, autocommit=True) as connection:
            found = receipt_check.check(hub, connection, given, Beginnings())
        facts = _facts(found)
        if json:
            output.emit({"ok": found.holds, **facts})
        else:
            output.table("document", ("what", "found"), list(facts.items()))
    if not found.holds:
        raise typer.Exit(1)


def _data(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(LONGEST + 1)
    except OSError as error:
        msg = f"{file} cannot be read: {error.strerror or type(error).__name__}"
        raise UsageError(msg) from None


def _facts(found: CheckedDocument) -> dict[str, object]:
    """What was found, by its name in JSON."""
    inclusion = found.inclusion
    proof = inclusion.proof if inclusion else None
    return {
        "kind": found.document.kind,
        "subject": found.document.subject,
        "signature": "valid" if found.signed else "INVALID",
        "recorded": found.recorded,
        "transfer": found.receipt.transfer if found.receipt else None,
        "audit_entry": inclusion.entry.seq if inclusion and inclusion.entry else None,
        "inclusion": proof.outcome if proof else "absent",
        "problem": proof.problem if proof else "",
    }
