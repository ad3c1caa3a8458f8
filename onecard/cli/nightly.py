"""The whole night in one process, without Airflow: nightly."""

from __future__ import annotations

from typing import Annotated

import typer

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.audit_engine import Audit, engine
from onecard.cli.lines import Lines
from onecard.cli.options import Json
from onecard.errors import UsageError, unknown
from onecard.operations import alarms, night, ticket_news
from onecard.operations.alarm_channels import tell
from onecard.operations.night_report import write_report
from onecard.operations.reports import write_due


def nightly(
    more: Annotated[
        list[str] | None, typer.Argument(help="More agencies of --only.", show_default=False)
    ] = None,
    *,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Only these agencies: one or more, or give it again."),
    ] = None,
    audit: Audit = "gx",
    json: Json = False,
) -> None:
    """Collect everything, deliver everything, write the reports, tell what is wrong.

    Args:
        more: agencies that follow the first one of `only`.
        only: agencies: what they provide is collected, what they receive is delivered; None: all.
        audit: engine: `sql` or `gx`.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        hub = Hub(audit=engine(audit))
        chosen = _agencies(hub, only or [], more or [])
        lines = Lines(as_json=json)
        outcome = night.run(hub, lines.note, only=chosen)
        if outcome.onboarding and not json:
            output.say(f"not on board yet, and no part of the outcome ({len(outcome.onboarding)}):")
            output.say("\n".join(f"  {n}: {why}" for n, why in sorted(outcome.onboarding.items())))
        page, files = write_report(hub), write_due(hub)
        told: dict[str, object] = {"report": str(page), "agencies' reports": len(files)}
        lines.close(told | ({"onboarding": dict(outcome.onboarding)} if json else {}))
        alarms.failed([*tell(hub), *ticket_news.tell(hub)])
    raise typer.Exit(outcome.exit_code)


def _agencies(hub: Hub, only: list[str], more: list[str]) -> tuple[str, ...]:
    """The agencies that are named.

    Raises:
        UsageError: one is unknown, or `--only` is missing.
    """
    if more and not only:
        msg = f"write --only {' '.join(more)}"
        raise UsageError(msg)
    known = hub.catalogue.agencies
    for name in (*only, *more):
        if name not in known:
            raise UsageError(unknown("agency", name, known))
    return (*only, *more)
