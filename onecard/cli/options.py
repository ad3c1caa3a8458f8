"""Options that many commands have."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from onecard.base.times import instant
from onecard.cli import output
from onecard.errors import ConfigError, UsageError
from onecard.model.signoffs import keepable

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def why(text: str) -> Any:  # noqa: ANN401 - as typer declares its options
    """An option `--reason`, with its help; a reason is kept for good, so it holds nobody's data."""
    return typer.Option("--reason", help=text, callback=_keepable)


def moment(text: str, option: str) -> datetime:
    """Read an option that is an instant.

    Raises:
        UsageError: it is none, or says no offset.
    """
    try:
        return instant(text, option)
    except ConfigError as error:
        raise UsageError(str(error)) from None


def _keepable(reason: str) -> str:
    with output.errors_as_exit_codes():
        return keepable(reason)
