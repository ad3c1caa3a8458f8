"""Commands that move data: collect, deliver."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.audit_engine import Audit, engine
from onecard.cli.lines import Lines
from onecard.cli.options import Json
from onecard.operations import choice, night


def collect(
    datasets: Annotated[list[str], typer.Argument(help="Datasets or agencies, e.g. hrss.")],
    *,
    whole: Annotated[
        bool, typer.Option("--whole", help="Read all, not from the watermark.")
    ] = False,
    audit: Audit = "sql",
    json: Json = False,
) -> None:
    """Collect datasets from their agencies into the registry.

    Args:
        datasets: ids of datasets or agencies.
        whole: read all, not from the watermark.
        audit: engine: `sql` or `gx`.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        hub = Hub(audit=engine(audit))
        wanted = choice.datasets(hub.catalogue, datasets)
        _run(wanted, lambda d: hub.collect(d).run(whole=whole), as_json=json)


def deliver(
    agreements: Annotated[list[str], typer.Argument(help="Agreements or consumers.")],
    *,
    json: Json = False,
) -> None:
    """Deliver to consumers what their agreements grant and they do not have yet."""
    with output.errors_as_exit_codes():
        hub = Hub()
        wanted = choice.agreements(hub.catalogue, agreements)
        _run(wanted, lambda a: hub.deliver(a).run(), as_json=json)


def _run(subjects: Iterable[str], run: object, *, as_json: bool) -> None:
    lines = Lines(as_json=as_json)
    outcome = night.run_each(subjects, run, lines.note)  # type: ignore[arg-type]
    lines.close()
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)
