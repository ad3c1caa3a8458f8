"""The `onecard` command. Exit codes: 0 done, 1 failed, 2 usage, 3 held for a person."""

from __future__ import annotations

import os
import sys
from importlib.metadata import distribution

import typer

from onecard.base import logs, redaction
from onecard.cli import inspect, operate
from onecard.cli.agreements import register as register_agreements
from onecard.cli.alarms import register as register_alarms
from onecard.cli.audit import register as register_audit
from onecard.cli.challenge import register as register_challenges
from onecard.cli.doctor import register as register_doctor
from onecard.cli.drift import register as register_drift
from onecard.cli.expectations import register as register_expectations
from onecard.cli.housekeeping import register as register_housekeeping
from onecard.cli.keys import register as register_keys
from onecard.cli.persons import register as register_persons
from onecard.cli.quarantine import register as register_quarantine
from onecard.cli.reconcile import register as register_reconciliations
from onecard.cli.release import register as register_releases
from onecard.cli.status import register as register_status
from onecard.cli.stewards import register as register_reports
from onecard.errors import ConfigError

app = typer.Typer(
    name="onecard",
    help="The integration and control layer of the resident One-Card.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
operate.register(app)
inspect.register(app)
register_status(app)
register_drift(app)
register_doctor(app)
register_alarms(app)
register_agreements(app)
register_quarantine(app)
register_releases(app)
register_reconciliations(app)
register_housekeeping(app)
register_challenges(app)
register_audit(app)
register_expectations(app)
register_keys(app)
register_persons(app)
register_reports(app)
for entry in distribution("onecard-hub").entry_points.select(group="onecard.commands"):
    app.command(entry.name)(entry.load())


def main() -> None:
    """Entry point."""
    redaction.install()
    try:
        logs.set_up(os.environ)
    except ConfigError as error:
        logs.complain(error)
        sys.exit(2)
    app()
