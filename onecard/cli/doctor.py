"""`onecard doctor`: is everything in order for the night, and if not, what to do."""

from __future__ import annotations

import typer

from onecard.app.hub_desk import HubDesk
from onecard.cli import output
from onecard.cli.options import Json
from onecard.operations import doctor_lane
from onecard.operations.check_line import CheckLine
from onecard.operations.doctor import examine
from onecard.operations.doctor_probes import probes


def doctor(*, json: Json = False) -> None:
    """Check database, migrations, connections, keys, clock, disk; each line says what to do."""
    with output.errors_as_exit_codes():
        hub = HubDesk()
        lines = [*examine(hub, probes(hub)), *doctor_lane.ask(hub.settings.live_listen)]
        if json:
            output.emit([_as_json(line) for line in lines])
        else:
            rows = [(line.level, line.check, line.says, line.todo) for line in lines]
            output.table("doctor", ("level", "check", "found", "what to do"), rows)
            counted = {level: sum(x.level == level for x in lines) for level in ("warn", "fail")}
            output.say(f"{counted['fail']} failed, {counted['warn']} warning(s)")
    if any(line.level == "fail" for line in lines):
        raise typer.Exit(1)


def _as_json(line: CheckLine) -> dict[str, str]:
    return {"check": line.check, "level": line.level, "says": line.says, "todo": line.todo}
