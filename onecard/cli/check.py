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
    file: Annotated[Path, typer.Argument(help="File of a kind that the hub reads.")],
    *,
    encoding: Annotated[
        str | None, typer.Option(help="Of a CSV, instead of the contract's: utf-8 or gb18030.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Of a CSV, instead of the contract's; \\t is a tab.")
    ] = None,
    json: Json = False,
) -> None:
    """Run a dataset's gate on a local file; no database, nothing is stored, no value is printed.

    The file is read as the contract says: encoding, delimiter, place of the rows, forms of text.

    Args:
        dataset: id of the contract to check against.
        file: of a kind that the hub reads, by its suffix, or by the contract without one.
        encoding: of a CSV: utf-8 or gb18030.
        delimiter: between the cells of a CSV.
        json: print JSON instead of text.
    """
    asked = {"encoding": encoding, "delimiter": "\t" if delimiter == "\\t" else delimiter}
    instead = {part: value for part, value in asked.items() if value is not None}
    with output.errors_as_exit_codes():
        hub = Hub()
        found = check_file(hub.settings, hub.catalogue.contract(dataset), file, instead)
        if json:
            output.emit(found.as_json())
        else:
            names = ("row", "field", "rule", "expected")
            rows = [tuple(r.get(name, "") for name in names) for r in found.rows]
            if rows:
                output.table("rejected rows", names, rows)
            warned = [(w["field"], w["rule"], w["rows"]) for w in found.warnings]
            if warned:
                output.table("warnings", ("field", "rule", "rows"), warned)
            for remark in found.remarks:
                output.say(remark)
            output.say(f"read as {', '.join(f'{k} {v!r}' for k, v in found.layout.items())}")
            output.say(
                f"read {found.read:,}, accepted {found.accepted:,}, rejected {found.rejected:,}"
            )
    if found.rejected:
        raise typer.Exit(1)
