"""The `onecard` command. Exit codes: 0 done, 1 failed, 2 usage, 3 held for a person."""

from __future__ import annotations

import typer

from onecard.cli import inspect, operate
from onecard.cli.rehearse import register as register_rehearsals

app = typer.Typer(
    name="onecard",
    help="The integration and control layer of the resident One-Card.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
operate.register(app)
inspect.register(app)
register_rehearsals(app)


def main() -> None:
    """Entry point."""
    app()
