"""`onecard doctor`: is everything in order for the night, and if not, what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.operate import Json
from onecard.operations.doctor import Line, Probe, examine

Place = tuple[str, str, dict[str, Any] | None]
"""Connector kind, who uses the connection, and a source's options where it is read."""


def doctor(*, json: Json = False) -> None:
    """Check database, migrations, connections, keys, clock, disk; each line says what to do."""
    with output.errors_as_exit_codes():
        hub = Hub()
        lines = examine(hub, probes(hub))
        if json:
            output.emit([_as_json(line) for line in lines])
        else:
            rows = [(line.level, line.check, line.says, line.todo) for line in lines]
            output.table("doctor", ("level", "check", "found", "what to do"), rows)
            counted = {level: sum(x.level == level for x in lines) for level in ("warn", "fail")}
            output.say(f"{counted['fail']} failed, {counted['warn']} warning(s)")
    if any(line.level == "fail" for line in lines):
        raise typer.Exit(1)


def probes(hub: Hub) -> list[Probe]:
    """Every connection once: as a source where a dataset is read there, else as an inbox."""
    return [
        Probe(name, place[1], _attempt(hub, name, place))
        for name, place in sorted(_places(hub).items())
    ]


def _places(hub: Hub) -> dict[str, Place]:
    found: dict[str, Place] = {}
    for agency in hub.catalogue.agencies.values():
        if agency.handback is not None:
            found[agency.handback.connection] = (agency.handback.connector, "hand-back", None)
    for agreement in hub.catalogue.agreements.values():
        block = agreement.delivery
        if agreement.served and block is not None:
            found[block.connection] = (block.connector, agreement.id, None)
    for contract in hub.catalogue.contracts.values():
        source = contract.source
        found[source.connection] = (source.connector, contract.id, dict(source.options))
    return found


def _attempt(hub: Hub, name: str, place: Place) -> Callable[[], str]:
    kind, _, source = place

    def attempt() -> str:
        from connectors.inspect.probe import probe  # noqa: PLC0415 - every connector, only here

        return probe(hub.connections.get(name), kind, source)

    return attempt


def _as_json(line: Line) -> dict[str, str]:
    return {"check": line.check, "level": line.level, "says": line.says, "todo": line.todo}
