"""Commands on one rejected row that go on with it: release, replay."""

from __future__ import annotations

from typing import Annotated

import typer

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.options import why
from onecard.cli.quarantine import Id
from onecard.operations import replay as again

Reason = Annotated[str, why("Why; it is audited.")]


def release(record: Id, *, reason: Reason) -> None:
    """Deliver a row that the free-text scan held back: a person vouches for it."""
    with output.errors_as_exit_codes():
        done = again.release(Hub(), record, reason)
        output.say(f"row {record}: delivered under {done.subject}")


def replay(record: Id, *, reason: Reason) -> None:
    """Check a row again under the contract and agreement in force now; exit 1 if it fails."""
    with output.errors_as_exit_codes():
        done = again.replay(Hub(), record, reason)
        output.say(f"row {record} of {done.subject}: {'passed' if done.done else 'fails again'}")
    if not done.done:
        raise typer.Exit(1)
