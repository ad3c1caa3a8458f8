"""The option that chooses who evaluates dataset-level expectations."""

from __future__ import annotations

from typing import Annotated

import typer

from onecard.app.wiring import AuditEngine
from onecard.errors import UsageError, unknown

Audit = Annotated[str, typer.Option(help="Engine of dataset-level expectations: sql or gx.")]


def engine(name: str) -> AuditEngine:
    """The engine of that name.

    Raises:
        UsageError: there is none; it names those that there are.
    """
    if name not in ("sql", "gx"):
        raise UsageError(unknown("audit engine", name, ("sql", "gx")))
    return "gx" if name == "gx" else "sql"
