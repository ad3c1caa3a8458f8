"""`onecard lint`: what is wrong with the YAML, before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onecard.cli import output
from onecard.cli.options import Json
from onecard.operations import linting


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
    """Check every YAML file; names file, line, field, rule and the valid choices.

    Args:
        folder: with `contracts/`, `agreements/`; None: the folder that every other command reads.
        against: Git reference or folder to compare versions with; None: nothing.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        root = folder or linting.folder_in_force()
        problems = linting.lint(root, against)
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
            found = f"{len(problems)} problem(s) in" if problems else "all YAML files are valid:"
            output.say(f"{found} {root}")
            for dataset in linting.proposed(root):
                output.say(f"{dataset} is only proposed: look at it, then write `status: draft`")
    if problems:
        raise typer.Exit(1)
