"""`onecard discover`: what a source holds, and a contract proposed for it."""

from __future__ import annotations

from typing import Annotated

import typer

from connectors.inspect.sample import listed
from onecard.app.hub_desk import HubDesk
from onecard.cli import output
from onecard.cli.options import Json
from onecard.cli.standard_output import write as print_text
from onecard.operations import discovery, linting
from onecard.operations.contract_draft import plain_title
from onecard.operations.discovery import Wish


def discover(  # noqa: PLR0913 - one parameter for each option
    connection: Annotated[str, typer.Argument(help="Id of the connection to the agency's system.")],
    target: Annotated[
        str,
        typer.Argument(help="Table, file, pattern or path; without it, what there is is listed."),
    ] = "",
    *,
    place: Annotated[
        str, typer.Option("--in", help="Schema or folder whose tables or files are listed.")
    ] = "",
    dataset: Annotated[
        str, typer.Option("--as", help="AGENCY/DATASET of the contract; else made of the names.")
    ] = "",
    options: Annotated[
        str,
        typer.Option(help="What the source does not tell of `source.options`: YAML, or @FILE."),
    ] = "",
    write: Annotated[
        bool, typer.Option("--write", help="Write the contract where it belongs; never over one.")
    ] = False,
    json: Json = False,
) -> None:
    """Propose a contract from the source itself, or list what it holds; no value is ever shown.

    Args:
        connection: id, as `AIRFLOW_CONN_<ID>` has it.
        target: what is looked at.
        place: where the list looks.
        dataset: id of the dataset.
        options: of the source, as a contract has them.
        write: write the file instead of printing it.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        desk = HubDesk()
        if not target:
            _list(desk, connection, place, json=json)
            return
        wish = Wish(connection, target, dataset, discovery.options_of(options))
        found = discovery.propose(desk, wish)
        file = discovery.write(found) if write else None
        if json:
            output.emit(found.as_json() | ({"file": str(file)} if file else {}))
        elif file is None:
            print_text(found.text)
        else:
            _written(found, str(file))


def _list(desk: HubDesk, connection: str, place: str, *, json: bool) -> None:
    found = listed(desk.connections.get(connection), place)
    names = ("name", "kind", "rows", "title")
    rows = [(t.name, t.kind, t.rows, plain_title(t.title)) for t in found]
    if json:
        output.emit([dict(zip(names, row, strict=True)) for row in rows])
        return
    output.table(connection, names, rows)


def _written(found: discovery.Proposal, file: str) -> None:
    output.say(f"{file}: proposed, {len(found.guess.columns)} fields")
    for remark in found.remarks:
        output.say(f"  check: {remark}")
    dataset = found.contract.id
    output.say("next: look at every field, then")
    output.say(f"  onecard lint {linting.folder_in_force()}")
    output.say(f"  onecard collect {dataset} --dry-run --limit 1000")
    output.say("  status: draft in the file, so that it is collected")
