"""The command by which a person lets a held transfer pass: release."""

from __future__ import annotations

from typing import Annotated

import typer

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.lines import Lines
from onecard.cli.options import Json, why
from onecard.model.signoffs import SignOff
from onecard.operations.release import release as run


def release(
    transfer: Annotated[
        str, typer.Argument(help="Id of the held transfer, or a dataset: its newest one.")
    ],
    *,
    by: Annotated[str, typer.Option("--by", help="Who vouches for it, by name and office.")],
    reason: Annotated[str, why("Why; it is kept, so name no person.")],
    json: Json = False,
) -> None:
    """Let a held transfer pass: a collect is published at once, a delivery with its next run.

    Args:
        transfer: id of the held transfer, or a dataset: its newest one.
        by: who vouches for it, by name and office.
        reason: why; kept, so it names no person.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        done = run(Hub(), transfer, SignOff(by, reason))
        lines = Lines(as_json=json)
        if done.collected:
            lines.note(done.subject, done.collected)
        word = "was released before" if done.already else "is released"
        step = "" if done.collected else f"; `onecard deliver {done.subject}` sends it"
        lines.close({"released": f"transfer {done.transfer} {word}{step}"})
