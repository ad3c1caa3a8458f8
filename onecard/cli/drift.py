"""`onecard drift`: the sources as they are now against their contracts, before the night."""

from __future__ import annotations

from typing import Annotated

import typer

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.options import Json
from onecard.operations import choice, night
from onecard.operations.drift_look import Looked, look


def drift(
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Datasets or agencies; default: all.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Compare the sources' present columns with the contracts; exit 1 when a night would fail."""
    with output.errors_as_exit_codes():
        hub = Hub()
        found = [look(hub, d) for d in _wanted(hub, datasets)]
        if json:
            output.emit([item.as_json() for item in found])
        else:
            _show(found)
    if any(item.fails for item in found):
        raise typer.Exit(1)


def _wanted(hub: Hub, names: list[str] | None) -> tuple[str, ...]:
    return choice.datasets(hub.catalogue, names) if names else night.datasets(hub)


def _show(found: list[Looked]) -> None:
    rows: list[tuple[str, ...]] = [
        (item.dataset, c.kind, c.native, c.field, c.policy, c.says)
        for item in found
        for c in item.changes
    ]
    rows += [(i.dataset, "unreadable", "", "", "fail", i.problem) for i in found if i.problem]
    if rows:
        output.table("drift", ("dataset", "change", "native", "field", "policy", "what"), rows)
    for item in found:
        if item.patch:
            output.say(item.patch)
    bad = sum(item.fails for item in found)
    output.say(
        f"{len(found)} source(s) looked at, {len(rows)} change(s); the night would fail on {bad}"
    )
