"""`onecard lint`: what is wrong with the YAML, before it runs."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

import connectors
from onecard.cli import output
from onecard.cli.options import Json
from schemas.lint import versions
from schemas.lint.check import lint as find
from schemas.models import catalogue


def lint(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder with contracts/, agreements/.")
    ] = None,
    *,
    against: Annotated[
        str | None,
        typer.Option(help="Git reference or folder: contract versions must have risen enough."),
    ] = None,
    json: Json = False,
) -> None:
    """Check every YAML file; names file, line, field, rule and the valid choices."""
    with output.errors_as_exit_codes():
        kinds: dict[str, Any] = {kind: connectors.connector(kind) for kind in connectors.KINDS}
        root = folder or catalogue.ROOT
        with versions.earlier(against, root) if against else nullcontext() as before:
            problems = find(root, connectors=kinds, against=before)
        if json:
            output.emit(
                [
                    {
                        "file": str(p.file),
                        "line": p.line,
                        "field": p.field,
                        "rule": p.rule,
                        "message": p.message,
                    }
                    for p in problems
                ]
            )
        else:
            for problem in problems:
                output.say(str(problem))
            output.say(f"{len(problems)} problem(s)" if problems else "all YAML files are valid")
    if problems:
        raise typer.Exit(1)
