"""Commands that move data: collect, deliver."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated

import typer

from onecard.app.wiring import Hub
from onecard.app.workers import Threads
from onecard.cli import output
from onecard.cli.audit_engine import Audit, engine
from onecard.cli.dry_runs import show as show_dry_runs
from onecard.cli.lines import Lines
from onecard.cli.options import Json
from onecard.deliver.context import Replay
from onecard.errors import UsageError
from onecard.operations import choice, delivery, night
from onecard.operations.dry_run import dry_run

PART_ROWS = 50_000
"""Of a backfill: some seconds, in which no other collect of the dataset publishes."""


def collect(  # noqa: PLR0913 - one parameter for each option
    datasets: Annotated[list[str], typer.Argument(help="Datasets or agencies, e.g. hrss.")],
    *,
    whole: Annotated[
        bool, typer.Option("--whole", help="Read all, not from the watermark.")
    ] = False,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen; store nothing.")
    ] = False,
    limit: Annotated[int, typer.Option(min=0, help="Of --dry-run: so many rows; 0: all.")] = 0,
    workers: Annotated[
        int, typer.Option(min=1, help="So many read the partitions of a dataset at once.")
    ] = 1,
    fill: Annotated[
        str, typer.Option("--backfill", help="A new field that is filled in old rows, in parts.")
    ] = "",
    part_rows: Annotated[
        int, typer.Option(min=1, help="Of --backfill: so many rows are published at a time.")
    ] = PART_ROWS,
    audit: Audit = "sql",
    json: Json = False,
) -> None:
    """Collect datasets from their agencies into the registry.

    Args:
        datasets: ids of datasets or agencies.
        whole: read all, not from the watermark.
        dry: read, check and count; store nothing, neither rows nor that it was read.
        limit: of a dry run: at most so many rows of each dataset; 0: all.
        workers: so many read the partitions of a dataset at once, where its contract names any
            (`source.partition`); every other dataset is read by one.
        fill: a field that the contract has got since: it is filled in rows that lack it, of one
            dataset; a run that was cut off is begun again and goes on with what is lacking.
        part_rows: rows that a backfill publishes at a time.
        audit: engine: `sql` or `gx`.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        if fill:
            if whole or dry or limit or workers > 1:
                msg = "--backfill reads all by itself; leave --whole, --dry-run, --workers out"
                raise UsageError(msg)
            _fill(datasets, fill, part_rows, as_json=json)
            return
        if limit and not dry:
            msg = "--limit needs --dry-run: a collect takes all or nothing"
            raise UsageError(msg)
        hub = Hub(audit=engine(audit))
        wanted = choice.datasets(hub.catalogue, datasets)
        if dry:
            found = [dry_run(hub, d, whole=whole, limit=limit) for d in wanted]
            show_dry_runs(found, as_json=json)
            if any(f.fails or f.holds for f in found):
                raise typer.Exit(1 if any(f.fails for f in found) else 3)
            return
        if workers == 1:
            _run(wanted, lambda d: hub.collect(d).run(whole=whole), as_json=json)
            return
        several = Threads(hub, workers)
        _run(wanted, lambda d: hub.collect(d).run_by(several, whole=whole), as_json=json)


def deliver(
    agreements: Annotated[list[str], typer.Argument(help="Agreements or consumers.")],
    *,
    whole: Annotated[
        bool, typer.Option("--whole", help="Send also what they have: a consumer asks for all.")
    ] = False,
    json: Json = False,
) -> None:
    """Deliver to consumers what their agreements grant and they do not have yet.

    Args:
        agreements: ids of agreements or consumers.
        whole: send also what they have already.
        json: print JSON instead of text.
    """
    how = Replay(whole=True) if whole else None
    with output.errors_as_exit_codes():
        hub = Hub()
        wanted = choice.agreements(hub.catalogue, agreements)
        _run(wanted, lambda a: delivery.deliver(hub, a, how), as_json=json)


def _fill(datasets: list[str], field: str, part_rows: int, *, as_json: bool) -> None:
    """Backfill one field of one dataset."""
    from onecard.reconcile.backfill import backfill  # noqa: PLC0415 - Polars only where rows flow

    hub = Hub()
    wanted = choice.datasets(hub.catalogue, datasets)
    if len(wanted) != 1:
        msg = f"--backfill {field}: name one dataset, not {len(wanted)}"
        raise UsageError(msg)

    def note(filled: int) -> None:
        if not as_json:
            output.say(f"{wanted[0]}: {filled:,} rows filled")

    done = backfill(hub, wanted[0], field, part_rows=part_rows, note=note)
    if as_json:
        output.emit(asdict(done))
        return
    output.say(
        f"{done.dataset}: {done.field} filled in {done.filled:,} rows, in {done.parts:,} parts;"
        f" {done.lacking:,} rows have none, {done.read:,} rows of the source were read"
    )


def _run(subjects: Iterable[str], run: object, *, as_json: bool) -> None:
    lines = Lines(as_json=as_json)
    outcome = night.run_each(subjects, run, lines.note)  # type: ignore[arg-type]
    lines.close()
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)
