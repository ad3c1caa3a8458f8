"""Bring a file as an agency's system would: bring."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from onecard.app.hub_desk import HubDesk
from onecard.base.platform_signature import Credential
from onecard.cli import output
from onecard.cli.options import Json
from onecard.errors import ConfigError, UsageError
from onecard.ingest import codes
from onecard.ingest.client import Client

AT = "http://127.0.0.1:8094"


def bring(
    dataset: Annotated[str, typer.Argument(help="Dataset that the file is of.")],
    file: Annotated[Path, typer.Argument(help="What is brought, as the contract says.")],
    *,
    upload: Annotated[
        str, typer.Option(help="Id of an upload that is to go on, a UUID; default: a new one.")
    ] = "",
    at: Annotated[str, typer.Option(metavar="URL", help="Of the door.")] = AT,
    json: Json = False,
) -> None:
    """Bring a file to the door of `onecard ingest`, and show what the gate says of its rows.

    Args:
        dataset: its id; its agency's `bring` block says who signs.
        file: JSON Lines or CSV.
        upload: id of an upload that is to go on.
        at: address of the door.
        json: print the whole answer.
    """
    with output.errors_as_exit_codes():
        name = upload or str(uuid.uuid4())
        credential = _credential(HubDesk(), dataset)
        if not json:
            output.say(f"upload {name}")
        told = Client(at.rstrip("/"), credential).bring(dataset, file, name)
        if json:
            output.emit(dict(told.content))
        else:
            _show(told.code, told.content.get("outcome") or {})
    if told.code != codes.TAKEN.code:
        raise typer.Exit(1)


def _credential(hub: HubDesk, dataset: str) -> Credential:
    """What the agency of a dataset signs with."""
    contract = hub.catalogue.contract(dataset)
    block = hub.catalogue.agencies[contract.agency].bring
    if block is None or dataset not in hub.catalogue.bringable(contract.agency):
        msg = f"{dataset} is not brought: its source is not push, or {contract.agency} has no bring"
        raise UsageError(msg)
    connection = hub.connections.get(block.connection)
    if not connection.login or not connection.secret:
        msg = f"connection {block.connection!r} needs a login (the sid) and a password (the appKey)"
        raise ConfigError(msg)
    return Credential(connection.login, connection.secret.encode(), block)


def _show(code: str, outcome: dict[str, Any]) -> None:
    said = {c.code: c for c in codes.CODES}.get(code)
    output.say(f"{code}: {said.en}; {said.do_en}" if said else f"unknown code {code}")
    if "problem" in outcome:
        output.say(str(outcome["problem"]))
    rows = [
        (row["row"], reason["field"], reason["rule"])
        for row in outcome.get("rows", [])
        for reason in row["reasons"]
    ]
    if rows:
        output.table("rejected rows", ("row", "field", "rule"), rows)
    if "read" in outcome:
        counts = [f"{name} {outcome[name]:,}" for name in ("read", "accepted", "rejected")]
        output.say(", ".join(counts))
