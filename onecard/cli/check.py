"""`onecard check`: a dataset's gate on a local file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.options import Json
from onecard.operations.file_check import check_file


def check(
    dataset: Annotated[str, typer.Argument(help="Dataset whose gate to run.")],
    file: Annotated[Path, typer.Argument(help="CSV, JSON Lines or Parquet file.")],
    *,
    encoding: Annotated[str, typer.Option(help="Encoding of a CSV: utf-8 or gb18030.")] = "utf-8",
    json: Json = False,
) -> None:
    """Run a dataset's gate on a local file; no database, nothing is stored, no value is printed.

    Args:
        dataset: id of the contract to check against.
        file: CSV, JSON Lines or Parquet, by its suffix.
        encoding: of a CSV: utf-8 or gb18030.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        hub = Hub()
        found = check_file(hub.settings, hub.catalogue.contract(dataset), file, encoding)
        if json:
            output.emit(found.as_json())
        else:
            rows = [(r["row"], r["field"], r["rule"]) for r in found.rows]
            if rows:
                output.table("rejected rows", ("row", "field", "rule"), rows)
            output.say(
                f"read {found.read:,}, accepted {found.accepted:,}, rejected {found.rejected:,}"
            )
    if found.rejected:
        raise typer.Exit(1)
