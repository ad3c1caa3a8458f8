"""Operators who are suspended from single calls: misuse list, lift."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from onecard.app.hub_desk import HubDesk
from onecard.base.times import shown
from onecard.cli import output
from onecard.cli.options import Json, why
from onecard.errors import UsageError, unknown
from onecard.model.misuse import CallOperator
from onecard.model.signoffs import SignOff
from onecard.store import database, suspensions

HEADS = ("caller", "operator", "rule", "counted", "limit", "since", "until")


def list_open(*, json: Json = False) -> None:
    """Operators of callers who are suspended now, by which rule of misuse.yaml, and until when."""
    with output.errors_as_exit_codes():
        hub = HubDesk()
        with database.connect(hub.address, autocommit=True) as connection:
            found = suspensions.open_ones(connection, hub.settings.now())
        if json:
            output.emit([asdict(line) for line in found])
            return
        rows = [
            (s.caller, s.operator, s.rule, s.number, s.allowed, shown(s.at), shown(s.until))
            for s in found
        ]
        output.table("suspended operators", HEADS, rows)


def lift(
    caller: Annotated[str, typer.Argument(help="Sid of the operator's system.")],
    operator: Annotated[str, typer.Argument(help="The operator's number there.")],
    *,
    by: Annotated[str, typer.Option("--by", help="Who decides, by name or office.")],
    reason: Annotated[str, why("Why there was need for the calls.")],
) -> None:
    """Let a suspended operator ask again, before the suspension ends; audited.

    Args:
        caller: sid of the operator's system.
        operator: number there.
        by: who decides, by name or office.
        reason: why; kept in the audit log.
    """
    with output.errors_as_exit_codes():
        SignOff(by, reason).check()
        hub, who = HubDesk(), CallOperator(caller, operator)
        now = hub.settings.now()
        with database.connect(hub.address, autocommit=True) as connection:
            rules = suspensions.lift(connection, who, now, by, reason)
            if not rules:
                held = [f"{s.caller} {s.operator}" for s in suspensions.open_ones(connection, now)]
                raise UsageError(unknown("suspended operator", f"{caller} {operator}", held))
        output.say(f"{caller} {operator}: may ask again (was suspended: {', '.join(rules)})")
