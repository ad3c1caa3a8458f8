"""The command that compares what is published with its source: reconcile."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from onecard.cli import output
from onecard.cli.operate import Json
from onecard.errors import ConfigError
from onecard.reconcile import Wish
from onecard.reconcile import reconcile as run
from onecard.reconcile_ledger import Reconciled
from onecard.wiring import Hub

SHOWN = ("missing", "extra", "differing", "waiting", "quarantined", "healed", "tombstoned", "held")


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(reconcile)


def reconcile(
    dataset: Annotated[str, typer.Argument(help="Dataset to compare with its source.")],
    *,
    since: Annotated[
        str | None, typer.Option(help="Only rows with a cursor from this instant on (ISO 8601).")
    ] = None,
    heal: Annotated[bool, typer.Option(help="Publish what is missing, differs or is gone.")] = True,
    release: Annotated[
        str, typer.Option(help="Delete more rows than the limit allows; why you are sure.")
    ] = "",
    json: Json = False,
) -> None:
    """Compare a dataset with its source by key and row, and heal the differences."""
    with output.errors_as_exit_codes():
        done = run(Hub(), dataset, Wish(_instant(since), heal, release))
        _show(done, as_json=json)
        done.check()
    if done.outcome == "open":
        raise typer.Exit(1)


def _show(done: Reconciled, *, as_json: bool) -> None:
    if as_json:
        output.emit(asdict(done))
        return
    counts = ", ".join(f"{name} {getattr(done, name):,}" for name in SHOWN)
    output.say(
        f"{done.subject}: {done.outcome}: {done.rows_hub:,} rows here, {done.rows_other:,} there:"
        f" {counts}"
    )
    for kind, refs in done.refs.items():
        output.say(f"  {kind}: {' '.join(ref[:16] for ref in refs)}")


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        msg = "--since: write an instant with offset, e.g. 2026-11-24T02:00:00+08:00"
        raise ConfigError(msg)
    return found
