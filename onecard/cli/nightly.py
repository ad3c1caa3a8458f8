"""The whole night in one process, without Airflow: nightly."""

from __future__ import annotations

import typer

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.audit_engine import Audit, engine
from onecard.cli.lines import Lines
from onecard.cli.options import Json
from onecard.operations import alarms, night
from onecard.operations.alarm_channels import after_night
from onecard.operations.night_report import write_report
from onecard.operations.reports import write_due


def nightly(*, audit: Audit = "gx", json: Json = False) -> None:
    """Collect everything, deliver everything, write the reports, tell what is wrong."""
    with output.errors_as_exit_codes():
        hub = Hub(audit=engine(audit))
        lines = Lines(as_json=json)
        outcome = night.run(hub, lines.note)
        page, files = write_report(hub), write_due(hub)
        lines.close({"report": str(page), "agencies' reports": len(files)})
        alarms.failed(after_night(hub))
    raise typer.Exit(outcome.exit_code)
