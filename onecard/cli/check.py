"""`onecard check`: a dataset's gate on a local file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.options import Json
from onecard.operations import check_reading
from onecard.operations.check_reading import FileToRead, GivenFile
from onecard.operations.file_check import FileCheck, checked
from schemas.models.contract import Contract


def check(  # noqa: PLR0913 - a command's options
    dataset: Annotated[str, typer.Argument(help="Dataset whose gate to run.")],
    file: Annotated[Path, typer.Argument(help="File of a kind that the hub reads.")],
    *,
    encoding: Annotated[
        str | None, typer.Option(help="Of a CSV, instead of the contract's: utf-8 or gb18030.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Of a CSV, instead of the contract's; \\t is a tab.")
    ] = None,
    copy: Annotated[
        bool,
        typer.Option(
            "--copy",
            help="Where rows are rejected, write FILE.checked.xlsx beside the file, with its"
            " values: bad cells marked, reasons in Chinese.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Run a dataset's gate on a local file; no database, nothing is stored, no value is printed.

    The file is read as the contract says: encoding, delimiter, place of the rows, forms of text.

    Args:
        dataset: id of the contract to check against.
        file: of a kind that the hub reads, by its suffix, or by the contract without one.
        encoding: of a CSV: utf-8 or gb18030.
        delimiter: between the cells of a CSV.
        copy: write the annotated copy, which only the file's owner may read.
        json: print JSON instead of text.
    """
    asked = {"encoding": encoding, "delimiter": "\t" if delimiter == "\\t" else delimiter}
    instead = {part: value for part, value in asked.items() if value is not None}
    with output.errors_as_exit_codes():
        hub = Hub()
        contract = hub.catalogue.contract(dataset)
        reading = check_reading.to_read(contract, GivenFile(file, file.name), instead)
        found = checked(hub.settings, contract, reading)
        written: dict[str, Any] = {}
        try:
            if copy and found.rejected:
                written = _copied(contract, reading, found)
        finally:  # a copy that cannot be written costs no report
            output.emit(found.as_json() | written) if json else _show(found, written)
    if found.rejected:
        raise typer.Exit(1)


def _copied(contract: Contract, reading: FileToRead, found: FileCheck) -> dict[str, Any]:
    """The copy's path and what is to be said of it, as JSON has them."""
    from onecard.operations import annotated_copy  # noqa: PLC0415 - only where it is asked for

    done = annotated_copy.write_beside(contract, reading, found)
    return {"copy": str(done.path), "copy_remarks": list(done.remarks)}


def _show(found: FileCheck, written: dict[str, Any]) -> None:
    """The outcome for people."""
    packed = any("file" in row for row in found.rows)
    names = [*(["file"] if packed else []), "row", "field", "rule", "expected"]
    rows = [tuple(r.get(name, "") for name in names) for r in found.rows]
    if rows:
        output.table("rejected rows", names, rows)
    if found.more:
        output.say(f"{found.more:,} more reasons are not shown")
    warned = [(w["field"], w["rule"], w["rows"]) for w in found.warnings]
    if warned:
        output.table("warnings", ("field", "rule", "rows"), warned)
    for remark in found.remarks:
        output.say(remark)
    output.say(f"read as {', '.join(f'{k} {v!r}' for k, v in found.layout.items())}")
    output.say(f"read {found.read:,}, accepted {found.accepted:,}, rejected {found.rejected:,}")
    if written:
        output.say(f"annotated copy, for the file's office alone: {written['copy']}")
        for remark in written["copy_remarks"]:
            output.say(remark)
