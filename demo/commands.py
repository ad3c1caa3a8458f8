"""The commands that the rehearsal adds to `onecard`; every `--help` reads them: no imports here."""

from __future__ import annotations

from onecard.cli.commands import Command

COMMANDS = (
    Command(
        "demo",
        "demo.cli:demo",
        "Run the nightly sync for real, through the DAGs, on simulated agencies.",
    ),
    Command(
        "up",
        "demo.cli:up",
        "Start Airflow with the simulated agencies; ends with Ctrl-C.",
    ),
)
