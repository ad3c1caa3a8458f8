"""Options that many commands have."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from onecard.cli import output
from onecard.model.signoffs import keepable

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def why(text: str) -> Any:  # noqa: ANN401 - as typer declares its options
    """An option `--reason`, with its help; a reason is kept for good, so it holds nobody's data."""
    return typer.Option("--reason", help=text, callback=_keepable)


def _keepable(reason: str) -> str:
    with output.errors_as_exit_codes():
        return keepable(reason)
