"""`onecard quarantine hand-back`: rejected rows go back to the agency that they came from."""

from __future__ import annotations

from typing import Annotated

import typer

from connectors import connector
from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.options import Json
from onecard.deliver.hand_back import hand_back as run
from quality.rows.rule_titles import title


def hand_back(
    agency: Annotated[str, typer.Argument(help="The agency whose rows they are.")],
    *,
    ended: Annotated[
        bool, typer.Option("--all", help="Also rows that wait no more, such as mended ones.")
    ] = False,
    json: Json = False,
) -> None:
    """Send an agency's own rejected rows back to it, as its `handback` block says.

    Args:
        agency: whose rows they are.
        ended: also rows that were mended, superseded or have gone since.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        done = run(Hub(), agency, connector, title, ended=ended)
        if json:
            names = ("dataset", "handback", "rows", "already")
            output.emit([{n: getattr(d, n) for n in names} for d in done])
            return
        for d in done:
            how = "went back before" if d.already else "sent back"
            output.say(f"{d.dataset}: {d.rows} rows {how} as {d.handback}")
        if not done:
            output.say(f"{agency}: no rejected rows are held")
