"""`onecard preview`: what would leave now under an agreement."""

from __future__ import annotations

from typing import Annotated

import typer

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.options import Json
from onecard.store import audit, database


def preview(
    agreement: Annotated[str, typer.Argument(help="Agreement id.")],
    *,
    rows: Annotated[int, typer.Option(min=1, help="How many rows at most.")] = 20,
    json: Json = False,
) -> None:
    """Show what would leave now under an agreement, after scope and treatment; sends nothing.

    Args:
        agreement: its id.
        rows: how many at most.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        hub = Hub()
        frame = hub.deliver(agreement).preview(rows)
        with (
            database.connect(hub.address, autocommit=True) as connection,
            connection.transaction(),
        ):
            body = {"rows": len(frame)}
            audit.append(connection, "access.preview", agreement, hub.settings.actor, body)
        if json:
            output.emit(
                {"agreement": agreement, "columns": frame.columns, "rows": frame.to_dicts()}
            )
        else:
            output.table(agreement, frame.columns, [[str(v) for v in row] for row in frame.rows()])
            output.say(f"{len(frame)} row(s); nothing was sent")
